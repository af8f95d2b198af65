"""The inspector in a real browser: what a developer sees, does and is kept from."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import pytest

from mockserver.server.inspector import POLICY, UI
from mockserver.testing.mock_server import MockServer
from tests.browser import Tab, launched
from tests.session_helpers import PLAIN, asked, close_clients, streamed
from tests.third_party import node_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.session import Session

AXE: Final = "axe-core@4.14.1"
VIEWS: Final = ("journal", "compare", "chips", "setup", "verdict")
NASTY: Final = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202egnihton\u0007\u200b\'"&<b>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all."""
    with launched() as made:
        yield made


@pytest.fixture
def tab(browser: Any) -> Iterator[Tab]:
    """A page of a developer at a desk; its scripts must not fail."""
    with Tab(browser) as made:
        yield made
        assert made.errors == []


@pytest.fixture
def mock() -> Iterator[MockServer]:
    """A mock whose journal is empty; answers leave at once."""
    with MockServer() as made:
        yield made
    close_clients()


@pytest.fixture
def everybody(mock: MockServer) -> Session:
    """The namespace of all who have claimed none."""
    from mockserver.testing.session import Session

    return Session(mock, "unclaimed-key")


def row(tab: Tab, key: str) -> Any:
    """A row of the journal, like `default/1`."""
    return tab.page.locator(f".rows [data-key='{key}']")


def opened(tab: Tab, mock: MockServer, path: str = "") -> Any:
    """The page, at a view."""
    tab.page.goto(f"{mock.url}{UI}#/{path}")
    tab.page.locator("#top .brand .tag", has_text="2024-tutorial").wait_for(state="attached")
    return tab.page


def get(mock: MockServer, path: str, **headers: str) -> httpx.Response:
    """A plain request."""
    return httpx.get(mock.url + path, headers=headers, **PLAIN)


# --- without a browser --------------------------------------------------------------------------------------------


def test_a_browser_is_led_to_the_page_and_clients_keep_their_404(mock: MockServer) -> None:
    """`Accept` tells them apart; the 404 is the one that was there before."""
    led = get(mock, "/", accept="text/html,application/xhtml+xml")
    client = get(mock, "/", accept="*/*")
    short = get(mock, "/_mock/ui")

    assert (led.status_code, led.headers["location"]) == (307, UI)
    assert (short.status_code, short.headers["location"]) == (307, UI)
    assert (client.status_code, client.json()["code"]) == (404, 40400)


@pytest.mark.parametrize("name", ["", "main.js", "style.css", "icon.svg"])
def test_each_file_is_kept_from_other_pages_and_from_script_in_it(mock: MockServer, name: str) -> None:
    """No inline script, no frame, no other host, no guessing of types."""
    answer = get(mock, UI + name)

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        pytest.param("", {"host": "evil.example"}, 403, "Host: 'evil.example' is not this server", id="host"),
        pytest.param("live", {"host": "evil.example"}, 403, "Host: 'evil.example' is not this server", id="live-host"),
        pytest.param("live", {"origin": "http://evil.example"}, 403, "is another site", id="live-origin"),
        pytest.param("live", {"sec-fetch-site": "cross-site"}, 403, "Sec-Fetch-Site: 'cross-site'", id="live-site"),
        pytest.param("../ui/x.js", {}, 404, "'/_mock/ui/x.js' is no file of the inspector", id="no-file"),
    ],
)  # fmt: skip
def test_what_is_not_let_in(mock: MockServer, path: str, headers: dict[str, str], status: int, says: str) -> None:
    """The rules are those of the control API."""
    answer = get(mock, UI + path, **headers)

    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_only_reading_is_allowed(mock: MockServer) -> None:
    """Another method gets 405 with `Allow`; what the page sends for another site is not sent."""
    put = httpx.put(mock.url + UI, **PLAIN)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    path = mock.url + UI + "send/maas/mt-infini-3b/chip3/chat/completions"
    foreign = httpx.post(path, json=body, headers={"origin": "http://evil.example"}, **PLAIN)
    plain = httpx.post(path, content=json.dumps(body), headers={"content-type": "text/plain"}, **PLAIN)
    unknown = httpx.post(path, json=body, headers={"x-mock-namespace": "key-9"}, **PLAIN)
    around = httpx.post(mock.url + UI + "send/_mock/reset", json={}, **PLAIN)

    assert (put.status_code, put.headers["allow"]) == (405, "GET, HEAD")
    assert [foreign.status_code, plain.status_code, unknown.status_code, around.status_code] == [403, 415, 404, 404]
    assert unknown.json()["error"] == "X-Mock-Namespace: 'key-9' is not there; there are: default"
    assert get(mock, "/_mock/exchanges").json() == []


