"""The inspector's reach: whom it is kept from, what harms nobody, and that all can use it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import pytest

from mockserver.server.inspector import POLICY, UI
from mockserver.testing.mock_server import MockServer
from tests.browser import Tab, opened, row
from tests.session_helpers import PLAIN, asked, get
from tests.third_party import node_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.session import Session

pytest_plugins = "tests.inspector_fixtures"

AXE: Final = "axe-core@4.14.1"
NASTY: Final = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202egnihton\u0007\u200b\'"&<b>'


@pytest.fixture
def mock() -> Iterator[MockServer]:
    """A mock whose journal is empty; answers leave at once."""
    with MockServer() as made:
        yield made


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
