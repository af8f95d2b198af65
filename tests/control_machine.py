"""A simple model of the control API, and a machine of Hypothesis that holds a mock against it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockserver.server.guard import PREFIX
from mockserver.testing.mock_server import asgi_app

KEYS: Final = ("key-a", "key-b", "")
CHIPS: Final = ("nvidia", "chip3")
KEY_STRATEGY = st.sampled_from(KEYS)
CHIP_STRATEGY = st.sampled_from([None, *CHIPS])
TIMES = st.sampled_from([None, 1, 2])


@dataclass
class Armed:
    """A fault in the model: it answers with a status of its own."""

    number: int
    status: int
    chip: str | None
    times: int | None
    every: int
    probability: int
    seen: int = 0
    fired: int = 0

    def fires(self, chip: str) -> bool:
        """Whether it fires at a request to a chip."""
        if self.chip not in {None, chip} or (self.times is not None and self.fired >= self.times):
            return False
        self.seen += 1
        fires = self.seen % self.every == 0 and self.probability == 1
        self.fired += fires
        return fires


@dataclass
class Scripted:
    """A scripted answer in the model."""

    number: int
    texts: list[str]
    chip: str | None
    times: int | None
    used: int = 0

    def fits(self, chip: str) -> bool:
        """Whether it answers a request to a chip."""
        return self.chip in {None, chip} and (self.times is None or self.used < self.times)

    @property
    def met(self) -> bool:
        """Whether it was used as often as it was set up for."""
        return self.used >= (len(self.texts) if self.times is None else self.times)


@dataclass
class Space:
    """A namespace in the model."""

    faults: list[Armed] = field(default_factory=list)
    script: list[Scripted] = field(default_factory=list)
    statuses: list[tuple[int, int]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    unexpected: int = 0
    advanced_ms: float = 0

    def next(self, what: str) -> int:
        """The next number of a kind."""
        self.numbers[what] = self.numbers.get(what, 0) + 1
        return self.numbers[what]

    def ask(self, chip: str) -> tuple[int, str | None]:
        """Status and text of an answer; None for a text that nobody scripted."""
        number = self.next("exchange")
        fired = [one.status for one in self.faults if one.fires(chip)]
        answer = (fired[-1], None) if fired else (200, self.said(chip))
        self.statuses.append((number, answer[0]))
        return answer

    def said(self, chip: str) -> str | None:
        """What is scripted for a request."""
        for one in self.script:
            if one.fits(chip):
                one.used += 1
                return one.texts[(one.used - 1) % len(one.texts)]
        self.unexpected += bool(self.script)
        return None


class ControlMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, the control API tells what the model has, and chats get what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.spaces = {"": Space()}

    @initialize()
    def start(self) -> None:
        """A mock inside this process."""
        self.runner = asyncio.Runner()
        transport = httpx.ASGITransport(asgi_app())
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def teardown(self) -> None:
        """Nothing is left open."""
        self.runner.run(self.client.aclose())
        self.runner.close()

    def send(self, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
        """One request."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.runner.run(self.client.request(method, path, headers=headers, json=body))

    def call(self, method: str, path: str, key: str, body: Any = None) -> Any:
        """One operation that succeeds."""
        answer = self.send(method, PREFIX + path, key, body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def claimed(self, key: str) -> Space:
        """The namespace that an operation with this key acts on: it claims it."""
        return self.spaces.setdefault(key, Space())

    @rule(
        key=KEY_STRATEGY, status=st.sampled_from([429, 500, 503]), chip=CHIP_STRATEGY, times=TIMES,
        every=st.sampled_from([1, 2, 3]), probability=st.sampled_from([0, 1]),
    )  # fmt: skip
    def arm(self, key: str, status: int, chip: str | None, times: int | None, every: int, probability: int) -> None:
        """Arm a fault."""
        space = self.claimed(key)
        match = {"chip": chip} if chip else {}
        fault = {"type": "status", "status": status}
        body = {"fault": fault, "match": match, "times": times, "every": every, "probability": probability}
        made = Armed(space.next("fault"), status, chip, times, every, probability)
        space.faults.append(made)
        assert self.call("POST", "/faults", key, body)["number"] == made.number

    @rule(key=KEY_STRATEGY, chip=CHIP_STRATEGY, times=TIMES, count=st.integers(1, 3))
    def script(self, key: str, chip: str | None, times: int | None, count: int) -> None:
        """Script an answer, or several that cycle."""
        space = self.claimed(key)
        number = space.next("answer")
        texts = [f"答{number}.{call}" for call in range(count)]
        sequence = [{"text": text} for text in texts]
        said = {"answer": sequence[0]} if count == 1 else {"answers": sequence, "then": "cycle"}
        match = {"chip": chip} if chip else {}
        space.script.append(Scripted(number, texts, chip, times))
        assert self.call("POST", "/answers", key, {**said, "match": match, "times": times})["number"] == number

    @rule(key=st.sampled_from(["key-a", "key-b", "key-c"]), chip=st.sampled_from(CHIPS))
    def chat(self, key: str, chip: str) -> None:
        """A chat; a key that nobody claimed belongs to the default namespace."""
        status, text = self.spaces.get(key, self.spaces[""]).ask(chip)
        body = {"messages": [{"role": "user", "content": "你是谁?"}]}
        answer = self.send("POST", f"/maas/mt-infini-3b/{chip}/chat/completions", key, body)
        assert answer.status_code == status
        if text is not None:
            assert answer.json()["choices"][0]["message"]["content"] == text

    @rule(key=KEY_STRATEGY, journal=st.booleans(), setup=st.booleans(), counters=st.booleans())
    def reset(self, key: str, *, journal: bool, setup: bool, counters: bool) -> None:
        """Forget some."""
        space = self.claimed(key)
        self.call("POST", "/reset", key, {"journal": journal, "setup": setup, "counters": counters})
        if journal:
            space.statuses, space.unexpected = [], 0
        if setup:
            space.faults, space.script = [], []
        if counters:
            space.numbers, space.advanced_ms = {}, 0

    @rule(key=KEY_STRATEGY)
    def release(self, key: str) -> None:
        """Give a namespace up; the default one stays."""
        known = bool(key) and key in self.spaces
        assert self.call("DELETE", "/namespace", key) == {"released": known, "stale": []}
        if known:
            del self.spaces[key]

    @rule(key=KEY_STRATEGY, number=st.integers(1, 4), what=st.sampled_from(["fault", "answer"]))
    def remove_one(self, key: str, number: int, what: str) -> None:
        """Take one row out; the first of two with one number, which counters that were reset may make."""
        rows: list[Any] = self.claimed(key).faults if what == "fault" else self.claimed(key).script
        index = next((at for at, row in enumerate(rows) if row.number == number), None)
        answer = self.send("DELETE", f"{PREFIX}/{what}s/{number}", key)
        if index is None:
            known = ", ".join(str(row.number) for row in rows) or "none"
            assert answer.json() == {"error": f"{what} {number} is not there; there are: {known}"}
            return
        assert answer.json() == {"removed": 1}
        del rows[index]

    @rule(key=KEY_STRATEGY, what=st.sampled_from(["fault", "answer"]))
    def remove_all(self, key: str, what: str) -> None:
        """Take all rows out."""
        rows: list[Any] = self.claimed(key).faults if what == "fault" else self.claimed(key).script
        assert self.call("DELETE", f"/{what}s", key) == {"removed": len(rows)}
        rows.clear()

    @rule(key=KEY_STRATEGY, ms=st.sampled_from([1, 60_000.0, 1e9]))
    def advance(self, key: str, ms: float) -> None:
        """Move one clock on; it never goes back, and no other one moves."""
        space = self.claimed(key)
        before = self.call("GET", "/clock", key)["elapsed_ms"]
        space.advanced_ms += ms
        assert self.call("POST", "/clock", key, {"advance_ms": ms})["elapsed_ms"] >= before + ms

    @invariant()
    def tells_what_the_model_has(self) -> None:
        """Each namespace, in a line and in whole."""
        if not hasattr(self, "client"):
            return
        listed = [(one["exchanges"], one["faults"], one["answers"]) for one in self.call("GET", "/namespaces", "")]
        spaces = [(len(one.statuses), len(one.faults), len(one.script)) for one in self.spaces.values()]
        assert sorted(listed) == sorted(spaces)
        for key, space in list(self.spaces.items()):
            faults = [(one["number"], one["seen"], one["fired"]) for one in self.call("GET", "/faults", key)]
            assert faults == [(one.number, one.seen, one.fired) for one in space.faults]
            told = self.call("GET", "/answers", key)
            rows = [(one["number"], one["used"], one["met"]) for one in told["answers"]]
            assert rows == [(one.number, one.used, one.met) for one in space.script]
            assert (told["unmet"], told["unexpected"]) == (sum(not one.met for one in space.script), space.unexpected)
            seen = [(one["number"], one["status"]) for one in self.call("GET", "/exchanges", key)]
            assert seen == space.statuses
