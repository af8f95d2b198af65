"""How a target refuses is learnt into an edition file, and the mock under it refuses so to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract import drift, learn, learn_compare, learn_edition
from mockserver.contract.clauses.clause import Context, Outcome, Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import judge
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.profile.edition import load_edition
from tests.conftest import load
from tests.contract_live import Quiet, serving, serving_with
from tests.learning import MODEL, TUTORIAL, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mockserver.contract.cases import Case

CHIP = TUTORIAL.chips["nvidia"]
ASKED = learn_edition.refusals(TUTORIAL, MODEL, 40, names_chip=False)
OURS = learn.asked_of_mock(TUTORIAL, CHIP, MODEL, ASKED)
GOOD = learn.asked_of_mock(TUTORIAL, CHIP, MODEL, learn_edition.fresh(MODEL, 32)[:6])


def refused(case: Case, status: int, document: Any, kind: str = "application/json") -> Exchange:
    """What another server says to a case."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = ((b"content-type", kind.encode()), (b"x-powered-by", b"Other"), (b"set-cookie", b"a=b"))
    return replace(OURS[case.name], plan=Plan(status, headers, (data,)))


def let_in(case: Case) -> Exchange:
    """An answer to it."""
    return replace(OURS[case.name], plan=next(iter(GOOD.values())).plan)


def written(came: dict[str, Exchange], folder: Path) -> Any:
    """The edition as it is read from what was learnt."""
    asked = [(case, came[case.name]) for case in ASKED if case.name in came]
    after = learn_edition.learned(TUTORIAL, asked, list(GOOD.values()), OURS | GOOD, "2026-11-28")
    path = folder / "2024-tutorial" / "edition.toml"
    path.parent.mkdir()
    text = (shipped("profiles") / "2024-tutorial" / "edition.toml").read_text("utf-8")
    path.write_text(learn_edition.edited(text, TUTORIAL.file, after), "utf-8")
    return load_edition("2024-tutorial", [folder, shipped("profiles")])


def test_our_own_refusals_change_nothing() -> None:
    """What the mock itself says is the edition's already."""
    asked = [(case, OURS[case.name]) for case in ASKED]

    assert learn_edition.learned(TUTORIAL, asked, list(GOOD.values()), OURS | GOOD, "2026-11-28") == TUTORIAL.file


def test_refusals_of_another_server_come_back_to_the_byte(tmp_path: Path) -> None:
    """Family, code, extra keys, type and status, also where one field has a status of its own."""

    def other(case: Case) -> Exchange:
        if case.name.startswith("temperature"):
            return refused(case, 422, {"detail": [{"loc": ["body", "temperature"]}]})
        if case.name == "GET":
            return refused(case, 405, b"<h1>no</h1>", "text/html")
        return refused(case, 400, {"error": {"message": "bad", "code": 400, "hint": None}, "request": 1})

    came = {case.name: other(case) for case in ASKED}
    edition = written(came, tmp_path)
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)

    def form(one: Exchange) -> tuple[int, str | None, bytes]:
        return (Reading(one).status, Reading(one).headers.get("content-type"), Reading(one).body)

    assert {name: form(one) for name, one in mock.items()} == {name: form(one) for name, one in came.items()}


def test_what_a_refusal_repeats_of_the_request_is_repeated_of_another(tmp_path: Path) -> None:
    """The value at fault, the object that lacks a key, and a name in the words, as FastAPI and gateways show them."""

    def other(case: Case) -> Exchange:
        body = case.body if isinstance(case.body, dict) else {}
        if case.name == "unknown model":
            return refused(case, 404, {"error": {"message": f"model {body['model']} is not here", "input": "model"}})
        if case.param and isinstance(case.body, dict):
            shown = json.dumps(body.get(case.param, body), ensure_ascii=False, separators=(",", ":"))
            return refused(case, 422, f'{{"detail":[{{"loc":["{case.param}"],"input":{shown}}}]}}'.encode())
        return refused(case, 422, {"detail": "no"})

    edition = written({case.name: other(case) for case in ASKED}, tmp_path)
    fresh = [
        replace(case, body={**case.body, **change})
        for name, change in (("no messages", {"stream": True, "seed": "é"}), ("unknown model", {"model": "ghost-1"}))
        for case in ASKED
        if case.name == name and isinstance(case.body, dict)
    ]
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, fresh)

    assert [Reading(one).body for one in mock.values()] == [Reading(other(case)).body for case in fresh]


