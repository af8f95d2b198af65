"""The inspector in a real browser: what a developer sees of exchanges, arms, tries and sends."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mockserver.server.inspector import UI
from mockserver.testing.mock_server import MockServer
from tests.browser import opened, row
from tests.session_helpers import PLAIN, asked, close_clients, get, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.session import Session
    from tests.browser import Tab

pytest_plugins = "tests.inspector_fixtures"


@pytest.fixture
def mock() -> Iterator[MockServer]:
    """A mock whose journal is empty; answers leave at once."""
    with MockServer() as made:
        yield made
    close_clients()


def test_the_page_is_told_only_what_is_new(mock: MockServer, everybody: Session) -> None:
    """The first answer has all, the next what came since; a cleared journal is told of; another page begins anew."""
    asked(everybody)
    first = get(mock, UI + "live?page=a").json()
    asked(everybody)
    second = get(mock, UI + "live?page=a").json()
    httpx.post(mock.url + "/_mock/reset", json={"counters": False}, **PLAIN)
    third = get(mock, UI + "live?page=a").json()
    other = get(mock, UI + "live?page=b").json()

    assert [(one["fresh"], [each["number"] for each in one["rows"]]) for one in (first, second)] == [
        (True, [1]),
        (False, [2]),
    ]
    assert (third["cleared"], third["rows"], other["rows"]) == (["default"], [], [])


def test_the_writes_are_noted_as_they_left(mock: MockServer, everybody: Session) -> None:
    """What is sent at once leaves in few writes; their frames add up to what was sent."""
    asked(everybody, stream=True)
    one = get(mock, "/_mock/exchanges/1").json()
    writes = one["response"]["writes"]

    assert [write["frames_sent"] for write in writes] == [16, one["frames_sent"]]
    assert 0 <= writes[0]["at_ms"] <= writes[1]["at_ms"] <= one["duration_ms"]


def test_the_journal_fills_while_a_client_streams(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """A stream that stands still is there with what it has sent; when its client leaves, the row says so."""
    page = opened(tab, mock)
    page.get_by_text("Nothing was asked yet").wait_for()
    assert streamed(everybody.chip("chip3")) == ""  # the SDK hears nothing of bare JSON lines
    row(tab, "default/1").wait_for()
    headers = {"Authorization": "Bearer k", "X-Mock-Fault": "stall;after_frames=4;ms=600000"}
    body = {"stream": True, "messages": [{"role": "user", "content": "你是谁?"}]}
    url = f"{everybody.chip('chip3').base_url}/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60, **PLAIN) as held:
        next(held.iter_bytes())
        running = row(tab, "default/2")
        running.get_by_text("in flight").wait_for()
        running.get_by_text("4/19").wait_for()
    row(tab, "default/2").get_by_text("client left").wait_for()
    row(tab, "default/1").click()

    warning = page.locator(".detail .warning")
    warning.wait_for()
    assert "hears nothing" in warning.inner_text()
    assert page.locator(".detail .said").inner_text().startswith("我是来自无问芯穹")
    claims = page.locator(".claims").inner_text()
    assert "json-lines" in claims
    assert "documented" in claims
    assert "tutorial, streamed single turn" in claims


def test_the_journal_says_why_a_request_was_refused(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """In the row; it is found by it, and a filter that nothing fits says so and can be taken back."""
    asked(everybody, temperature=9)
    asked(everybody)
    page = opened(tab, mock)
    page.locator(".rows .c-tags", has_text="temperature: 9 is out of range").wait_for()
    page.locator("#filter").fill("temperature")
    page.locator(".count", has_text="1 of 2").wait_for()
    page.locator("#filter").fill("nothing of the kind")
    page.get_by_text("No exchange fits the filter.").wait_for()
    page.get_by_role("button", name="show all").click()

    row(tab, "default/2").wait_for()
    assert page.locator("#filter").input_value() == ""


def test_one_request_is_compared_on_two_chips(tab: Tab, mock: MockServer) -> None:
    """On nvidia and chip3: what an SSE client hears, what only one side has, and the done marker that one lacks."""
    page = opened(tab, mock, "compare")
    page.locator("[data-act=send-both]").click()
    page.locator(".side-row").first.wait_for()

    differs = page.locator(".differs").inner_text()
    assert "heard by an SSE client\t19\t0" in differs
    assert "[DONE]\tsent\tnot sent" in differs
    first = page.locator(".side-row").first
    assert "".join(first.locator(".cell").first.locator("mark").all_inner_texts()).startswith("data: ")
    last = page.locator(".side-row").last
    assert last.locator(".gap").count() == 1
    assert "data: [DONE]" in last.inner_text()
    assert page.locator(".timeline").count() == 2


def test_a_cut_inside_a_character_is_marked(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """The time line, the text and the hexdump show where network writes divide a Chinese character."""
    everybody.mock.call("POST", "/faults", {"fault": {"type": "slicer", "average_bytes": 8}, "times": 1})
    asked(everybody, stream=True)
    page = opened(tab, mock, "journal/default/1")
    page.locator(".cut-mark").first.wait_for(state="attached")

    shown = page.locator(".frame-detail")
    assert "‹cut inside a character›" in shown.inner_text()
    assert shown.locator(".stray").count() >= 1
    assert shown.locator(".cutbyte").count() >= 1


def test_a_fault_armed_in_the_page_strikes_the_next_request(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """The page shows the lines that do the same, and how often it struck."""
    page = opened(tab, mock, "setup")
    page.locator("#fault-type").select_option("status")
    page.locator("#fault-status").fill("429")
    line = page.locator(".panel", has_text="Arm a fault").locator("pre.code")
    assert line.inner_text() == 'session.arm("status;status=429", times=1)'
    page.get_by_role("button", name="arm", exact=True).click()
    page.locator("[data-fired='0']").wait_for()

    assert asked(everybody).status_code == 429
    assert asked(everybody).status_code == 200
    page.locator("[data-fired='1']").wait_for()
    page.get_by_role("button", name="disarm").click()
    page.get_by_text("No fault is armed.").wait_for()


@pytest.mark.parametrize(
    ("fault", "typed", "line"),
    [
        pytest.param(
            "status", {"status": "503", "body": '{"error": "a, b"}', "headers": '{"x-a": "1"}'},
            r'"status;status=503;body={\"error\":\"a, b\"};headers={\"x-a\":\"1\"}"', id="values-of-json",
        ),
        pytest.param(
            "status", {"status": "503", "body": "no, sorry"}, r'"status;status=503;body=\"no, sorry\""',
            id="a-text-with-a-comma",
        ),
        pytest.param(
            "heartbeat", {"every_ms": "50", "data": r'": ping\n\n"'},
            r'"heartbeat;every_ms=50;data=\": ping\\n\\n\""', id="a-newline",
        ),
    ],
)  # fmt: skip
def test_a_fault_with_texts_and_json_is_armed_as_typed(
    tab: Tab, mock: MockServer, fault: str, typed: dict[str, str], line: str
) -> None:
    """What the form sends, the line of Python and the list of what is armed are one fault."""
    page = opened(tab, mock, "setup")
    page.locator("#fault-type").select_option(fault)
    for name, value in typed.items():
        page.locator(f"#fault-{name}").fill(value)
    told = page.locator(".panel", has_text="Arm a fault").locator("pre.code").inner_text()
    page.get_by_role("button", name="arm", exact=True).click()
    page.locator("[data-fired='0']").wait_for()

    assert told == f"session.arm({line}, times=1)"
    with mock.session() as session:
        exec(told, {"session": session})  # noqa: S102 - our own line, which is what is tested
        here, there = mock.call("GET", "/faults"), mock.call("GET", "/faults", key=session.api_key)
        assert here[0]["fault"] == there[0]["fault"]
    assert json.loads(line).split(";body=")[0] in page.locator(".armed .tag").inner_text()


def test_a_fault_with_a_word_for_a_number_is_refused(tab: Tab, mock: MockServer) -> None:
    """The mock says what is allowed; nothing is armed."""
    page = opened(tab, mock, "setup")
    page.locator("#fault-after_frames").fill("four")
    page.get_by_role("button", name="arm", exact=True).click()
    page.locator(".note", has_text="after_frames").wait_for()

    assert mock.call("GET", "/faults") == []


def test_the_lines_of_python_do_the_same(tab: Tab, mock: MockServer) -> None:
    """What the page shows for a session runs as it stands."""
    page = opened(tab, mock, "setup")
    page.locator("#answer-text").fill('say "你好"\nand go')
    panels = page.locator(".panel:has(pre.code)")
    lines = [panels.nth(at).locator("pre.code").inner_text() for at in range(3)]

    with mock.session() as session:
        for line in lines:
            exec(line, {"session": session})  # noqa: S102 - our own line, which is what is tested
        assert session.mock.call("GET", "/faults", key=session.api_key)[0]["fault"]["type"] == "cut"
        session.disarm()
        assert asked(session).json()["choices"][0]["message"]["content"] == 'say "你好"\nand go'


def test_a_quirk_is_tried(tab: Tab, mock: MockServer) -> None:
    """Ticking a quirk sends the request with it, and the bytes that change are marked."""
    page = opened(tab, mock, "chips/2024-tutorial/nvidia")
    page.locator("[data-quirk=no-done]").check()
    page.locator(".tried .gap").wait_for()

    assert page.get_by_text("X-Mock-Quirks: +no-done", exact=True).count() == 1
    page.locator("[data-quirk=object-last]").check()
    page.locator(".tried mark").first.wait_for()
    page.locator("[data-quirk=object-never]").check()
    assert not page.locator("[data-quirk=object-last]").is_checked()


def test_looking_at_the_chips_asks_nothing(tab: Tab, mock: MockServer) -> None:
    """A request is sent when it is asked for: a fault that is armed for one request waits for that of the client."""
    mock.call("POST", "/faults", {"fault": {"type": "cut", "after_frames": 4}, "times": 1})
    page = opened(tab, mock, "chips")
    send = page.locator("[data-act=try]")
    send.wait_for()
    assert mock.call("GET", "/exchanges") == []

    send.click()
    page.locator(".tried .timeline").wait_for()
    assert [one["faults"] for one in mock.call("GET", "/exchanges")] == [["cut"]]


def test_the_same_finding_of_many_calls_stands_once(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """With how often it was made, and the exchanges of all."""
    for number in range(30):
        asked(everybody, f"question {number}", headers={"X-Mock-Fault": "status;status=503"})
    page = opened(tab, mock, "verdict")
    page.get_by_text("30 ×").wait_for()

    assert page.locator(".findings li").count() == 1
    assert page.locator(".refs a").count() == 24
    assert page.get_by_text("and 6 more").count() == 1


def test_an_exchange_is_played_again_and_saved(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """On another chip, with a quirk and a fault, beside the first; and as the fixture file of the control API."""
    asked(everybody.chip("chip3"), stream=True)
    page = opened(tab, mock, "journal/default/1")
    page.get_by_role("button", name="play again").click()
    page.locator(".again select").select_option("nvidia")
    page.locator(".again input").first.fill("+no-done")
    page.locator(".again input").last.fill("cut;after_frames=4")
    page.get_by_role("button", name="send", exact=True).click()
    page.locator(".comparison").wait_for()
    again = get(mock, "/_mock/exchanges/2").json()
    page.goto(f"{mock.url}{UI}#/journal/default/1")
    with page.expect_download() as caught:
        page.get_by_role("button", name="save as fixture").click()

    assert (again["chip"], again["faults"], again["ending"]) == ("nvidia", ["cut"], "cut")
    assert again["request"]["headers"]["x-mock-quirks"] == "+no-done"
    assert caught.value.path().read_text("utf-8").startswith('{\n  "provenance"')


def test_long_answers_are_shown(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """Megabytes of text in a thousand frames: the page draws the beginning and says how much more there is."""
    everybody.mock.call("POST", "/answers", {"answer": {"pieces": ["界" * 400] * 1000}})
    asked(everybody, "界" * 100_000, stream=True, timeout_s=60)
    page = opened(tab, mock, "journal/default/1")
    page.get_by_role("button", name="show more").wait_for()

    assert page.locator(".frames tbody tr").count() == 200
    assert page.locator(".exchange").get_by_text("more characters").count() == 1


def test_ten_thousand_exchanges_scroll(tab: Tab, mock: MockServer) -> None:
    """Only the rows that are seen are drawn, at the top, at the end, and when one of ten thousand is filtered out."""
    row_ = {
        "namespace": "default", "at_ms": 0.0, "model": "m", "chip": "chip3", "status": 200, "source": "s", "faults": [],
        "frames_planned": 3, "frames_sent": 3, "duration_ms": 1.0, "ending": "complete", "client_left": False,
        "method": "POST", "path": "/p", "said": "hi", "stream": True, "ticks": [], "quirks": "",
    }  # fmt: skip
    rows = [
        {**row_, "number": number, "at_ms": float(number), "said": f"question {number}"} for number in range(1, 10_001)
    ]
    news = {
        "fresh": True,
        "elapsed_ms": {"default": 10_001.0},
        "namespaces": ["default"],
        "rows": rows,
        "cleared": [],
        "more": False,
    }
    quiet = {**news, "fresh": False, "rows": []}
    answers = iter([news])
    held: list[Any] = []

    def answer(route: Any) -> None:
        first = next(answers, None)
        if first is None:
            held.append(route)  # nothing more happens: the page is left waiting
        else:
            route.fulfill(json=first)

    tab.page.route("**/ui/live*", answer)
    page = opened(tab, mock)
    row(tab, "default/10000").wait_for()
    assert page.locator(".rows .grid-row").count() < 100
    page.locator(".scroller").evaluate("one => { one.scrollTop = one.scrollHeight; }")
    row(tab, "default/1").wait_for()
    assert page.locator(".rows .grid-row").count() < 100
    page.locator("#filter").fill("question 4321")
    row(tab, "default/4321").wait_for()
    assert page.locator(".rows .grid-row").count() == 1
    for route in held:
        with contextlib.suppress(Exception):
            route.fulfill(json=quiet)
