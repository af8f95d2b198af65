"""A configuration made into a mock: settings that change what is answered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.core.exchange import Request
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.pace import PaceSettings
from mockserver.profile.edition_file import Moderation
from mockserver.settings.assemble import build, edition_of, sources
from mockserver.settings.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.core.exchange import Plan


def respond(config: Config, said: str, key: str = "k") -> tuple[int, dict[str, object]]:
    """Status and JSON body of an answer that is not streamed."""
    mock = build(config)
    body = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
    headers = {b"authorization": f"Bearer {key}".encode(), b"content-type": b"application/json"}
    incoming = IncomingRequest(next(iter(mock.edition.models)), "chip1", Request("POST", "/", headers, body), 0)
    plan = mock.service.respond(incoming).plan
    return plan.status, json.loads(b"".join(plan.frames))


def test_strict_refuses_what_no_fixture_has() -> None:
    """With `strict` a fixture is still answered, anything else is a 404 that says why."""
    assert respond(Config(strict=True), "你是谁?")[0] == 200
    assert respond(Config(), "something new")[0] == 200
    status, body = respond(Config(strict=True), "something new")

    assert status == 404
    assert "got 'something new'" in str(body["msg"])


def test_keys() -> None:
    """Without keys every key is good; with some only these."""
    assert respond(Config(), "hi", "anything")[0] == 200
    assert respond(Config(api_key=("a", "b")), "hi", "b")[0] == 200
    assert respond(Config(api_key=("a", "b")), "hi", "c")[0] == 401


def test_moderation_is_added_to_the_editions() -> None:
    """The operator's words block, and so do the edition's still."""
    config = Config(moderation=Moderation(input_words=("forbidden",), input_patterns=("[0-9]{4}",)))
    blocked = {said: respond(config, said)[1].get("blocked") for said in ("forbidden", "1234", "触发输入审核", "hi")}

    assert blocked == {"forbidden": True, "1234": True, "触发输入审核": True, "hi": None}


def test_the_seed_changes_what_is_synthesised() -> None:
    """The same seed says the same; another may say something else."""
    said = [str(respond(Config(seed=seed), "tell me something")[1]["choices"]) for seed in (1, 1, 2)]

    assert said[0] == said[1] != said[2]


def test_a_profiles_pace_is_each_chips_own() -> None:
    """`pace = "profile"` gives each chip its latency, figures give all the same, `off` none."""
    own = build(Config(pace="profile")).service.paces
    same = build(Config(pace=PaceSettings(5))).service.paces

    assert own["chip1"] != own["chip3"]
    assert set(own) == set(same)
    assert set(same.values()) == {PaceSettings(5)}
    assert build(Config()).service.paces == {}


def test_the_same_request_is_decided_once_until_something_changes(tmp_path: Path) -> None:
    """From the second time on an equal request gets the same plan, until a fixture changes; a sequence goes on."""
    now = [1000.0]
    folder = tmp_path / "any" / "any"
    folder.mkdir(parents=True)
    (folder / "steps.json").write_text(
        '{"match": {"user": "step"}, "answers": [{"text": "one"}, {"text": "two"}]}', "utf-8"
    )
    config = Config(fixtures=(tmp_path,))
    edition = edition_of(config)
    origin = sources(config, edition, lambda: now[0])
    origin.begin()
    service = replace(build(config).service, answer=origin.answer, generation=origin.generation)

    def plan(said: str) -> Plan:
        body = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
        headers = {b"authorization": b"Bearer k", b"content-type": b"application/json"}
        return service.respond(IncomingRequest("mt-infini-3b", "nvidia", Request("POST", "/", headers, body), 0)).plan

    first, second = plan("hello"), plan("hello")

    assert first == second
    assert plan("hello") is second
    assert b"one" in plan("step").frames[0]
    assert b"two" in plan("step").frames[0]
    before = plan("hello")
    (folder / "hello.json").write_text('{"match": {"user": "hello"}, "answer": {"text": "written"}}', "utf-8")
    now[0] += 10
    for _ in range(3):
        assert b"written" in plan("hello").frames[0]
    assert b"written" not in before.frames[0]