def test_what_stands_in_a_refusal_by_chance_is_not_taken_for_the_request(tmp_path: Path) -> None:
    """A number that is once alike, and a word of few letters, stay as they came."""
    came = {case.name: refused(case, 400, b'{"code":3,"words":"true or 0.5"}') for case in ASKED}
    rows = written(came, tmp_path).file.errors

    assert {row.body for row in rows.values() if row.body} == {'{"code":3,"words":"true or 0.5"}'}


_LET_IN = {
    "not JSON at all": "wrong-content-type", "empty body": "empty-body", "not UTF-8": "not-utf-8",
    "an array": "wrong-body", "no messages": "missing-messages", "empty messages": "empty-messages",
    "messages is a text": "wrong-messages", "unknown role": "unknown-role", "no content": "missing-content",
    "content is a number": "wrong-content",
}  # fmt: skip


def test_what_is_let_in_is_let_in(tmp_path: Path) -> None:
    """A server that asks for no key and knows no ranges is played so; what it refuses stays refused."""
    open_cases = {"no key", "key without Bearer", "unknown model", *_LET_IN}
    names = {case.name for case in ASKED if case.name in open_cases or case.param == "temperature"}
    came = {case.name: let_in(case) if case.name in names else OURS[case.name] for case in ASKED}
    edition = written(came, tmp_path)

    assert {*edition.file.request.lets_in} == {"missing-key", "malformed-key", "unknown-model", *_LET_IN.values()}
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)
    still = {name for name, one in mock.items() if Reading(one).answered}
    assert still == names
    temperature = edition.file.request.fields["temperature"]
    assert (temperature.minimum, temperature.maximum, temperature.from_text) == (None, None, True)


@pytest.mark.parametrize("streams", [True, False], ids=["a text is read", "a text is nothing"])
def test_a_text_that_reads_as_a_value_is_taken_for_it(tmp_path: Path, streams: bool) -> None:
    """Where "true" and "1" are let in the rule says so; whether "true" streams is what came of it."""
    came = dict(OURS)
    for case in ASKED:
        if case.name == 'max_tokens: "1"':
            came[case.name] = let_in(case)
        if case.name == 'stream: "true"':
            answer = GOOD["fresh 1, streamed" if streams else "fresh 1"]
            came[case.name] = replace(OURS[case.name], plan=answer.plan)
    rules = written(came, tmp_path).file.request.fields

    assert (rules["max_tokens"].type, rules["max_tokens"].from_text) == ("integer", True)
    assert (rules["stream"].type, rules["stream"].from_text) == (("boolean", True) if streams else ("any", False))


def test_each_broken_rule_has_the_refusal_that_came(tmp_path: Path) -> None:
    """Of one field an empty list may be refused otherwise than a text, and a body that is empty than one cut short."""

    def other(case: Case) -> Exchange:
        return refused(case, 400 if case.rule in {"empty-messages", "empty-body"} else 422, {"was": case.rule})

    came = {case.name: other(case) for case in ASKED}
    edition = written(came, tmp_path)
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)

    for name in ("empty messages", "no messages", "messages is a text", "empty body", "half a body", "not UTF-8"):
        assert Reading(mock[name]).status == Reading(came[name]).status
        assert Reading(mock[name]).body == Reading(came[name]).body, name