@pytest.mark.parametrize("settings", [{"ui": False}, {"control": False}], ids=["no-ui", "no-control"])
def test_it_can_be_left_out(settings: dict[str, bool]) -> None:
    """Without it a browser gets the 404 that clients get, and its files are not there."""
    with MockServer(**settings) as mock:  # type: ignore[arg-type]
        root, page = get(mock, "/", accept="text/html"), get(mock, UI)

    assert (root.status_code, page.status_code) == (404, 404)


def test_a_namespace_is_looked_at_by_its_name(mock: MockServer) -> None:
    """Who looks on knows the name and not the key; what the page sends there is that namespace's."""
    with mock.session() as session:
        asked(session)
        name = get(mock, "/_mock/namespaces").json()[-1]["name"]
        rows = get(mock, "/_mock/exchanges", **{"x-mock-namespace": name}).json()
        path = mock.url + UI + "send/maas/mt-infini-3b/chip3/chat/completions"
        body = {"messages": [{"role": "user", "content": "again"}]}
        sent = httpx.post(path, json=body, headers={"x-mock-namespace": name}, **PLAIN)

        assert [one["namespace"] for one in rows] == [name]
        assert sent.status_code == 200
        assert [one.number for one in session.exchanges()] == [1, 2]
        assert session.api_key not in get(mock, UI + "live?page=1").text


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


# --- in a browser -------------------------------------------------------------------------------------------------


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


