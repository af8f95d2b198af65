"""Fixtures of the inspector's tests, a plugin of pytest: one browser for all, a page for each test of a file's mock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mockserver.testing.session import Session
from tests.browser import Tab, launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.mock_server import MockServer


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all."""
    with launched() as made:
        yield made


@pytest.fixture
def tab(browser: Any, mock: MockServer) -> Iterator[Tab]:  # noqa: ARG001 - a mock that ends waits for open pages
    """A page of a developer at a desk, closed before the mock ends; its scripts must not fail."""
    with Tab(browser) as made:
        yield made
        assert made.errors == []


@pytest.fixture
def everybody(mock: MockServer) -> Session:
    """The namespace of all who have claimed none."""
    return Session(mock, "unclaimed-key")
