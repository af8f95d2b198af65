"""The inspector's files by themselves: what they may do, that they are small, and that no word lacks its Chinese."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from mockserver.page.files import STATIC, TYPES, content, names
from mockserver.page.standalone import document
from tests.screenshots import IN_READMES
from tests.snippets import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODULES = sorted(STATIC.glob("*.js"))
MOST_BYTES = 200 * 1024
WORD = re.compile(r'\bt\("((?:[^"\\]|\\.)*)"')
PAIR = re.compile(r'^  "((?:[^"\\]|\\.)*)": "(?:[^"\\]|\\.)*",$', re.MULTILINE)
NEVER = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", "http://www.",
    "https://",
)  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_makes_no_markup_and_asks_no_other_host(path: Path) -> None:
    """Text becomes text nodes in one place, `dom.js`; the name of SVG is the one address that stands in the code."""
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")

    assert [word for word in NEVER if word in text] == []
    assert "createElement" not in text or path.name == "dom.js"


def test_every_word_has_its_chinese() -> None:
    """Each text that is asked for stands in the table of words once."""
    chinese = PAIR.findall((STATIC / "words.js").read_text("utf-8"))
    asked = {word for path in MODULES for word in WORD.findall(path.read_text("utf-8"))}

    assert sorted(asked - set(chinese)) == []
    assert len(chinese) == len(set(chinese))


def test_the_files_are_small(tmp_path: Path) -> None:
    """What the page adds to the wheel is far below 200 KiB, and every file has a type."""
    packed = tmp_path / "page.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names():
            archive.writestr(name, content(name))

    assert packed.stat().st_size < MOST_BYTES / 2
    assert {path.suffix for path in STATIC.iterdir()} <= set(TYPES)


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        pytest.param("pictures", ["README.md", "docs/inspector.md"], id="english"),
        pytest.param("pictures/zh", ["README.zh-CN.md", "docs/zh/inspector.md"], id="chinese"),
    ],
)
def test_the_pictures_are_small_and_shown(folder: str, names: list[str]) -> None:
    """Each stands in its language's README and on its page of the inspector, and loads quickly."""
    pages = [ROOT / name for name in names]
    pictures = sorted((ROOT / "docs" / folder).glob("*.png"))

    assert [path.name for path in pictures] == sorted(f"{view}.png" for view in IN_READMES)
    for picture in pictures:
        assert picture.stat().st_size < MOST_BYTES
        assert [page.name for page in pages if f"{folder}/{picture.name})" not in page.read_text("utf-8")] == []


@pytest.mark.parametrize("name", ["", "..", "../files.py", "words.js/", "/etc/passwd"])
def test_only_the_files_of_the_page_are_there(name: str) -> None:
    """A name is looked up and never a path."""
    with pytest.raises(KeyError):
        content(name)


def test_a_file_of_its_own_holds_data_that_cannot_end_its_place() -> None:
    """Markup in data and title stays text; the one script that may run is named by its hash, and nothing is loaded."""
    made = document("<b>&", "exchanges", {"exchanges": ["</script><script>alert(1)</script><!--", "\u2028"]})

    assert "<script>alert" not in made
    assert "<title>&lt;b&gt;&amp;</title>" in made
    assert made.count("<script") == 2
    assert re.search(r"script-src &#x27;sha256-[\w+/=]+&#x27;", made)
    assert not re.search(r"\b(src|href)=\"", made)
