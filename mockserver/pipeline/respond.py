"""One request from bytes to plan, stage by stage. Nothing here waits, reads a clock or touches a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from mockserver.core.drawn import entropy_begun, entropy_of
from mockserver.core.errors import Refusal
from mockserver.core.exchange import SCRIPTED, Answer, Ending, Plan
from mockserver.pipeline.admit import AdmitSettings, admit_body, enter
from mockserver.pipeline.error_plans import ErrorPlans
from mockserver.pipeline.head import head
from mockserver.pipeline.incoming import ERROR_HEADER, QUIRKS_HEADER, Response
from mockserver.pipeline.limit import bounds, limit
from mockserver.pipeline.memory import Memory
from mockserver.pipeline.moderate import ModerationRules, moderate
from mockserver.pipeline.pace import pace_of
from mockserver.pipeline.request.head import STYLE_HEADER
from mockserver.pipeline.set_up import NOTHING_SET_UP, SetUp
from mockserver.pipeline.structure import PLAIN, refuse_same_names, structure
from mockserver.pipeline.vision import check_media
from mockserver.pipeline.wire_templates import WireForms

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.core.exchange import ChatRequest
    from mockserver.pipeline.admit import Entrance
    from mockserver.pipeline.edition_rules import EditionRules
    from mockserver.pipeline.further_headers import Place
    from mockserver.pipeline.incoming import IncomingRequest
    from mockserver.pipeline.pace import PaceSettings
    from mockserver.pipeline.set_up import NothingSetUp
    from mockserver.pipeline.wire_templates import WireTemplates

    _HeadKey = tuple[object, ...]
    _Said = tuple[Answer | Plan | Refusal, ChatRequest, "_Way", WireTemplates, NothingSetUp]
    """What is said to a request, with what its head and a test decide of the rest."""
    _Decided = _Said | tuple[Refusal, ChatRequest | None]

_MOST_WAYS: Final = 1024
"""Heads of which is remembered what follows from them: a few hundred bytes each."""


@dataclass(eq=False)
class Service:
    """An edition made ready to answer.

    Attributes:
        rules: The state of the documents that is imitated.
        answer: The sources: what is said to a request, or the plan of a recording, which is performed as it is;
            raises `Refusal` where there is neither.
        texts: The texts of a message, for the review.
        moderation: What the text review objects to.
        keys: Good API keys; None lets every non-empty key in.
        seed: Part of everything derived.
        paces: The speed of each chip; a missing chip sends all at once.
        forget: Tells the sources that a namespace begins anew.
        generation: What changes when the same request may get another answer; None remembers no answer.
        derived: What ids are derived from, beside the request: the edition and the seed.
    """

    rules: EditionRules
    answer: Callable[[ChatRequest], Answer | Plan]
    texts: Callable[[ChatRequest], Sequence[str]]
    moderation: ModerationRules = field(default_factory=ModerationRules)
    keys: frozenset[str] | None = None
    seed: int = 0
    paces: Mapping[str, PaceSettings] = field(default_factory=dict)
    forget: Callable[[str], None] = field(default=lambda _namespace: None)
    generation: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.errors = ErrorPlans(self.rules)
        self._admission = AdmitSettings(self.rules.request, self.rules.catalogue, self.keys)
        self._wires = WireForms(self.rules)
        self._responses: Memory[Response] = Memory(self.generation)
        self._decisions: Memory[_Decided] = Memory(self.generation)
        self._ways: dict[_HeadKey, _Way] = {}
        self.derived = f"{self.rules.name}:{self.seed}".encode()

    def respond(self, asked: IncomingRequest) -> Response:
        """The plan for a request, and the request where it was let in."""
        request = asked.request
        header = request.headers.get
        head = (
            asked.model, asked.chip, asked.deployment, header(b"authorization"), header(b"content-type"),
            header(b"content-encoding"), header(QUIRKS_HEADER), header(ERROR_HEADER), header(STYLE_HEADER),
        )  # fmt: skip
        if not asked.is_plain():
            return self._finish(self._decide(head, asked, is_plain=False), asked)
        if asked.dice:  # equal requests are answered alike, under ids and times of their own
            return self._finish(self._decisions.decided(head, asked, self._decide), asked)
        return self._responses.decided(head, asked, self._answer)

    def _answer(self, head: _HeadKey, asked: IncomingRequest) -> Response:
        return self._finish(self._decide(head, asked), asked)

    def _decide(self, head: _HeadKey, asked: IncomingRequest, *, is_plain: bool = True) -> _Decided:
        """The stages that say what is answered, in their order; `_finish` does the rest, with time and dice."""
        request = None
        try:
            way = self._ways.get(head) or self._enter(head, asked)
            request = self._admit(way.entrance, asked)
            if way.wire is None:
                way.wire = self._wires.of(way.entrance.chip, asked.request.headers.get(QUIRKS_HEADER, b""))
            set_up = NOTHING_SET_UP if is_plain else self._set_up(asked, request)
        except Refusal as refusal:
            return refusal.with_traceback(None), request  # which would keep all that it saw
        try:
            said = self._say(request, set_up)
        except Refusal as refusal:
            return refusal.with_traceback(None), request, way, way.wire, set_up
        return said, request, way, way.wire, set_up

    def _enter(self, head: _HeadKey, asked: IncomingRequest) -> _Way:
        """The way of requests with a head that is let in; raises Refusal."""
        headers = asked.request.headers
        if ERROR_HEADER in headers:
            raise self.errors.asked_for(headers[ERROR_HEADER].decode("latin-1"))
        entrance = enter(asked.model, asked.chip, headers, self._admission, deployment=asked.deployment)
        if len(self._ways) >= _MOST_WAYS:
            self._ways.clear()
        begun = entropy_begun(self.derived, asked.model.encode(), asked.chip.encode())
        way = self._ways[head] = _Way(entrance, begun, self.paces.get(asked.chip))
        return way

    def _entropy(self, asked: IncomingRequest) -> bytes:
        body = asked.request.body
        return asked.dice or entropy_of(self.derived, asked.model.encode(), asked.chip.encode(), body)

    def _finish(self, decided: _Decided, asked: IncomingRequest) -> Response:
        """The stages that give what is said its identity, form and times; where something is set up it is disturbed."""
        if len(decided) == 2:
            refusal, refused = decided
            body = asked.request.body
            return Response(self.errors.plan(refusal, self._entropy(asked), asked.now_ms, asked.chip, body), refused)
        said, request, way, wire, set_up = decided
        entropy = asked.dice or way.entropy(asked.request.body)
        if isinstance(said, Answer):
            plan = self._plan(said, request, wire, set_up.pace or way.pace, entropy, asked)
        elif isinstance(said, Plan):
            plan = said  # a recording
        else:
            plan = self.errors.plan(said, entropy, asked.now_ms, asked.chip, asked.request.body)
        return Response(set_up.disturb(plan, wire.beat), request, set_up.faults)

    def _admit(self, entrance: Entrance, asked: IncomingRequest) -> ChatRequest:
        came = asked.request
        request = admit_body(entrance, came.headers, came.body, self._admission, asked.namespace(), came.query)
        if request.texts is None:
            check_media(request.messages, request.model, self.rules.takes_media(request.model))
        form = structure(request.body)  # refused here, whichever source answers
        if form is not PLAIN:
            unique = self.rules.request.unique_tool_names
            if unique is not None and request.model.startswith(unique.models):
                refuse_same_names(form.functions)
        return request

    def _set_up(self, asked: IncomingRequest, request: ChatRequest) -> SetUp:
        error = partial(
            self.errors.with_status, entropy=self._entropy(asked), now_ms=asked.now_ms, chip=request.chip,
            asked=asked.request.body,
        )  # fmt: skip
        return SetUp(asked, request, error)

    def _say(self, request: ChatRequest, set_up: NothingSetUp) -> Answer | Plan:
        said = set_up.answer(request, self.answer)
        if isinstance(said, Plan):
            return said  # a recording
        said = limit(said, *bounds(request.body, self.rules.request.not_kept))
        said = moderate(said, self.texts(request), self.moderation)
        set_up.spend(said)
        return said

    def _plan(
        self,
        said: Answer,
        request: ChatRequest,
        wire: WireTemplates,
        speed: PaceSettings | None,
        entropy: bytes,
        asked: IncomingRequest,
    ) -> Plan:
        own = not asked.dice or said.source == SCRIPTED  # on a real clock nothing is told again as it once was
        own_id, created = (said.id, said.created) if own else (None, None)
        identity = head(request.model, wire.settings.head, entropy, asked.now_ms, own_id=own_id, created=created)
        headers, frames = wire.write(said, identity, request)  # chunk, shape, frame
        at_ms = None
        if speed is not None or said.at_ms or said.delay_ms:
            at_ms = pace_of(said, wire.steps(said, request, frames, identity), len(frames), speed, entropy)
        place: Place = "stream" if request.stream else "body"
        headers = self.rules.headers.put(headers, place, entropy)
        return Plan(  # named, they would be put into a dictionary first
            200, headers, frames, at_ms, Ending.COMPLETE, None, None, False, said.source, said.detail, True, (),
            said.stale,
        )  # fmt: skip


class _Way:
    """What follows from the head of a request that was let in, for all that come with the same.

    Attributes:
        entrance: Where they come in.
        wire: The wire form of their answers; None until it is known that there is one.
        pace: The speed of their answers.
    """

    __slots__ = ("_begun", "entrance", "pace", "wire")

    def __init__(self, entrance: Entrance, begun: hashlib.blake2b, pace: PaceSettings | None) -> None:
        self.entrance = entrance
        self.wire: WireTemplates | None = None
        self.pace = pace
        self._begun = begun

    def entropy(self, body: bytes) -> bytes:
        """The same as `entropy_of` gives of edition and seed, model, chip and body."""
        digest = self._begun.copy()
        digest.update(b"%d:%b" % (len(body), body))
        return digest.digest()