def test_headers_that_every_response_has_are_played_and_no_cookie() -> None:
    """A constant header is one of the edition's; of what may be a secret the form is, and a cookie is not."""
    headers = ((b"x-powered-by", b"Other"), (b"set-cookie", b"session=secret"), (b"x-api-key", b"sk-geheim"))

    def with_headers(one: Exchange) -> Exchange:
        assert one.plan is not None
        return replace(one, plan=replace(one.plan, headers=(*one.plan.headers, *headers)))

    asked = [(case, with_headers(OURS[case.name])) for case in ASKED]
    answers = [with_headers(one) for one in GOOD.values()]
    after = learn_edition.learned(TUTORIAL, asked, answers, OURS | GOOD, "2026-11-28")
    edition = replace(TUTORIAL, file=after)
    mock = learn.asked_of_mock(edition, CHIP, MODEL, ASKED)

    assert after.responses.headers == {"x-powered-by": "Other", "x-api-key": "sk-{lower:6}"}
    assert {Reading(one).headers["x-powered-by"] for one in mock.values()} == {"Other"}


def test_headers_are_played_where_they_stood() -> None:
    """One of answers alone, with an id in it, stands on no refusal; and what the server does not send is taken away."""

    def with_id(number: int, one: Exchange) -> Exchange:
        assert one.plan is not None
        kept = tuple(pair for pair in one.plan.headers if pair[0] != b"cache-control")
        return replace(one, plan=replace(one.plan, headers=(*kept, (b"x-talk", b"talk-%04x" % (number * 4099)))))

    asked = [(case, OURS[case.name]) for case in ASKED]
    answers = [with_id(number, one) for number, one in enumerate(GOOD.values())]
    after = learn_edition.learned(TUTORIAL, asked, answers, OURS | GOOD, "2026-11-28")
    edition = replace(TUTORIAL, file=after)
    fresh = learn.asked_of_mock(edition, CHIP, MODEL, learn_edition.fresh(MODEL, 32))

    form = "talk-{hex:4}"
    assert after.responses.headers == {"x-talk": {"stream": form, "body": form}, "cache-control": {"stream": False}}
    for one in map(Reading, fresh.values()):
        assert ("x-talk" in one.headers) is one.answered
        assert "cache-control" not in one.headers


def test_a_header_of_one_refusal_is_kept_unless_its_name_tells_of_a_secret(tmp_path: Path) -> None:
    """A maker may be called portkey; what is called api-key is in no file."""

    def other(case: Case) -> Exchange:
        came = refused(case, 422, {"was": case.rule})
        assert came.plan is not None
        own = ((b"x-portkey-provider", b"openai"), (b"x-api-key", b"sk-geheim"), (b"x-usertoken", b"geheim"))
        headers = (*came.plan.headers, *own) if case.name == "empty messages" else came.plan.headers
        return replace(came, plan=replace(came.plan, headers=headers))

    came = {case.name: other(case) for case in ASKED}
    edition = written(came, tmp_path)
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)

    assert Reading(mock["empty messages"]).headers["x-portkey-provider"] == "openai"
    assert "x-portkey-provider" not in Reading(mock["no messages"]).headers
    assert "geheim" not in (tmp_path / "2024-tutorial" / "edition.toml").read_text("utf-8")


def test_a_refusal_may_lack_what_others_have(tmp_path: Path) -> None:
    """One whose headers are of somebody before the chip is played without the chip's, and with its own."""

    def other(case: Case) -> Exchange:
        came = refused(case, 422, {"was": case.rule})
        assert came.plan is not None
        if case.name == "empty messages":
            return replace(came, plan=replace(came.plan, headers=((b"content-type", b"a/b"), (b"x-gate", b"1"))))
        return came

    came = {case.name: other(case) for case in ASKED}
    edition = written(came, tmp_path)
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)

    kept = {name: {*Reading(one).headers} - {"content-length", "x-mock-detail"} for name, one in mock.items()}
    assert kept["empty messages"] == {"content-type", "x-gate"}
    assert {"x-powered-by"} <= kept["no messages"]
    assert "x-gate" not in kept["no messages"]


def edition_with(**update: Any) -> Any:
    """The tutorial's file with other request rules."""
    return replace(TUTORIAL.file, request=replace(TUTORIAL.file.request, **update))