def test_markup_is_shown_and_harms_nothing(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """In the path, the headers, the question, the answer, a tool's name, the error and a fault's message."""
    call = {"name": NASTY.replace("\u0007", ""), "arguments": {"a": NASTY}}
    everybody.mock.call(
        "POST", "/answers", {"answer": {"text": NASTY, "reasoning": NASTY, "tool_calls": [call]}, "times": 2}
    )
    headers = {"User-Agent": NASTY.encode("ascii", "ignore").replace(b"\x07", b""), "X-Mock-Quirks": "+crlf"}
    asked(everybody, NASTY, stream=True, headers=headers)
    asked(everybody, NASTY, headers=headers)
    fault = {"type": "status", "status": 500, "message": NASTY}
    everybody.mock.call("POST", "/faults", {"fault": fault, "times": 1})
    asked(everybody, NASTY)
    httpx.post(f"{mock.url}/maas/{quote(NASTY, safe='')}/x/chat/completions", content=b"\xff\xfe{<b>", **PLAIN)
    page = opened(tab, mock)
    for number in (1, 2, 3, 4):
        row(tab, f"default/{number}").click()
        page.locator(f".exchange[aria-label='Exchange {number}']").wait_for()
    page.goto(f"{mock.url}{UI}#/compare/default/1/default/2")
    page.locator(".comparison").wait_for()
    page.goto(f"{mock.url}{UI}#/setup")
    page.locator(".page").wait_for()

    assert page.evaluate("window.hit") is None
    assert page.locator("main img, main script").count() == 0
    assert tab.errors == []


def test_long_answers_are_shown(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """Megabytes of text in a thousand frames: the page draws the beginning and says how much more there is."""
    everybody.mock.call("POST", "/answers", {"answer": {"pieces": ["界" * 400] * 1000}})
    asked(everybody, "界" * 100_000, stream=True, timeout_s=60)
    page = opened(tab, mock, "journal/default/1")
    page.get_by_role("button", name="show more").wait_for()

    assert page.locator(".frames tbody tr").count() == 200
    assert page.locator(".exchange").get_by_text("more characters").count() == 1


def test_off_loopback_the_page_asks_for_the_token(browser: Any) -> None:
    """Wrong, it asks again; right, the tab keeps it."""
    with MockServer(control_token="open-sesame") as mock, Tab(browser) as tab:  # noqa: S106 - of this test
        assert get(mock, UI).status_code == 200
        assert get(mock, UI + "live").status_code == 401
        tab.page.goto(mock.url + UI)
        for token in ("wrong", "open-sesame"):
            tab.page.locator("dialog.token #token").fill(token)
            tab.page.locator("dialog.token button").click()
        tab.page.get_by_text("Nothing was asked yet").wait_for()
        tab.page.reload()
        tab.page.get_by_text("Nothing was asked yet").wait_for()

        assert tab.page.locator("dialog").count() == 0
        assert tab.page.evaluate("localStorage.getItem('genstudio-mock-token')") is None


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


def test_it_speaks_chinese(browser: Any, mock: MockServer) -> None:
    """By the browser's language, and by the switch, which is remembered."""
    with Tab(browser, locale="zh-CN") as tab:
        page = opened(tab, mock)
        page.get_by_role("link", name="日志").wait_for()
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        page.get_by_text("还没有请求").wait_for()
        page.locator("[data-act=language]").click()
        page.get_by_role("link", name="Journal").wait_for()
        page.reload()
        page.get_by_role("link", name="Journal").wait_for()


def test_the_keyboard_is_enough(tab: Tab, mock: MockServer, everybody: Session) -> None:
    """The keys j and k walk, c compares, / filters, ? helps, a number is a view, arrows walk along the time line."""
    asked(everybody, stream=True)
    asked(everybody.chip("chip3"), stream=True)
    page = opened(tab, mock)
    row(tab, "default/2").wait_for()
    press = page.keyboard.press
    press("j")
    page.locator(".exchange[aria-label='Exchange 2']").wait_for()
    page.locator(".timeline").focus()
    press("ArrowRight")
    press("ArrowRight")
    assert "frame 2" in page.locator(".frame-title").inner_text()
    press("c")
    press("j")
    page.locator(".exchange[aria-label='Exchange 1']").wait_for()
    press("c")
    page.locator(".comparison").wait_for()
    press("1")
    row(tab, "default/2").wait_for()
    press("/")
    page.keyboard.type("chip3")
    row(tab, "default/1").wait_for(state="detached")
    press("Escape")
    press("?")
    page.locator("dialog.help").wait_for()
    press("Escape")
    page.locator("dialog.help").wait_for(state="detached")


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core; skips where it cannot be installed."""
    folder = node_programs("axe", AXE) / "node_modules" / "axe-core"
    return (folder / "axe.min.js").read_text("utf-8")


def violations(page: Any, axe: str, rules: str = "") -> list[str]:
    """What axe-core finds on the page that is serious or worse."""
    page.evaluate(axe)
    results = page.evaluate("axe.run(document, { resultTypes: ['violations'], " + rules + "})")
    weighty = [one for one in results["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{page.url}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in weighty]


def test_nothing_serious_keeps_anybody_out(browser: Any, mock: MockServer, everybody: Session, axe: str) -> None:
    """axe-core finds nothing serious in any view, nor in the contrasts of a dark one."""
    asked(everybody.chip("chip3"), headers={"X-Mock-Quirks": "+crlf"})
    everybody.mock.call("POST", "/faults", {"fault": {"type": "timeout"}, "match": {"chip": "amd"}})
    waited = {
        "journal/default/1": ".claims", "compare/default/1/default/1": ".side-row", "chips": "[data-act=try]",
        "setup": "[data-fired]", "verdict": ".verdict",
    }  # fmt: skip
    found = []
    with Tab(browser, reduced_motion="reduce") as tab:
        for path, there in waited.items():
            page = opened(tab, mock, path)
            page.locator(there).first.wait_for()
            if path == "chips":
                page.locator(there).click()
                page.locator(".tried pre").first.wait_for()
            found += violations(page, axe)
            if path.startswith(("journal", "chips")):
                page.emulate_media(color_scheme="dark")
                found += violations(page, axe, "runOnly: ['color-contrast']")
                page.emulate_media(color_scheme="light")

    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_chosen_on_the_page_counts_before_the_system_s(browser: Any, mock: MockServer, scheme: str) -> None:
    """As the system until one is chosen, then that one; after the third press as the system again."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(247, 248, 250)", "rgb(18, 21, 26)"
    with Tab(browser, color_scheme=scheme) as tab:
        page = opened(tab, mock)
        seen = [page.evaluate(ground)]
        for _ in range(3):
            page.get_by_label("Theme").click()
            seen.append(page.evaluate(ground))

    own = {"light": light, "dark": dark}[scheme]
    assert seen == [own, light, dark, own]


def test_a_telephone_is_wide_enough(browser: Any, mock: MockServer, everybody: Session) -> None:
    """At 380 pixels no view is wider than the screen."""
    asked(everybody, stream=True)
    asked(everybody.chip("chip3"), stream=True)
    paths = ["journal", "journal/default/1", "compare/default/1/default/2", "chips", "setup", "verdict"]
    with Tab(browser, viewport={"width": 380, "height": 800}) as tab:
        wide = {}
        for path in paths:
            page = opened(tab, mock, path)
            page.locator("main > *").first.wait_for()
            if path == "journal/default/1":
                page.locator(".timeline").wait_for()
            wide[path] = page.evaluate(
                "Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)"
            )

    assert {path: width for path, width in wide.items() if width > 380} == {}


def test_a_page_that_is_open_does_not_hold_a_server_that_stops(browser: Any) -> None:
    """The mock ends while the page waits for news, and the page says that nobody answers."""
    with Tab(browser) as tab:
        with MockServer() as mock:
            opened(tab, mock)
            tab.page.get_by_text("Nothing was asked yet").wait_for()
        tab.page.get_by_text("The mock does not answer").wait_for()
    assert not any("inspector" in thread.name for thread in threading.enumerate())
