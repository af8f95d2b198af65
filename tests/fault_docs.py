"""The tables of faults in the documents, written by `make tables`; tests/test_fault_docs.py holds them.

What a fault does and what its settings are comes from its class; what a raw socket hears and what the SDK makes of it
is observed.
"""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from mockserver.pipeline.faults.table import FAULTS
from mockserver.testing.mock_server import MockServer
from tests.fault_cases import cases
from tests.fault_observed import Question, hear, outcome, take
from tests.session_helpers import silence_of
from tests.snippets import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo

    from mockserver.pipeline.faults.fault import Fault
    from tests.fault_cases import FaultCase
    from tests.fault_observed import Heard, Taken

FAULTS_PAGE: Final = ROOT / "docs" / "faults.md"
README: Final = ROOT / "README.md"
CHINESE_README: Final = ROOT / "README.zh-CN.md"
SILENT: Final = ("cut;after_frames=4;clean=true", "empty_body", "blocked_at;after_pieces=3", "duplicate_frame")
"""The rows that README shows: nothing is raised, and the text is short, missing or wrong."""
EVENTS_CHIP: Final = "nvidia"
LINES_CHIP: Final = "chip3"
QUESTION: Final = "你是谁?"
WORKERS: Final = 8

Table = list[list[str]]
"""The headings, and then the rows."""


def documented() -> list[FaultCase]:
    """The rows that docs/faults.md shows, in the order of the table of faults."""
    order = list(FAULTS)
    return sorted(cases("sdk"), key=lambda case: order.index(case.fault.type))


# --- what the classes say ---------------------------------------------------------------------------------------------


