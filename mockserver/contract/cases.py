"""What is asked of a target: the documented examples, requests with one rule broken, and the twins of a question.

All of it follows from the edition: its fields, ranges, roles and refusals. `strategies.py` draws more of the same kind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.relations import DIALOGUE, RELATIONS, SYSTEM, Relation, streamed_twin
from mockserver.core import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mockserver.contract.clauses.clause import Claim
    from mockserver.pipeline.frame import Json
    from mockserver.pipeline.request.rules import FieldRule
    from mockserver.profile.edition import Edition

DEFAULT_MAX_TOKENS: Final = 32
FEW_BYTES: Final = 64 * 1024
"""A body of more costs its target something."""


class Phase(StrEnum):
    """The parts of a run, in their order."""

    EXAMPLES = "examples"
    BROKEN = "one rule broken"
    GENERATED = "generated"
    DIALOGUE = "dialogue"


@dataclass(frozen=True)
class Case:
    """One request and what must come of it.

    Attributes:
        name: What it shows, in a few words.
        phase: The part of the run that it belongs to.
        body: A JSON object, or bytes that are sent as they are.
        refusal: The kind of refusal that must come; None for an answer.
        headers: Changes to the request's headers; None takes one away.
        model: Another model for the path; None keeps the target's.
        chip: Another chip for the path; None keeps the target's.
        method: HTTP method.
        relations: The clauses that compare it with the case that ran as `twin_of`.
        twin_of: Name of the other case.
        claim: How the rule is known that it keeps or breaks.
        needs_model_in_path: Whether it has a sense only where the path names a model.
        param: The field at fault where the refusal is `invalid-field`, as the edition's rows name it.
        rule: The rule that it breaks, as `lets_in` of an edition names it; empty for one that has no name there.
    """

    name: str
    phase: Phase
    body: Json | bytes
    refusal: str | None = None
    headers: Mapping[bytes, bytes | None] = field(default_factory=dict)
    model: str | None = None
    chip: str | None = None
    method: str = "POST"
    relations: tuple[Relation, ...] = ()
    twin_of: str | None = None
    claim: Claim = "documented"
    needs_model_in_path: bool = False
    param: str = ""
    rule: str = ""

    @property
    def data(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return strict_json.dumps(self.body)

    @property
    def most_tokens(self) -> int:
        """How many tokens an answer may cost, as far as the request says."""
        limit = self.body.get("max_tokens") if isinstance(self.body, dict) else None
        return limit if isinstance(limit, int) and not self.refusal else 0


def question(text: str, model: str, max_tokens: int, **fields: Any) -> Json:
    """A single-turn request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": max_tokens, **fields}


def examples(edition: Edition, model: str, max_tokens: int = DEFAULT_MAX_TOKENS) -> list[Case]:
    """The documents' own examples (with a small `max_tokens`), each feature of the answer once, and the twins."""
    who = question("你是谁?", model, max_tokens)
    mocking: list[Json] = [{"role": "system", "content": "请以嘲讽语气回答"}, *who["messages"]]
    turns: list[Json] = [
        *who["messages"],
        {"role": "assistant", "content": "我是大模型回答助手"},
        {"role": "user", "content": "你能做什么?"},
    ]
    bodies: dict[str, Json] = {
        "single turn": who,
        "single turn, streamed": streamed_twin(who),
        "streamed, usage asked for": {**streamed_twin(who), "stream_options": {"include_usage": True}},
        "system message": {**who, "messages": mocking},
        "two turns, streamed": {**streamed_twin(who), "messages": turns},
        "stop string": question("请从一数到九。", model, max_tokens, stop=["。"]),
        **_thinking(edition, model, max_tokens),
        **_tools(edition, model, max_tokens),
        **_reviewed(edition, model, max_tokens),
    }
    found = [Case(name, Phase.EXAMPLES, body, **_RELATED.get(name, {})) for name, body in bodies.items()]
    return [*found, *_on_the_path(edition, model, who), *twins(model, max_tokens)]


