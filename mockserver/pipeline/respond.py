"""One request from bytes to plan, stage by stage. Nothing here waits, reads a clock or touches a socket."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mockserver import quirks
from mockserver.errors import Refusal
from mockserver.exchange import Plan
from mockserver.pipeline.admit import Gate, admit
from mockserver.pipeline.compiled import Compiled
from mockserver.pipeline.frame import content_type
from mockserver.pipeline.head import entropy_of, head, response_headers
from mockserver.pipeline.moderate import ModerationRules, moderate
from mockserver.pipeline.pace import PaceSettings, pace
from mockserver.pipeline.refuse import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.exchange import Answer, ChatRequest, Headers, Request
    from mockserver.profile import Edition

QUIRKS_HEADER: Final = b"x-mock-quirks"
ERROR_HEADER: Final = b"x-mock-error"
_CACHED_VARIANTS = 256


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came in.

    Attributes:
        model: The path's model.
        chip: The path's chip.
        request: Headers and body.
        now_ms: Milliseconds since the Unix epoch.
        dice: Random bytes for ids, or empty to derive them from the request.
    """

    model: str
    chip: str
    request: Request
    now_ms: int
    dice: bytes = b""


@dataclass(frozen=True)
class Service:
    """An edition made ready to answer.

    Attributes:
        edition: The state of the documents that is imitated.
        answer: The sources: what is said to a request, or the plan of a recording, which is performed as it is;
            raises `Refusal` where there is neither.
        moderation: What the text review objects to.
        texts: The texts of a message, for the review.
        keys: Good API keys; None lets every non-empty key in.
        seed: Part of everything derived.
        paces: The speed of each chip; a missing chip sends all at once.
    """

    edition: Edition
    answer: Callable[[ChatRequest], Answer | Plan]
    texts: Callable[[ChatRequest], Sequence[str]]
    moderation: ModerationRules = field(default_factory=ModerationRules)
    keys: frozenset[str] | None = None
    seed: int = 0
    paces: Mapping[str, PaceSettings] = field(default_factory=dict)
    _gate: Gate = field(init=False, repr=False)
    _seed: bytes = field(init=False, repr=False)
    _compiled: dict[tuple[str, bytes], Compiled] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_gate", Gate(self.edition.file.request, self.edition.catalogue, self.keys))
        object.__setattr__(self, "_seed", f"{self.edition.name}:{self.seed}".encode())

    def respond(self, arrival: Arrival) -> tuple[Plan, ChatRequest | None]:
        """The plan for a request, and the request where it was let in."""
        headers, body = arrival.request.headers, arrival.request.body
        entropy = arrival.dice or entropy_of(self._seed, arrival.model.encode(), arrival.chip.encode(), body)
        request = None
        try:
            if ERROR_HEADER in headers:
                raise self._asked_error(headers[ERROR_HEADER].decode("latin-1"))
            request = admit(arrival.model, arrival.chip, headers, body, self._gate)
            compiled = self._wire_form(request.chip, headers.get(QUIRKS_HEADER, b""))
            return self._perform(request, compiled, entropy, arrival.now_ms), request
        except Refusal as refusal:
            return self.refusal(refusal, entropy, arrival.now_ms), request

    def refusal(self, refusal: Refusal, entropy: bytes, now_ms: int) -> Plan:
        """The plan of a refusal in the edition's shape."""
        headers: Headers = ()
        if entropy:
            first = next(iter(self.edition.chips.values()))
            headers = response_headers(first.wire.head, entropy, now_ms)
        return refuse(refusal, self.edition.file.errors[refusal.kind], headers)

    def _perform(self, request: ChatRequest, compiled: Compiled, entropy: bytes, now_ms: int) -> Plan:
        said = self.answer(request)
        if isinstance(said, Plan):
            return said
        answer = moderate(said, self.texts(request), self.moderation)
        wire = compiled.wire
        identity = head(request.model, wire.head, entropy, now_ms)
        if answer.id is not None or answer.created is not None:
            identity = replace(identity, id=answer.id or identity.id, created=answer.created or identity.created)
        if not request.stream:
            data = compiled.body(answer, identity)
            headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)))
            times = self._times(request.chip, max(len(answer.reasoning) + len(answer.pieces), 1), entropy)
            return Plan(200, (*headers, *identity.headers), (data,), times and times[-1:], source=answer.source)
        made = compiled.stream(answer, identity, include_usage=request.include_usage)
        kind = content_type(wire.frame)
        opening = (
            ((b"content-type", kind), (b"cache-control", b"no-cache")) if kind else ((b"cache-control", b"no-cache"),)
        )
        times = self._times(request.chip, len(made), entropy)
        if wire.frame.delivery == "buffered":
            made, times = [b"".join(made)], times and times[-1:]
            opening = (*opening, (b"content-length", b"%d" % len(made[0])))
        return Plan(200, (*opening, *identity.headers), made, times, source=answer.source)

    def _times(self, chip: str, count: int, entropy: bytes) -> Sequence[float] | None:
        return pace(count, self.paces.get(chip), entropy)

    def _wire_form(self, chip: str, changes: bytes) -> Compiled:
        """The compiled wire form of a chip, with the request's own quirks."""
        key = (chip, changes)
        found = self._compiled.get(key)
        if found is None:
            wire = self.edition.chips[chip].wire
            try:
                wire = quirks.changed(wire, changes.decode("latin-1"))
            except quirks.UnknownQuirkError as error:
                raise Refusal("unknown-quirk", f"X-Mock-Quirks: {error}", param="X-Mock-Quirks") from None
            if len(self._compiled) >= _CACHED_VARIANTS:
                self._compiled.clear()
            found = self._compiled[key] = Compiled(wire)
        return found

    def _asked_error(self, kind: str) -> Refusal:
        """The refusal that `X-Mock-Error` asks for."""
        if kind in self.edition.file.errors:
            return Refusal(kind, f"asked for by X-Mock-Error: {kind}")
        known = ", ".join(self.edition.file.errors)
        return Refusal("unknown-quirk", f"X-Mock-Error: {kind!r} is not a kind of error; known: {known}")
