"""The documents say what is: their snippets run, their tables are the program's."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from mockserver.pipeline.faults.table import FAULTS
from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from tests import snippets
from tests.conftest import EDITIONS, load
from tests.fault_docs import with_table
from tests.in_thread import WAIT_SECONDS
from tests.snippets import ROOT, Block, blocks, check, different, table, to_run
from tests.tables import QUIRKS_PAGE, quirk_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Live

ELSEWHERE = {
    ROOT / "docs" / "testing.md": "tests.test_docs_testing",
    ROOT / "docs" / "contract.md": "tests.test_docs_contract",
}
"""Pages of which the snippets take long, and the file that runs them: all of them would be too much for one worker."""
HERE = [block for block in different() if block.document not in ELSEWHERE]


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.name)
def test_snippet(block: Block, servers: dict[str, Live], tmp_path: Path) -> None:
    """A snippet runs against a server as it stands, and prints what the document says."""
    check(block, f"127.0.0.1:{servers['2024-tutorial'].port}", tmp_path)


@pytest.mark.parametrize("page", ELSEWHERE, ids=lambda page: page.name)
def test_a_page_with_tests_of_its_own_has_its_snippets_there(page: Path) -> None:
    """No snippet is run nowhere: those that are not run here are those of that file."""
    module = importlib.import_module(ELSEWHERE[page])

    assert [block.name for block in module.HERE] == [block.name for block in different() if block.document == page]


def test_a_snippet_that_hangs_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended with all that it has started: what holds its output open would be waited for."""
    monkeypatch.setattr(snippets, "SECONDS", 0.2)
    hanging = Block(ROOT / "README.md", 1, "sh", "", "sleep 600 &\nwait\n")

    with pytest.raises(AssertionError, match=r"^README\.md:1 was not done after 0\.2 s"):
        snippets.run(hanging, "127.0.0.1:1", tmp_path)


def test_every_document_has_something_to_run() -> None:
    """A document whose snippets are all shown only is not held by anything."""
    assert {block.document for block in to_run()} >= {ROOT / "README.md", ROOT / "README.zh-CN.md"}


def chat(server: Live, chip: str, *, stream: bool) -> tuple[str, bytes]:
    """Content type and body of an answer."""
    asked = {"model": server.model, "stream": stream, "messages": [{"role": "user", "content": "你是谁?"}]}
    headers = {"authorization": "Bearer any-key", "content-type": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_SECONDS)) as connection:
        connection.request("POST", server.path(chip), json.dumps(asked), headers)
        response = connection.getresponse()
        return response.headers["content-type"], response.read()


def matrix() -> list[tuple[str, str, list[str]]]:
    """README's table of chips, one entry for each edition, chip and mode."""
    return [
        (edition, chip, [stream, *rest])
        for edition, chips, stream, *rest in table(ROOT / "README.md", "edition")
        for chip in chips.split(", ")
    ]


@pytest.mark.parametrize(
    ("edition", "chip", "row"), matrix(), ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_the_table_of_chips_is_what_the_server_sends(
    edition: str, chip: str, row: list[str], servers: dict[str, Live]
) -> None:
    """Content type, framing, place of object and created, and the end are as README's table says."""
    stream, content_type, framing, placed, end = row
    kind, body = chat(servers[edition], chip, stream=stream == "yes")

    assert f"`{kind}`" == content_type
    if stream == "no":
        whole = json.loads(body)
        assert (framing, placed, end) == ("one JSON body", "in the body", '`"usage"`')
        assert {"object", "created"} <= set(whole)
        assert list(whole)[-1] == "usage"
        return
    reader = WIRE_FORMATS[{"events": "sse", "JSON lines": "json-lines"}[framing]].reader()
    read = [*reader.feed(body), *reader.close()]
    chunks = [one for one in read if one is not DONE]
    assert (read[-1] is DONE) == (end == "`data: [DONE]`")
    assert end in {"`data: [DONE]`", "the finish chunk"}
    having = [isinstance(one, dict) and "object" in one and "created" in one for one in chunks]
    assert having == [placed == "every chunk"] * (len(chunks) - 1) + [True]


def test_the_table_covers_every_chip_of_every_edition() -> None:
    """Seven chips, two editions, streamed or not: nothing is missing and nothing stands twice."""
    entries = [(edition, chip, row[0]) for edition, chip, row in matrix()]

    assert len(entries) == len(set(entries)) == 28


def test_every_quirk_is_documented() -> None:
    """docs/quirks.md has a row for each quirk with the table's own sentence, and no other."""
    text = QUIRKS_PAGE.read_text("utf-8")

    assert text == with_table(text, quirk_table()), "make tables writes it anew"


def test_both_readmes_have_the_same_blocks() -> None:
    """The Chinese README shows the same snippets in the same order."""
    english, chinese = (
        [(block.language, block.text) for block in blocks(ROOT / name)] for name in ("README.md", "README.zh-CN.md")
    )

    strip = re.compile(r"#.*")
    assert [(kind, strip.sub("", text)) for kind, text in chinese] == [
        (kind, strip.sub("", text)) for kind, text in english
    ]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_faults_that_are_there(name: str) -> None:
    """The faults that README names where it links to all of them are the program's."""
    text = (ROOT / name).read_text("utf-8")
    told = next(one for one in text.split("\n\n") if "`reset_peer`" in one and "docs/faults.md" in one)
    named = re.findall(r"`(\w+)`", told)

    assert len(named) == len(set(named)) == 7
    assert set(named) <= set(FAULTS)


@pytest.mark.parametrize(
    ("readme", "heading", "states"),
    [
        ("README.md", "what", {"supported", "supported as rules", "approximated", "not imitated"}),
        ("README.zh-CN.md", "内容", {"支持", "按规则支持", "近似", "不模仿"}),
    ],
)
def test_the_table_of_what_is_supported_names_every_field(readme: str, heading: str, states: set[str]) -> None:
    """Each field that an edition knows stands in the table once, as supported; nothing else is called a field."""
    rows = table(ROOT / readme, heading)
    named = [name for what, _, _ in rows for name in re.findall(r"`(\w+)`", what)]

    assert len(named) == len(set(named))
    assert {name: set(named) for name in EDITIONS} == {name: set(load(name).file.request.fields) for name in EDITIONS}
    assert {state for _, state, _ in rows} == states


@pytest.mark.parametrize("path", ["/maas/v1/embeddings", "/maas/v1/rerank", "/maas/v1/messages"])
def test_what_is_not_imitated_is_a_404(path: str, servers: dict[str, Live]) -> None:
    """Routes of the service that README calls not imitated are refused, not half answered."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", servers["2024-tutorial"].port)) as connection:
        connection.request("POST", path, "{}", {"authorization": "Bearer any-key"})

        assert connection.getresponse().status == 404
