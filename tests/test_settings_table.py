"""Every setting of the table is at every door: flags, variables, files, `--print-config`, docs/settings.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mockserver.core.errors import OperatorError
from mockserver.settings.config import SETTINGS, load, schema
from tests.command import called
from tests.settings_table import DOCUMENT, document, row, tables

if TYPE_CHECKING:
    from pathlib import Path


def test_the_document_is_the_table() -> None:
    """docs/settings.md has each setting with what its row says, and no other."""
    assert DOCUMENT.read_text("utf-8") == document(), "make tables writes it anew"


def test_the_chinese_page_has_each_setting() -> None:
    """Its key and its default, in the order of the English tables."""
    cells = {key: default for key, *_, default, _ in map(row, SETTINGS.values())}
    wanted = [(key, cells[key]) for key in re.findall(r"^\| (`\w+`) \|", tables(), re.MULTILINE)]
    page = (DOCUMENT.parent / "zh" / DOCUMENT.name).read_text("utf-8")

    assert re.findall(r"^\| (`\w+`) \|.*\| (\S+) \|$", page, re.MULTILINE) == wanted


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_documented_once(name: str) -> None:
    """Its own row begins with its key."""
    assert len(re.findall(rf"^\| `{name}` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)) == 1


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_at_every_door(name: str, tmp_path: Path) -> None:
    """A flag and a variable, unless it is for the file alone; a key of the file; a line of `--print-config`."""
    one, given, refused = SETTINGS[name], not SETTINGS[name].file_only, False
    _, told, _ = called("serve", "--help")
    _, shown, _ = called("serve", "--print-config")
    try:
        load({}, {one.variable: "\0"}, cwd=tmp_path)
    except OperatorError as error:
        refused = str(error).startswith(f"{one.variable}: unknown variable")

    assert (re.search(rf"^  {one.flag}[ ,]", told, re.MULTILINE) is not None) is given
    assert refused is not given
    assert schema()["properties"][name]["description"] == one.says
    assert re.search(rf"^{name} ", shown, re.MULTILINE)