def says(kind: type[Fault]) -> str:
    """What a fault does: the first paragraph of its class."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def example(name: str, field: FieldInfo) -> str:
    """A setting in short: by name alone where it is needed, else with its default."""
    if field.is_required():
        return f"`{name}`"
    return f"`{name}` (or not)" if field.default is None else f"`{name}={json.dumps(field.default)}`"


def fault_table() -> Table:
    """What each fault does."""
    rows = [
        [f"`{name}`", says(kind), ", ".join(example(one, kind.model_fields[one]) for one in kind.settings())]
        for name, kind in FAULTS.items()
    ]
    return [["fault", "what it does", "settings"], *rows]


def setting_table() -> Table:
    """What each setting is, in which range and unit, and what it is where it is not given."""
    rows = []
    for name, kind in FAULTS.items():
        for setting, sentence in kind.settings().items():
            what, _, allowed = sentence.removesuffix(".").rpartition("; ")
            field = kind.model_fields[setting]
            default = "must be given" if field.is_required() else f"`{json.dumps(field.default)}`"
            rows.append([f"`{name}`", f"`{setting}`", what, allowed, default])
    return [["setting of", "name", "what it is", "allowed", "default"], *rows]


# --- what is observed -------------------------------------------------------------------------------------------------

ENDINGS: Final = {
    "complete": "complete",
    "cut": "closed too early",
    "reset": "reset (RST)",
    "hang": "then silence",
    "broken": "broken chunk",
}


def wire(got: Heard, whole: Heard) -> str:
    """What a raw socket heard, in words."""
    if not got.status:
        return ENDINGS[got.ended].removeprefix("then ")
    size = f"{len(got.data)} bytes"
    if got.status == whole.status and len(got.data) != len(whole.data):
        size = f"{len(got.data)} of {len(whole.data)} bytes"
    return f"{got.status}, {size}, {ENDINGS[got.ended]}"


def observed() -> dict[str, dict[str, str]]:
    """The cells of the big table by row and heading; several at a time."""
    with MockServer() as mock, ThreadPoolExecutor(WORKERS) as pool:

        def question(case: FaultCase | None, chip: str, *, stream: bool) -> Question:
            session = mock.session()
            silence = silence_of(session) if case is not None and case.hangs else None
            return Question(mock.base_url(chip=chip), QUESTION, stream, str(case or ""), session.api_key, silence)

        heard: dict[bool, Heard] = {}
        taken: dict[bool, Taken] = {}
        for stream in (True, False):
            heard[stream] = hear(question(None, EVENTS_CHIP, stream=stream))
            taken[stream] = take(question(None, EVENTS_CHIP, stream=stream))

        def by_socket(case: FaultCase, *, stream: bool) -> str:
            return wire(hear(question(case, EVENTS_CHIP, stream=stream)), heard[stream])

        def by_sdk(case: FaultCase, chip: str, *, stream: bool) -> str:
            return outcome(take(question(case, chip, stream=stream)), taken[stream], stream=stream)

        found = {
            case.text: {
                "wire, stream": pool.submit(by_socket, case, stream=True),
                "SDK, stream": pool.submit(by_sdk, case, EVENTS_CHIP, stream=True),
                "SDK, chip3 stream": pool.submit(by_sdk, case, LINES_CHIP, stream=True),
                "wire, whole": pool.submit(by_socket, case, stream=False),
                "SDK, whole": pool.submit(by_sdk, case, EVENTS_CHIP, stream=False),
            }
            for case in documented()
        }
        return {text: {heading: cell.result() for heading, cell in cells.items()} for text, cells in found.items()}


def observed_table(rows: dict[str, dict[str, str]]) -> Table:
    """All that is observed."""
    headings = ["armed", *next(iter(rows.values()))]
    return [headings, *([f"`{text}`", *cells.values()] for text, cells in rows.items())]


def silent_table(rows: dict[str, dict[str, str]]) -> Table:
    """What README shows."""
    headings = ["SDK, stream", "SDK, whole"]
    return [["armed", *headings], *([f"`{text}`", *(rows[text][one] for one in headings)] for text in SILENT)]


CHINESE: Final = {
    r"armed": "故障",
    r"SDK, stream": "SDK，流式",
    r"SDK, whole": "SDK，非流式",
    r"all (\d+) characters": r"全部 \1 个字符",
    r"\*\*silent empty\*\*": "**不报错，读空**",
    r"\*\*silently short: (\d+) of (\d+) pieces\*\*": r"**不报错，少读：\2 段只读到 \1 段**",
    r"\*\*silently short: (\d+) of (\d+) characters\*\*": r"**不报错，少读：\2 个字符只读到 \1 个**",
    r"\*\*silently wrong: (\d+) pieces for (\d+)\*\*": r"**不报错，读错：\2 段读成 \1 段**",
    r"(`\w+`), which is no (`\w+`)": r"\1，它不是 \2",
    r"(`[^`]+`)": r"\1",
}
"""What the cells of README's table are in Chinese."""


def in_chinese(cell: str) -> str:
    """A cell of README's table in Chinese; exits with what CHINESE lacks."""
    for pattern, words in CHINESE.items():
        if found := re.fullmatch(pattern, cell):
            return found.expand(words)
    sys.exit(f"tests/fault_docs.py: CHINESE has nothing for {cell!r}; add it")


# --- the documents ----------------------------------------------------------------------------------------------------


def tables(rows: dict[str, dict[str, str]]) -> list[tuple[Path, Table]]:
    """Every generated table, and the document in which it stands."""
    silent = silent_table(rows)
    return [
        (FAULTS_PAGE, fault_table()),
        (FAULTS_PAGE, setting_table()),
        (FAULTS_PAGE, observed_table(rows)),
        (README, silent),
        (CHINESE_README, [[in_chinese(cell) for cell in row] for row in silent]),
    ]


def with_table(text: str, table: Table) -> str:
    """A document's text with the table in the place of the one that has its first heading."""
    headings, *rows = table
    lines = [headings, ["---"] * len(headings), *rows]
    made = "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
    old = re.compile(rf"^\| {re.escape(headings[0])} \|.*\n(\|.*\n)*", re.MULTILINE)
    new, found = old.subn(lambda _: made, text, count=1)
    if not found:
        sys.exit(
            f"no table begins with | {headings[0]} |; write its first line into the document, where it is to stand"
        )
    return new
