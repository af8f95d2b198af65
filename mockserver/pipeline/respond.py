"""One request from bytes to plan, stage by stage. Nothing here waits, reads a clock or touches a socket."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Answer, Plan
from mockserver.pipeline.admit import STYLE_HEADER, Gate, admit, check_key
from mockserver.pipeline.compiled import Compiled
from mockserver.pipeline.frame import content_type
from mockserver.pipeline.head import entropy_of, head, response_headers
from mockserver.pipeline.incoming import Arrival, Response
from mockserver.pipeline.limit import bounds, limit
from mockserver.pipeline.moderate import ModerationRules, moderate
from mockserver.pipeline.pace import PaceSettings, pace, pace_as_recorded
from mockserver.pipeline.refuse import own_shape, refuse
from mockserver.pipeline.structure import structure
from mockserver.pipeline.vision import check_media

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.core.exchange import ChatRequest, Headers, Request
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.pipeline.incoming import TestSetup
    from mockserver.profile.edition import Edition

QUIRKS_HEADER: Final = b"x-mock-quirks"
ERROR_HEADER: Final = b"x-mock-error"
FAULT_HEADER: Final = b"x-mock-fault"
SEED_HEADER: Final = b"x-mock-seed"
NOTHING_SAID: Final = Plan(200, (), (b"",))
"""What an error takes the place of."""
NOTHING: Final = Plan(0, (), ())
DECIDING_HEADERS: Final = (
    b"authorization", b"content-type", QUIRKS_HEADER, ERROR_HEADER, STYLE_HEADER,
)  # fmt: skip
_CACHED_VARIANTS = 256
_REMEMBERED_RESPONSES = 256
_REMEMBERED_BYTES = 16 * 1024


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
        forget: Tells the sources that a namespace begins anew.
        generation: What changes when the same request may get another answer; None remembers no answer.
        default_chip: The chip of routes whose path names none: the edition's first, as the reference has it.
    """

    edition: Edition
    answer: Callable[[ChatRequest], Answer | Plan]
    texts: Callable[[ChatRequest], Sequence[str]]
    moderation: ModerationRules = field(default_factory=ModerationRules)
    keys: frozenset[str] | None = None
    seed: int = 0
    paces: Mapping[str, PaceSettings] = field(default_factory=dict)
    forget: Callable[[str], None] = field(default=lambda _namespace: None)
    generation: Callable[[], object] | None = None
    default_chip: str = field(init=False)
    _gate: Gate = field(init=False, repr=False)
    _seed: bytes = field(init=False, repr=False)
    _compiled: dict[tuple[str, bytes], Compiled] = field(init=False, repr=False, default_factory=dict)
    _remembered: dict[tuple[object, ...], tuple[object, Response]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_gate", Gate(self.edition.file.request, self.edition.catalogue, self.keys))
        object.__setattr__(self, "default_chip", next(iter(self.edition.chips)))
        object.__setattr__(self, "_seed", f"{self.edition.name}:{self.seed}".encode())

    def respond(self, arrival: Arrival) -> Response:
        """The plan for a request, and the request where it was let in.

        Where all that decides is the request (a fixed clock, nothing set up), the same request is decided once.
        """
        if self.generation is None or arrival.dice or len(arrival.request.body) > _REMEMBERED_BYTES:
            return self._decide(arrival)
        if (arrival.test is not None and not arrival.test.quiet) or FAULT_HEADER in arrival.request.headers:
            return self._decide(arrival)
        generation = self.generation()
        headers = arrival.request.headers
        owner = arrival.test.name if arrival.test is not None else ""
        asked = (arrival.model, arrival.chip, arrival.deployment, owner, arrival.request.body)
        key = (*asked, *[headers.get(name) for name in DECIDING_HEADERS])
        remembered = self._remembered.get(key)
        if remembered is not None and remembered[0] == generation:
            return remembered[1]
        response = self._decide(arrival)
        if self.generation() == generation:
            if len(self._remembered) >= _REMEMBERED_RESPONSES:
                self._remembered.clear()
            self._remembered[key] = generation, response
        return response

    def _decide(self, arrival: Arrival) -> Response:
        headers, body = arrival.request.headers, arrival.request.body
        entropy = arrival.dice or entropy_of(self._seed, arrival.model.encode(), arrival.chip.encode(), body)
        response = Response(NOTHING)
        try:
            if ERROR_HEADER in headers:
                raise self._asked_error(headers[ERROR_HEADER].decode("latin-1"))
            owner = arrival.test.name if arrival.test is not None else ""
            deployed = arrival.deployment
            request = admit(
                arrival.model, arrival.chip, headers, body, self._gate, deployment=deployed, namespace=owner
            )
            check_media(request.messages, request.model, self.edition.entry(request.model).vision)
            structure(request.body)  # refused here, whichever source answers
            response.chat = request
            compiled = self._wire_form(request.chip, headers.get(QUIRKS_HEADER, b""))
            if (arrival.test is None or arrival.test.quiet) and FAULT_HEADER not in headers:
                said = self.answer(request)
                if isinstance(said, Answer):
                    said = self._plan(request, self._bounded(request, said), compiled, entropy, arrival.now_ms)
                response.plan = said
            else:
                self._disturbed(arrival, response, compiled, entropy)
        except Refusal as refusal:
            response.plan = self.refusal(refusal, entropy, arrival.now_ms)
        return response

    def _disturbed(self, arrival: Arrival, response: Response, compiled: Compiled, entropy: bytes) -> None:
        """The way of a request for which a test has set something up, or which names faults itself."""
        from mockserver.pipeline.disturb import disturb  # late: most runs ask for no fault
        from mockserver.pipeline.faults.fault import FaultContext

        request, test = response.chat, arrival.test
        assert request is not None  # noqa: S101 - admitted by the caller
        dice = random.Random(arrival.seed)  # noqa: S311 - reproducible, not secret
        asked = self._asked_faults(arrival.request.headers.get(FAULT_HEADER, b"").decode("latin-1"))
        faults = [*(test.faults_for(request, dice) if test is not None else ()), *asked]
        response.faults = tuple(fault.type for fault in faults)

        def seeded(plan: Plan) -> Plan:
            seed = ((SEED_HEADER, b"%d" % arrival.seed),) if faults else ()
            return replace(plan, headers=(*plan.headers, *seed))

        def error(status: int, text: str | None, wait_s: float | None) -> Plan:
            return seeded(self._error_plan(status, text, wait_s, entropy, arrival.now_ms))

        plan = seeded(self._limited(arrival, request, faults, compiled, entropy))
        response.plan = disturb(plan, faults, FaultContext(dice, error))

    def _limited(
        self, arrival: Arrival, request: ChatRequest, faults: Sequence[Fault], compiled: Compiled, entropy: bytes
    ) -> Plan:
        """The plan that faults then act on: a refusal where a rate limit is used up, else what is said."""
        from mockserver.pipeline.disturb import disturb_answer
        from mockserver.pipeline.faults.content import RateLimit

        test, tokens = arrival.test, 0
        limits = [fault for fault in faults if isinstance(fault, RateLimit)]
        try:
            if test is not None:
                test.check_quotas(limits, arrival.elapsed_ms)
        except Refusal as refusal:
            return self.refusal(refusal, entropy, arrival.now_ms)
        try:
            reply = self._reply(test, request, faults)
            if isinstance(reply, Answer):
                said = self._bounded(request, disturb_answer(reply, faults))
                tokens = said.usage.total_tokens
                reply = self._plan(request, said, compiled, entropy, arrival.now_ms)
        except Refusal as refusal:
            reply = self.refusal(refusal, entropy, arrival.now_ms)
        if test is not None:
            test.count(limits, arrival.elapsed_ms, tokens)
        return reply

    def _reply(self, test: TestSetup | None, request: ChatRequest, faults: Sequence[Fault]) -> Answer | Plan:
        """What is said; nothing where a fault lets none of it out, so that what a test scripted waits for its turn."""
        if any(fault.unanswered for fault in faults):
            return NOTHING_SAID
        return (test.scripted(request) if test is not None else None) or self.answer(request)

    def _asked_faults(self, text: str) -> list[Fault]:
        """The faults that `X-Mock-Fault` asks for."""
        from mockserver.pipeline.disturb import FaultError, faults_of_header

        try:
            return faults_of_header(text)
        except FaultError as error:
            raise Refusal("unknown-quirk", f"X-Mock-Fault: {error}", param="X-Mock-Fault") from None

    def _error_plan(self, status: int, text: str | None, wait_s: float | None, entropy: bytes, now_ms: int) -> Plan:
        """An error with any status: the edition's row for that status, or the gateway's shape."""
        rows = self.edition.file.errors
        kind = next((name for name, row in rows.items() if row.status == status), "internal")
        headers = () if wait_s is None else ((b"retry-after", f"{wait_s:g}".encode()),)
        refusal = Refusal(kind, text or f"status {status} was asked for", headers=headers)
        shape = rows[kind] if rows[kind].status == status else rows[kind].model_copy(update={"status": status})
        if text is not None:
            shape = shape.model_copy(update={"message": None})
        return refuse(refusal, shape, self._common_headers(entropy, now_ms))

    def list_models(self, request: Request, now_ms: int, dice: bytes = b"") -> Response:
        """The catalogue as the service lists it; lengths are 0 where they are not published (API reference, models)."""
        entropy = dice or entropy_of(self._seed, request.path.encode())
        try:
            check_key(request.headers, self.keys)
        except Refusal as refusal:
            return Response(self.refusal(refusal, entropy, now_ms))
        rows = [
            {
                "id": entry.id,
                "object": "model",
                "created": 0,
                "owned_by": "",
                "max_output_length": entry.max_output_tokens or 0,
                "context_length": entry.context_tokens or 0,
                "model_type": entry.kind,
            }
            for entry in self.edition.models.values()
        ]
        data = json.dumps({"object": "list", "data": rows}, ensure_ascii=False, separators=(",", ":")).encode()
        headers = ((b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(data)))
        return Response(Plan(200, (*headers, *self._common_headers(entropy, now_ms)), (data,), source="catalogue"))

    def refusal(self, refusal: Refusal, entropy: bytes, now_ms: int) -> Plan:
        """The plan of a refusal in the edition's shape."""
        if refusal.status is not None:
            shape = own_shape(refusal.status, refusal.status if refusal.code is None else refusal.code)
        else:
            shape = self.edition.file.errors[refusal.kind]
        return refuse(refusal, shape, self._common_headers(entropy, now_ms))

    def _common_headers(self, entropy: bytes, now_ms: int) -> Headers:
        first = next(iter(self.edition.chips.values()))
        return response_headers(first.wire.head, entropy, now_ms)

    def _bounded(self, request: ChatRequest, answer: Answer) -> Answer:
        """The answer as far as the request's bounds and the text review let it go."""
        return moderate(limit(answer, *bounds(request.body)), self.texts(request), self.moderation)

    def _plan(self, request: ChatRequest, answer: Answer, compiled: Compiled, entropy: bytes, now_ms: int) -> Plan:
        wire = compiled.wire
        identity = head(request.model, wire.head, entropy, now_ms, own_id=answer.id, created=answer.created)
        if not request.stream:
            data = compiled.body(answer, identity)
            headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)))
            count = max(len(answer.reasoning) + len(answer.pieces), 1)
            times = self._times(request.chip, count, entropy, answer)
            return Plan(200, (*headers, *identity.headers), (data,), times and times[-1:], source=answer.source)
        made = compiled.stream(answer, identity, include_usage=request.include_usage)
        kind = content_type(wire.frame)
        opening = (
            ((b"content-type", kind), (b"cache-control", b"no-cache")) if kind else ((b"cache-control", b"no-cache"),)
        )
        times = self._times(request.chip, len(made), entropy, answer)
        if wire.frame.delivery == "buffered":
            made, times = [b"".join(made)], times and times[-1:]
            opening = (*opening, (b"content-length", b"%d" % len(made[0])))
        return Plan(200, (*opening, *identity.headers), made, times, source=answer.source)

    def _times(self, chip: str, count: int, entropy: bytes, answer: Answer) -> Sequence[float] | None:
        if answer.at_ms:
            return pace_as_recorded(count, answer.at_ms, answer.parts)
        return pace(count, self.paces.get(chip), entropy, answer.delay_ms)

    def _wire_form(self, chip: str, changes: bytes) -> Compiled:
        """The compiled wire form of a chip, with the request's own quirks."""
        key = (chip, changes)
        found = self._compiled.get(key)
        if found is None:
            try:
                wire = self.edition.wire_form(chip, changes.decode("latin-1"))
            except ValueError as error:
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
