"""`make docs`: the documents as a site, built from the pages as they lie in the repository.

The pages keep their places, so that a link which works in the repository works on the site, and one that does not is an
error of the build. Chinese pages say that they are Chinese, and have no space where a line of the source ends.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import Final

from tests.snippets import ROOT

SOURCE: Final = ROOT / "build" / "site-source"
FOLDERS: Final = ("", "docs", "docs/zh", "docs/pictures", "docs/pictures/zh", "clients/node")
SHOWN: Final = frozenset({".md", ".png", ".svg"})
BUILT: Final = ROOT / "build" / "site"
CHINESE: Final = ("README.zh-CN", "docs/zh/")
"""How the paths of Chinese pages begin, as they lie here and as they are built."""
_FENCED: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_WIDE: Final = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
_BREAK: Final = re.compile(rf"(?<={_WIDE})\n *(?={_WIDE})")


def unbroken(text: str) -> str:
    """A page without line ends between Chinese characters, which browsers show as spaces; its blocks stay."""
    return "".join(part if part.startswith("```") else _BREAK.sub("", part) for part in _FENCED.split(text))


def in_chinese(page: str) -> str:
    """A built page that says its language, by which browsers choose its glyphs and readers its voice."""
    return page.replace('<html lang="en"', '<html lang="zh-CN"', 1)


def copy() -> None:
    """Copy the pages and what they show."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for folder in FOLDERS:
        for path in (ROOT / folder).glob("*"):
            if path.suffix in SHOWN:
                target = SOURCE / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
                if path.relative_to(ROOT).as_posix().startswith(CHINESE):
                    target.write_text(unbroken(target.read_text("utf-8")), "utf-8")


def main() -> int:
    """Build it; the exit code is that of the builder."""
    copy()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    for page in BUILT.rglob("*.html"):
        if page.relative_to(BUILT).as_posix().startswith(CHINESE):
            page.write_text(in_chinese(page.read_text("utf-8")), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
