"""A real browser, for tests of the inspector: the system's chromium, driven by Playwright; without one they skip."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver.server.inspector import UI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.mock_server import MockServer

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
WAIT_MS: Final = 20_000
"""How long a condition is waited for; a machine under load is slow, and nothing else is waited for."""


def chromium() -> str:
    """The system's browser; skips where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)} is on PATH")
    return found


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser; skips where Playwright or the browser is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser, and is not installed")
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page of its own, and what it complained of.

    Args:
        browser: The browser.
        options: Of the context: locale, viewport, color_scheme.

    Attributes:
        page: The page.
        errors: Errors of scripts, and what the content security policy refused.
        requests: Addresses that were asked for.
    """

    def __init__(self, browser: Any, **options: Any) -> None:
        wide = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US"}
        self.context = browser.new_context(**{**wide, **options})
        self.context.set_default_timeout(WAIT_MS)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._asked)
        self.page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.errors.append(message.text)

    def _asked(self, dialog: Any) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def row(tab: Tab, key: str) -> Any:
    """A row of the journal, like `default/1`."""
    return tab.page.locator(f".rows [data-key='{key}']")


def opened(tab: Tab, mock: MockServer, path: str = "") -> Any:
    """The page, at a view."""
    tab.page.goto(f"{mock.url}{UI}#/{path}")
    tab.page.locator("#top .brand .tag", has_text="2024-tutorial").wait_for(state="attached")
    return tab.page