def test_a_second_chip_joins_what_was_learnt_of_the_first() -> None:
    """What only one of them has stands in the edition, and what it says anew of the first is named."""
    first, second = edition_with(lets_in=("unknown-role",)), edition_with(lets_in=("unknown-role", "missing-key"))

    both, anew = learn_edition.joined(TUTORIAL.file, first, second)
    assert (both, anew) == (second, ["lets_in.missing-key"])
    assert learn_edition.joined(TUTORIAL.file, second, first) == (second, [])
    assert learn_edition.joined(TUTORIAL.file, TUTORIAL.file, TUTORIAL.file) == (TUTORIAL.file, [])


def test_two_chips_are_learnt_by_the_command_into_one_edition(tmp_path: Path) -> None:
    """Run twice into one folder it leaves both profiles and one edition, under which neither chip has a drift."""
    theirs = load("2025-reference")
    model = next(iter(theirs.models))
    there = ["--model", model, "--edition", "2024-tutorial", "--requests", "90"]
    with serving(theirs) as url:
        there += ["--base-url", url]
        learnt = [run(learn_command, *there, "--chip", one, "--output", str(tmp_path)) for one in ("chip3", "nvidia")]
        drifted = run(drift_command, *there, "--chip", "chip3,nvidia", "--profiles", str(tmp_path))

    assert [code for code, _, _ in learnt] == [0, 0], learnt
    assert all("90 of 90 exchanges have the same form" in out for _, out, _ in learnt), learnt
    assert sorted(one.name for one in tmp_path.rglob("*.toml")) == ["chip3.toml", "edition.toml", "nvidia.toml"]
    assert drifted[0] == 0, drifted
    assert drifted[1].count("no drift") == 2


def test_two_chips_that_contradict_each_other_are_one_line(tmp_path: Path) -> None:
    """An edition has one row for all its chips; nothing is overwritten."""

    def learnt(status: int) -> Any:
        folder = tmp_path / str(status)
        folder.mkdir()
        return written({case.name: refused(case, status, {"no": status}) for case in ASKED}, folder).file

    with pytest.raises(OperatorError) as caught:
        learn_edition.joined(TUTORIAL.file, learnt(422), learnt(418))

    assert str(caught.value) == (
        "edition.toml: errors.missing-key: this chip says '{\"no\": 418}', those learnt before '{\"no\": 422}'; an "
        "edition has one for all its chips: learn this one into another --output"
    )


@pytest.mark.parametrize("name", ["max_tokens", "stop"])
def test_a_limit_that_has_no_effect_is_none(name: Literal["max_tokens", "stop"]) -> None:
    """A server that passes max_tokens, or writes the stop string, is played so."""
    request = replace(TUTORIAL.file.request, not_kept=(name,))
    edition = replace(TUTORIAL, file=replace(TUTORIAL.file, request=request))
    body = {"max_tokens": 2} if name == "max_tokens" else {"stop": ["人"]}
    case = replace(learn_edition.fresh(MODEL, 32)[0], body={
        "messages": [{"role": "user", "content": "hi"}], **body})  # fmt: skip

    kept = Reading(learn.asked_of_mock(TUTORIAL, CHIP, MODEL, [case])[case.name])
    passed = learn.asked_of_mock(edition, CHIP, MODEL, [case])[case.name]

    assert len(kept.text) < len(Reading(passed).text)
    after = learn_edition.learned(TUTORIAL, [], [passed], {}, "2026-11-28")
    assert name in after.request.not_kept


