"""`make screenshots`: pictures of the inspector from a real run, in a real browser.

Without an argument the two that stand in the READMEs, in docs/pictures/, and in Chinese in docs/pictures/zh/. With a
folder all views, light and dark, to be looked at.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from mockserver.server.inspector import UI
from mockserver.testing.mock_server import MockServer
from tests.browser import Tab, launched
from tests.session_helpers import PLAIN
from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURES: Final = ROOT / "docs" / "pictures"
MOST_BYTES: Final = 200 * 1024
VIEWS: Final[Mapping[str, tuple[str, str]]] = {
    "journal": ("journal/default/3", ".timeline .write"),
    "exchange": ("journal/default/5", ".cut-mark"),
    "compare": ("compare/default/2/default/3", ".side-row"),
    "chips": ("chips", "[data-act=try]"),
    "setup": ("setup", "[data-fired]"),
    "verdict": ("verdict", ".findings"),
}
"""Each view, where it is, and what is there once it is drawn."""
HEIGHT: Final = 780
TALL: Final = {"compare": 1280}
"""Heights in pixels: a comparison's bytes stand below its time lines."""
IN_READMES: Final = ("journal", "compare")
LANGUAGES: Final = {PICTURES: "en-US", PICTURES / "zh": "zh-CN"}
WEATHER: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ASKED: Final[tuple[tuple[str, str, dict[str, Any], dict[str, str]], ...]] = (
    ("amd", "讲个故事", {"stream": True}, {}),
    ("nvidia", "你是谁?", {"stream": True}, {}),
    ("chip3", "你是谁?", {"stream": True}, {}),
    ("chip1", "你是谁?", {"stream": True}, {"X-Mock-Fault": "cut;after_frames=6"}),
    ("chip2", "你是谁?", {"stream": True}, {"X-Mock-Fault": "slicer;average_bytes=40"}),
    ("nvidia", "你好", {}, {}),
    ("nvidia", "天气", {"stream": True, "tools": [WEATHER]}, {}),
    ("chip4", "你是谁?", {"stream": True}, {"X-Mock-Quirks": "+crlf,+finish-merged"}),
    ("nvidia", "你好", {}, {"X-Mock-Fault": "status;status=503"}),
    ("nvidia", "你好", {}, {}),
    ("chip9", "你好", {}, {}),
    ("nvidia", "你是谁?", {"stream": True}, {"X-Mock-Fault": "reset_peer;after_frames=5"}),
)
"""Chip, question, further fields and headers of the requests that the pictures show."""


def ask_all(mock: MockServer) -> None:
    """Ask what the pictures show, and set something up."""
    for chip, question, more, headers in ASKED:
        url = f"{mock.url}/maas/mt-infini-3b/{chip}/chat/completions"
        body = {"messages": [{"role": "user", "content": question}], **more}
        with contextlib.suppress(httpx.HTTPError):  # some answers are cut, as they shall be
            httpx.post(url, json=body, headers={"Authorization": "Bearer any", **headers}, timeout=30, **PLAIN)
    mock.call("POST", "/faults", {"fault": {"type": "cut", "after_frames": 4}, "match": {"chip": "chip5"}, "times": 2})
    mock.call("POST", "/faults", {"fault": {"type": "rate_limit", "rpm": 3}, "match": {"chip": "amd"}})
    mock.call("POST", "/answers", {"answer": {"text": "你好,世界"}, "match": {"contains": "问候"}})


def take(folder: Path, views: tuple[str, ...], schemes: tuple[str, ...], locale: str = "en-US") -> list[Path]:
    """Take the pictures; of one scheme they are named for their view alone."""
    made = []
    folder.mkdir(parents=True, exist_ok=True)
    with MockServer(pace="profile") as mock, launched() as browser:
        ask_all(mock)
        for scheme in schemes:
            size = {"width": 1280, "height": HEIGHT}
            with Tab(browser, color_scheme=scheme, viewport=size, locale=locale) as tab:
                for view in views:
                    path, there = VIEWS[view]
                    tab.page.set_viewport_size({"width": 1280, "height": TALL.get(view, HEIGHT)})
                    tab.page.goto(f"{mock.url}{UI}#/{path}")
                    tab.page.locator(there).first.wait_for(state="attached")
                    file = folder / (f"{view}.png" if len(schemes) == 1 else f"{view}-{scheme}.png")
                    tab.page.screenshot(path=str(file))
                    made.append(file)
    return made


def main() -> None:
    """Take them, and say how large each is."""
    made = (
        take(Path(sys.argv[1]), tuple(VIEWS), ("light", "dark"))
        if sys.argv[1:]
        else [made for folder, locale in LANGUAGES.items() for made in take(folder, IN_READMES, ("light",), locale)]
    )
    for path in made:
        size = path.stat().st_size
        sys.stdout.write(f"{path} {size / 1024:.0f} KiB{'' if size < MOST_BYTES else ', which is too much'}\n")


if __name__ == "__main__":
    main()