_RELATED: Final[dict[str, dict[str, Any]]] = {
    "system message": {"relations": (SYSTEM,), "twin_of": "single turn"},
    "two turns, streamed": {"relations": (DIALOGUE,), "twin_of": "single turn, streamed"},
}
"""The examples that are compared with one before them."""


def _on_the_path(edition: Edition, model: str, body: Json) -> list[Case]:
    """What the path's model has to do with the body's: it answers whatever the body says, or the body overrides it."""
    rules = edition.file.request
    case = partial(Case, phase=Phase.EXAMPLES, needs_model_in_path=True)
    if rules.model == "path":  # gpt-3.5-turbo is what LangChain sends where nobody names a model
        return [case("the path's model", body={**body, "model": "gpt-3.5-turbo"}, claim=rules.model_claim.claim)]
    found = [case("the path's model", body={**body, "model": None})]  # which takes it in every text
    other = next((name for name in edition.models if name != model), None)
    return [*found, case("the body's model", body=body, model=other, claim=rules.model_claim.claim)] if other else found


def _thinking(edition: Edition, model: str, max_tokens: int) -> dict[str, Json]:
    if "enable_thinking" not in edition.file.request.fields:
        return {}
    body = question("9.11 和 9.8 谁大?", model, max_tokens, enable_thinking=True)
    return {"thinking": body, "thinking, streamed": streamed_twin(body)}


def _tools(edition: Edition, model: str, max_tokens: int) -> dict[str, Json]:
    if "tools" not in edition.file.request.fields:
        return {}
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "get_current_weather", "description": "天气", "parameters": city}}
    return {"tools, streamed": question("北京天气怎么样?", model, max_tokens, tools=[tool], stream=True)}


def _reviewed(edition: Edition, model: str, max_tokens: int) -> dict[str, Json]:
    """Texts that the edition's review objects to; harmless words, so a live service answers them."""
    rules, made = edition.file.moderation, {}
    for words, where in ((rules.input_words, "input"), (rules.output_words, "output")):
        for word in words[:1]:
            body = question(f"请重复:好的,我们开始。{word}", model, max_tokens)
            made[f"reviewed {where}"] = body
            made[f"reviewed {where}, streamed"] = streamed_twin(body)
    return made


def twins(model: str, max_tokens: int) -> list[Case]:
    """One question and its twins, one for each way of asking again."""
    base = question("请用一句话介绍人工智能。", model, max_tokens, temperature=0, seed=7)
    first = Case("a question", Phase.EXAMPLES, base)
    by_twin: dict[Any, list[Relation]] = {}
    for relation in RELATIONS:
        by_twin.setdefault(relation.twin, []).append(relation)
    return [
        first,
        *(
            replace(first, name=same[0].id, body=twin(base), relations=tuple(same), twin_of=first.name)
            for twin, same in by_twin.items()
        ),
    ]