def test_a_further_header_is_sent_and_kept_nowhere() -> None:
    """What a gateway wants reaches it; where it echoes the value, the exchange has a placeholder."""
    sent = "portkey-own-value"

    class Echoing(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class calls it
            self.request_body()
            data = json.dumps({"got": self.headers["x-gateway"]}).encode()
            self.send_response(400)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving_with(Echoing) as url:
        address = Address(url, headers=(("x-gateway", sent),))
        exchange = HttpTransport(address, "sk-test", lambda: 0.0)(Request("POST", "/", {}, b"{}"))

    assert Reading(exchange).body == b'{"got": "$HEADER"}'
    assert sent not in repr((exchange, address))


@pytest.mark.parametrize("text", ["no-colon", "na me: value", "Authorization: Bearer x", "x-a: caf\u00e9"])
def test_a_wrong_header_is_one_line_without_its_value(text: str) -> None:
    """What is no header, or is the command's own, is told by its name at most."""
    code, _, err = run(learn_command, "--base-url", "http://127.0.0.1:9", "--model", MODEL, "--chip", "x",
                       "--header", text)  # fmt: skip

    assert code == 2
    assert err.startswith("genstudio-mock: --header: ")
    assert "Bearer" not in err
    assert "caf" not in err


def test_drift_tells_another_form_of_a_refusal() -> None:
    """One status, but another code, other keys or no trace header: each is a row."""
    case = next(case for case in ASKED if case.name == "no key")
    ours = OURS[case.name]
    live = refused(case, 401, {"code": 7, "msg": "no"}, "application/json; charset=utf-8")

    rows = drift.compare(Context(TUTORIAL, CHIP, MODEL), [("no key", ours, live)])

    told = {row.field: row.severity for row in rows}
    assert told["body of a 401"] is Severity.MUST
    assert told["header traceresponse of a 401"] is Severity.SHOULD
    assert drift.compare(Context(TUTORIAL, CHIP, MODEL), [("no key", ours, ours)]) == []


REFUSING_WITH_200: dict[str, Callable[[Case], tuple[str, bytes]]] = {
    "a body": lambda _case: ("application/json", b'{"code":40001,"msg":"bad request"}'),
    "an event": lambda _case: ("text/event-stream", b'data: {"error":{"message":"bad"}}\n\ndata: [DONE]\n\n'),
    "a page": lambda _case: ("text/html", b"<h1>sorry</h1>"),
    "an empty list": lambda case: ("application/json", b'{"choices":[],"error":"%b"}' % case.rule.encode()),
}


@pytest.mark.parametrize("name", REFUSING_WITH_200)
def test_a_refusal_under_status_200_is_one(name: str, tmp_path: Path) -> None:
    """What has no choices is no answer: it is learnt as a refusal, played to the byte, and counts as such in drift."""

    def other(case: Case) -> Exchange:
        kind, data = REFUSING_WITH_200[name](case)
        return replace(OURS[case.name], plan=Plan(200, ((b"content-type", kind.encode()),), (data,)))

    came = {case.name: other(case) for case in ASKED}
    edition = written(came, tmp_path)
    mock = learn.asked_of_mock(edition, edition.chips["nvidia"], MODEL, ASKED)
    asked = [(case, came[case.name]) for case in ASKED]
    same, differs = learn_compare.form_of(edition, edition.chips["nvidia"], MODEL, asked)
    context = Context(edition, edition.chips["nvidia"], MODEL)
    case = ASKED[0]
    let = drift.compare(context, [(case.name, mock[case.name], let_in(case))])

    assert edition.file.request.lets_in == ()
    assert {(Reading(one).status, Reading(one).refused) for one in mock.values()} == {(200, True)}
    assert (same, dict(differs)) == (len(asked), {})
    assert drift.compare(context, [(name, mock[name], came[name]) for name in came]) == []
    assert (let[0].field, let[0].mock, let[0].live) == (f"status: {case.name}", "200, a refusal", "200")


def test_an_answer_where_a_refusal_under_200_is_due_breaks_the_contract(tmp_path: Path) -> None:
    """The status alone does not say that it was kept."""
    edition = written({case.name: refused(case, 200, {"code": 1, "msg": "no"}) for case in ASKED}, tmp_path)
    case = next(case for case in ASKED if case.name == "no messages")
    context = Context(edition, edition.chips["nvidia"], MODEL, refusal=case.refusal)
    said = {check.id: verdict for check, verdict in judge(let_in(case), context).items()}

    assert said["status"].outcome is Outcome.BROKEN
    assert said["status"].evidence == (f"an answer came; due a refusal with status 200 (the edition's {case.refusal})")
