"""A namespace as a document and back: what is armed and scripted, and how often it acted; counters, quotas, the clock.

The bodies of faults and scripted answers, which may be large and never change, lie beside it, by their digests.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mockserver.server.quota import Quota

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.pipeline.faults.content import RateLimit
    from mockserver.profile.edition import Edition
    from mockserver.server.namespace import Namespace
    from mockserver.server.namespace_setup import ArmedFault, Expectation

NOTHING = b"{}"


def digest(kind: str, said: bytes) -> str:
    """What names a row's body; `kind` is `fault` or `answer`."""
    return hashlib.blake2b(said, digest_size=16, person=kind.encode()).hexdigest()


def rows_of(namespace: Namespace) -> dict[str, bytes]:
    """The bodies of all that is set up."""
    faults = {digest("fault", one.said): one.said for one in namespace.faults}
    return faults | {digest("answer", one.said): one.said for one in namespace.script}


def document_of(namespace: Namespace, moved_ms: float, calls: Mapping[str, int]) -> bytes:
    """All but the number of exchanges, which is counted apart.

    Args:
        namespace: Of what is set up and counted.
        moved_ms: How far its clock was moved on.
        calls: How often each fixture with several answers was asked.
    """
    made: dict[str, Any] = {
        "faults": [[one.number, digest("fault", one.said), one.seen, one.fired] for one in namespace.faults],
        "script": [[one.number, digest("answer", one.said), one.used] for one in namespace.script],
        "unexpected": namespace.unexpected,
        "advanced_ms": moved_ms,
        "numbers": {kind: last for kind, last in namespace.numbers.items() if kind != "exchange"},
        "calls": calls,
        "quotas": [[limit.model_dump_json(), quota.asked] for limit, quota in namespace.quotas.items()],
    }
    return json.dumps({name: value for name, value in made.items() if value}, separators=(",", ":")).encode()


def named_in(document: bytes) -> set[str]:
    """The digests of all rows that a document names."""
    found = json.loads(document)
    return {row[1] for kind in ("faults", "script") for row in found.get(kind, ())}


def fill(
    namespace: Namespace, document: bytes, rows: Mapping[str, bytes], edition: Edition
) -> tuple[float, dict[str, int]]:
    """Make a namespace what a document says; `rows` has the body of each row that it names.

    Returns:
        How far its clock was moved on, in milliseconds, and the calls of fixtures with several answers.
    """
    found = json.loads(document)
    faults = {(one.number, digest("fault", one.said)): one for one in namespace.faults}
    script = {(one.number, digest("answer", one.said)): one for one in namespace.script}
    namespace.faults = []
    for number, name, seen, fired in found.get("faults", ()):
        fault = faults.pop((number, name), None) or _armed(number, rows[name])
        fault.seen, fault.fired = seen, fired
        namespace.faults.append(fault)
    namespace.script = []
    for number, name, used in found.get("script", ()):
        answer = script.pop((number, name), None) or _scripted(number, rows[name], edition)
        answer.used = used
        namespace.script.append(answer)
    namespace.unexpected = found.get("unexpected", 0)
    namespace.numbers = found.get("numbers", {})
    namespace.quotas = {_limit(text): Quota(map(tuple, asked)) for text, asked in found.get("quotas", ())}
    return found.get("advanced_ms", 0.0), found.get("calls", {})


def _armed(number: int, said: bytes) -> ArmedFault:
    from mockserver.server.control.bodies import ArmBody
    from mockserver.server.control.request import checked_body

    return checked_body(ArmBody, said).armed(number, said)


def _scripted(number: int, said: bytes, edition: Edition) -> Expectation:
    from mockserver.server.control.bodies import ScriptBody
    from mockserver.server.control.request import checked_body

    return checked_body(ScriptBody, said).expectation(number, said, edition)


def _limit(text: str) -> RateLimit:
    from mockserver.pipeline.faults.content import RateLimit

    return RateLimit.model_validate_json(text)