def breaks(edition: Edition, model: str, max_tokens: int = DEFAULT_MAX_TOKENS) -> list[Case]:
    """Requests of which one thing is wrong, each with the refusal that it must get; the most telling first.

    The last is larger than the edition allows, by white space, so that it costs few tokens where it is answered.
    """
    good = question("你好", model, max_tokens)
    valid = json.dumps(good).encode()

    def case(name: str, body: Json | bytes, kind: str = "invalid-field", param: str = "", **more: Any) -> Case:
        rows = (f"{kind}:{more.get('rule')}", f"{kind}:{param}")
        row = next((one for one in rows if one in edition.file.errors), kind)
        return Case(name, Phase.BROKEN, body, row, param=param, **more)

    found = [
        case("no key", good, "missing-key", headers={b"authorization": None}, rule="missing-key"),
        case(
            "key without Bearer", good, "malformed-key", headers={b"authorization": b"Basic abc"}, rule="malformed-key"
        ),
        case("unknown chip", good, "unknown-chip", chip="no-such-chip"),
        case(
            "unknown model",
            {**good, "model": "no-such-model"},
            "unknown-model",
            model="no-such-model",
            rule="unknown-model",
        ),
        case("trailing comma", valid.replace(b"}]", b"},]"), "invalid-json", rule="invalid-json"),
        case("half a body", valid[: len(valid) // 2], "invalid-json", rule="invalid-json"),
        case("no messages", _without(good, "messages"), param="messages", rule="missing-messages"),
        case("empty messages", {**good, "messages": []}, param="messages", rule="empty-messages"),
        case(
            "unknown role",
            {**good, "messages": [{"role": "robot", "content": "你好"}]},
            param="messages[0].role",
            rule="unknown-role",
        ),
        case("GET", b"", "wrong-method", method="GET"),
        case("empty body", b"", "invalid-json", rule="empty-body"),
        case(
            "not JSON at all",
            b"messages=hello",
            "wrong-content-type",
            headers={b"content-type": b"text/csv"},
            rule="wrong-content-type",
        ),
        case("an array", b"[]", param="body", rule="wrong-body"),
        case("messages is a text", {**good, "messages": "你好"}, param="messages", rule="wrong-messages"),
        case(
            "content is a number",
            {**good, "messages": [{"role": "user", "content": 5}]},
            param="messages[0].content",
            rule="wrong-content",
        ),
        case(
            "no content", {**good, "messages": [{"role": "user"}]}, param="messages[0].content", rule="missing-content"
        ),
        case("not UTF-8", valid.replace(b'"user"', b'"\xff"'), "invalid-json", rule="not-utf-8"),
    ]
    if edition.file.request.model_required:
        found.append(case("no model", _without(good, "model"), param="model"))
    wrong = [
        case(f"{name}: {json.dumps(value)}", {**good, name: value}, param=name, claim=rule.claim)
        for name, rule in edition.file.request.fields.items()
        for value in wrong_values(rule)
    ]
    wrong.sort(key=lambda one: one.name.split(":")[0] not in _TELLING)
    spaces = edition.file.request.body_limit_bytes + 1 - len(valid)
    giant = case("a giant body", valid + b" " * spaces, "body-too-large", claim="assumed")
    return [one for one in (*found, *wrong, giant) if one.rule not in edition.file.request.lets_in]


def out_of_range(edition: Edition, case: Case) -> bool:
    """Whether a case tries the end of a range that the edition has."""
    rule = edition.file.request.fields.get(case.param)
    value = case.body.get(case.param) if isinstance(case.body, dict) else None
    if rule is None or type(value) is not int:
        return False
    return (rule.maximum is not None and value > rule.maximum) or (rule.minimum is not None and value < rule.minimum)


def at_the_limit(model: str) -> list[Case]:
    """Questions whose answers a limit of few tokens cuts off."""
    body = question("请用一百个字介绍人工智能。", model, 4)
    return [
        Case("cut by its limit", Phase.EXAMPLES, body),
        Case("cut by its limit, streamed", Phase.EXAMPLES, streamed_twin(body)),
    ]


_TELLING: Final = ("temperature", "max_tokens", "stream", "top_p", "n", "stop")


def _without(body: Json, key: str) -> Json:
    return {name: value for name, value in body.items() if name != key}


def wrong_values(rule: FieldRule) -> Iterator[Any]:
    """Values that a field's rule refuses: out of range on each side, and of another type."""
    if rule.maximum is not None:
        yield int(rule.maximum) + 1
    if rule.minimum is not None:
        yield int(rule.minimum) - 1
    for value in _OTHER_TYPE[rule.type]:
        yield "?" if rule.from_text and isinstance(value, str) else value


_OTHER_TYPE: Final[dict[str, tuple[Any, ...]]] = {
    "number": ("0.5",),
    "integer": (1.5, "1"),
    "boolean": ("true",),
    "string": (1,),
    "strings": ("。", [1]),
    "string-or-strings": (1,),
    "array": ({},),
    "object": ([],),
    "any": (),
}
