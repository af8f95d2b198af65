"""How to get what an extra needs: one place, and right whatever the mock was installed from."""

from __future__ import annotations

import re
import tomllib

import pytest

from mockserver.core.extras import EXTRAS, to_install
from tests.snippets import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_extras_are_those_of_the_package() -> None:
    """Name by name, and requirement by requirement."""
    assert {name: list(needs) for name, needs in EXTRAS.items()} == PROJECT["optional-dependencies"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_command_names_the_packages(extra: str) -> None:
    """Each in quotes, since a shell takes `>` for itself."""
    assert re.findall("'([^']+)'", to_install(extra)) == PROJECT["optional-dependencies"][extra]
    assert to_install(extra).startswith("pip install '")


def test_nothing_tells_to_install_this_package_by_its_name() -> None:
    """No index is promised to have it: messages name what is missing, and documents install from the checkout."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "mockserver").rglob("*.py")]
    told = re.compile(r"pip install [^`\n]*genstudio-mock(?!/)\b(?!.*whl)|genstudio-mock\[[a-z]")

    assert [
        f"{path.relative_to(ROOT)}: {found[0]}" for path in files for found in told.finditer(path.read_text("utf-8"))
    ] == []
