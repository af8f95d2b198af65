"""The recorded source: exchanges from files, matched by model, chip, stream and the dialogue's content.

Where the path names no chip, the edition's first one is meant, in requests and in recordings alike. A deployment is
matched by its id, whatever model the body names.

A dialogue of several turns is found by what was said in it, never by a counter, so the order of requests does not
matter. Two replays: *exact* performs the bytes as they came, *regenerate* takes their meaning and lets the pipeline
write it in the wire form of whatever chip is asked.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import field, replace
from difflib import SequenceMatcher
from functools import cached_property
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json

from mockserver.core.errors import Refusal, shown
from mockserver.core.exchange import ChatRequest, texts_of
from mockserver.core.immutable import immutable
from mockserver.core.route import parse, parse_decoded
from mockserver.files.exchange_file import plan_of, read_if_exchange
from mockserver.files.kept_headers import raw
from mockserver.pipeline.coding import body_of
from mockserver.pipeline.judge import judge
from mockserver.pipeline.read import meaning, objects_of, usage_counts_of
from mockserver.sources import tokens
from mockserver.sources.staleness import DIALOGUE, USUAL, changes, pinned_changes, stale_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mockserver.core.exchange import Answer, Plan, Request
    from mockserver.core.route import Route
    from mockserver.files.exchange_file import ExchangeFile
    from mockserver.pipeline.judge import Judgement

Key = tuple[tuple[str, str, str], ...]
_COMPARED_LETTERS = 200
_COMPARED = 500  # recordings looked at for a near miss, by their letters; the best are compared in their order too
_COMPARED_WELL = 20


@immutable(frozen=True, slots=True)
class ReplaySettings:
    """How recordings are played.

    Attributes:
        mode: `exact` sends the bytes as they came; `regenerate` says the same in the asked chip's wire form.
        speed: How many times as fast as recorded, > 0; 0 gives up the recorded times: an exact replay is sent at
            once, a regenerated answer at the chip's pace.
        identity: Whether regenerated answers keep the recorded id and `created`.
        match_on: What a recording is found by beside model, chip and stream.
        strict_requests: Whether a request that differs from the recorded one in anything but identity is refused.
    """

    mode: Literal["exact", "regenerate"] = "exact"
    speed: float = 0.0
    identity: Literal["kept", "fresh"] = "kept"
    match_on: tuple[str, ...] = USUAL
    strict_requests: bool = False


@immutable(frozen=True)
class Recording:
    """One recorded exchange that requests can be matched with."""

    path: Path
    file: ExchangeFile
    request: ChatRequest
    key: Key = field(repr=False)

    @property
    def good(self) -> bool:
        """Whether it is an answer that came whole, not a fault, by what its body says."""
        return not self.judgement.failure

    @cached_property
    def judgement(self) -> Judgement:
        """What it is: a whole answer or a fault, and whether it can be said anew."""
        return judge(self.plan)

    @cached_property
    def plan(self) -> Plan:
        """What was received, chunk by chunk."""
        return plan_of(self.file, f"recording:{self.path.name}")

    @cached_property
    def said(self) -> Answer:
        """What it means, with its usage counted where none was recorded; raises ValueError where it cannot be read."""
        return meaning(self.plan)

    @cached_property
    def usage_counts(self) -> set[str]:
        """The counts of tokens that it tells; raises ValueError where it cannot be read."""
        return usage_counts_of(objects_of(body_of(self.plan)))


def chat_request(path: str, body: bytes | Mapping[str, Any], default_chip: str = "") -> ChatRequest | None:
    """The chat request of a file's path and body, taken as they are; None for what is no chat.

    Args:
        path: The path, percent-encoded or not.
        body: The body, or the JSON object in it.
        default_chip: The chip where the path names none.
    """
    return _chat_request(parse(path), body, default_chip)


def _chat_request(route: Route | None, body: bytes | Mapping[str, Any], default_chip: str = "") -> ChatRequest | None:
    document: Any = body
    if isinstance(body, bytes):
        try:
            document = from_json(body)
        except ValueError:
            return None
    if route is None or not isinstance(document, dict):
        return None
    messages = document.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return None
    named = document.get("model")
    model = route.model or (named if isinstance(named, str) and named else route.deployment)
    stream = document.get("stream") is True
    return ChatRequest(model, route.chip or default_chip, messages, stream, body=document, route=route)


def recording(path: Path, file: ExchangeFile, default_chip: str = "") -> Recording | None:
    """A file as a recording; None where its request is no chat that could be asked again."""
    request = chat_request(file.request.path, file.request.body or {}, default_chip)
    if request is None:
        return None
    request = replace(request, headers={name.lower(): value for name, value in raw(file.request.headers)})
    return Recording(path, file, request, dialogue(request))


def read_recording(path: Path, default_chip: str = "") -> Recording | None:
    """The recording in a file; None for a JSON file of another form, and for an exchange that is no chat.

    This is what `serve` and `record` start with and what `validate` checks.

    Raises:
        OperatorError: The file is broken; the text names file and key.
    """
    file = read_if_exchange(path)
    return recording(path, file, default_chip) if file is not None else None


def load(root: Path) -> list[Recording]:
    """The recordings below a folder; raises OperatorError for the first broken file. Files of other forms are left."""
    made = (read_recording(path) for path in sorted(root.rglob("*.json")))
    return [one for one in made if one is not None]


def dialogue(request: ChatRequest) -> Key:
    """What was said, message by message, as it is compared: role, text after NFKC, and all that is no text."""
    return tuple(
        (str(message.get("role", "user")), _normal("".join(texts_of(message))), _rest(message))
        for message in request.messages
    )


def _normal(text: str) -> str:
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return text.strip()


def _rest(message: Mapping[str, Any]) -> str:
    """Images and calls of functions; ids of calls do not matter."""
    content, calls = message.get("content"), message.get("tool_calls")
    parts: list[Any] = [] if content is None or isinstance(content, str) else [content]
    if isinstance(content, list):
        parts = [part for part in content if not isinstance(part, dict) or part.get("type") != "text"]
    called = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return json.dumps([parts, called], sort_keys=True, ensure_ascii=False) if parts or called else ""


class Recordings:
    """Recordings by dialogue; what is added later wins over what was there before.

    Args:
        recordings: Those there are.
        match_on: What one is found by beside model, chip and stream: some of `ASPECTS`, and `headers:NAME`.
    """

    def __init__(self, recordings: Iterable[Recording] = (), match_on: Sequence[str] = USUAL) -> None:
        self._match_on = match_on
        self._by_dialogue: dict[tuple[str, Key], list[Recording]] = {}
        self._all: dict[Path, Recording] = {}
        for one in recordings:
            self.add(one)

    def __iter__(self) -> Iterator[Recording]:
        """All of them."""
        return iter(self._all.values())

    def __contains__(self, path: object) -> bool:
        """Whether the recording of a file is among them."""
        return path in self._all

    def __len__(self) -> int:
        return len(self._all)

    def add(self, one: Recording) -> None:
        """Take a recording in; one from the same file goes."""
        self.remove(one.path)
        self._all[one.path] = one
        for model in _models(one):
            self._by_dialogue.setdefault((model, self._key(one.key)), []).insert(0, one)

    def remove(self, path: Path) -> None:
        """Give up the recording of a file, if there is one."""
        one = self._all.pop(path, None)
        if one is None:
            return
        for model in _models(one):
            alike = self._by_dialogue[model, self._key(one.key)]
            alike.remove(one)
            if not alike:
                del self._by_dialogue[model, self._key(one.key)]

    def find(self, request: ChatRequest, *, any_form: bool = False) -> Recording | None:
        """The recording of this request.

        Args:
            request: What is asked.
            any_form: Whether another chip's, or one that was streamed where now it is not, will do as well, if it can
                be said anew.

        Returns:
            Among several the same form first, since only a stream has pieces, then the same chip, then the same path,
            then the one whose other fields are most alike.
        """
        asked = _deployment(request)
        alike = self._by_dialogue.get((asked or request.model, self._key(dialogue(request))), ())
        found = [one for one in alike if _deployment(one.request) == asked]
        if self._match_on != USUAL:
            found = [one for one in found if not pinned_changes(one.request, request, self._match_on)]
        fitting = [one for one in found if (any_form and not one.judgement.why) or _same_form(one, request)]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        return max(
            fitting,
            key=lambda one: (
                one.request.stream == request.stream,
                one.request.chip == request.chip,
                one.request.route == request.route,
                _alike(one, request),
            ),
        )  # fmt: skip

    def _key(self, key: Key) -> Key:
        """What recordings are grouped by: the dialogue, unless it does not matter."""
        return key if DIALOGUE in self._match_on else ()

    def near_misses(self, request: ChatRequest, most: int = 3, *, anew: bool = False) -> list[str]:
        """The recordings most like a request that none fits, each with what differs.

        Args:
            request: What is asked.
            most: How many are told of.
            anew: Whether another chip's would do if it could be said anew: then what keeps it from that is told too.
        """
        asked = dialogue(request)
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(asked[-1][1][:_COMPARED_LETTERS] if asked else "")

        def likeness(one: Recording, ratio: Callable[[], float]) -> float:
            matcher.set_seq1(one.key[-1][1][:_COMPARED_LETTERS] if one.key else "")
            return ratio() * 2 + (one.request.model == request.model) + (one.request.chip == request.chip)

        looked_at = islice(self._all.values(), _COMPARED)
        near = nlargest(_COMPARED_WELL, looked_at, lambda one: likeness(one, matcher.quick_ratio))
        near.sort(key=lambda one: likeness(one, matcher.ratio), reverse=True)
        told = (
            (one, [*differences(one, request), *self._pinned(one, request)], one.judgement.why if anew else "")
            for one in near[:most]
        )
        return [
            f"{one.path.name}: {'; '.join([*found, *([f'cannot be said anew: {why}'] if why else [])])}"
            for one, found, why in told
        ]

    def _pinned(self, one: Recording, request: ChatRequest) -> list[str]:
        return pinned_changes(one.request, request, self._match_on)


def differences(one: Recording, request: ChatRequest) -> list[str]:
    """What keeps a recording from fitting, in words."""
    deployments = _deployment(one.request) or None, _deployment(request) or None
    found = [
        f"{name} is {shown(theirs)}, asked {shown(ours)}"
        for name, theirs, ours in (
            ("deployment", *deployments) if any(deployments) else ("model", one.request.model, request.model),
            ("chip", one.request.chip, request.chip),
            ("stream", one.request.stream, request.stream),
        )
        if theirs != ours
    ]
    asked = dialogue(request)
    if len(asked) != len(one.key):
        found.append(f"{len(one.key)} messages, asked {len(asked)}")
    for number, (theirs, ours) in enumerate(zip(one.key, asked, strict=False)):
        if theirs[0] != ours[0]:
            found.append(f"messages[{number}].role is {theirs[0]!r}, asked {ours[0]!r}")
        if theirs[1:] != ours[1:]:
            found.append(f"messages[{number}].content is {_short(theirs)}, asked {_short(ours)}")
    return found


def replayed(
    recordings: Recordings, request: ChatRequest, settings: ReplaySettings, prompt_tokens: Callable[[], int]
) -> Answer | Plan | None:
    """What the recordings say to a request: a plan to be performed as it is, an answer, or None where none fits.

    What was no whole answer, or cannot be said anew without a loss, is performed as it came, on the chip where it came;
    the plan's detail says why.

    Args:
        recordings: What there is.
        request: What is asked.
        settings: How it is played.
        prompt_tokens: Counts the request's tokens, where the recording tells none.
    """
    anew = settings.mode == "regenerate"
    found = recordings.find(request, any_form=anew)
    if found is None:
        return None
    stale = changes(found.request, request)
    if stale and settings.strict_requests:
        raise Refusal("no-match", stale_detail(found.path.name, stale))
    said: Answer | Plan
    if anew and not found.judgement.why:
        said = _regenerated(found, settings, prompt_tokens)
    else:
        said = exact_plan(found, settings.speed)
        said = replace(said, detail=f"played as it came: {found.judgement.why}") if anew else said
    return replace(said, stale=stale) if stale else said


def exact_plan(one: Recording, speed: float) -> Plan:
    """The recorded bytes in their chunks, at the recorded times divided by `speed`; 0 sends at once."""
    plan = one.plan
    if speed == 0:
        return replace(plan, at_ms=None, head_at_ms=None, end_at_ms=None)
    if speed == 1:
        return plan
    head_at_ms, end_at_ms = (None if at is None else at / speed for at in (plan.head_at_ms, plan.end_at_ms))
    times = [at / speed for at in plan.at_ms or ()]
    return replace(plan, at_ms=times, head_at_ms=head_at_ms, end_at_ms=end_at_ms)


def request_of(asked: Request) -> ChatRequest | None:
    """The chat request of a request as it came in."""
    made = _chat_request(parse_decoded(asked.path), asked.body)
    return None if made is None else replace(made, headers=asked.headers)


def _regenerated(one: Recording, settings: ReplaySettings, prompt_tokens: Callable[[], int]) -> Answer:
    answer = one.said
    if one.request.stream is False:
        answer = replace(answer, pieces=tokens.pieces(answer.text), reasoning=tokens.pieces("".join(answer.reasoning)))
    answer = _counted(answer, one.usage_counts, prompt_tokens)
    at_ms = tuple(at / settings.speed for at in answer.at_ms) if settings.speed else ()
    answer = replace(answer, at_ms=at_ms)
    return answer if settings.identity == "kept" else replace(answer, id=None, created=None)


def _counted(answer: Answer, told: set[str], prompt_tokens: Callable[[], int]) -> Answer:
    """The answer with the counts that were not recorded: the request's tokens, the answer's pieces and the end token.

    What came in one piece is cut as its tokens would be.
    """
    missing = [name for name in ("prompt_tokens", "completion_tokens") if name not in told]
    if not missing:
        return answer
    usage = answer.usage
    if "prompt_tokens" in missing:
        usage = replace(usage, prompt_tokens=prompt_tokens())
    if "completion_tokens" in missing:
        thoughts = _pieces_in(answer.reasoning)
        said = _pieces_in(answer.pieces) + sum(_pieces_in(call.pieces) for call in answer.tool_calls)
        usage = replace(usage, completion_tokens=thoughts + said + 1, reasoning_tokens=thoughts)
    return replace(answer, usage=usage, detail=f"usage was not recorded, so it is counted: {', '.join(missing)}")


def _pieces_in(pieces: tuple[str, ...]) -> int:
    return len(pieces) if len(pieces) > 1 else len(tokens.pieces("".join(pieces)))


def _same_form(one: Recording, request: ChatRequest) -> bool:
    return one.request.chip == request.chip and one.request.stream == request.stream


def _alike(one: Recording, request: ChatRequest) -> int:
    """How many other fields of the bodies are equal, less those that are not."""
    names = (one.request.body.keys() | request.body.keys()) - {"messages", "stream", "model"}
    return sum(1 if one.request.body.get(name) == request.body.get(name) else -1 for name in names)


def _deployment(request: ChatRequest) -> str:
    """The id of the deployment that is asked; empty where none is."""
    return request.route.deployment if request.route is not None else ""


def _models(one: Recording) -> set[str]:
    """The names under which it is asked: a deployment's id; else the path's model, and the body's, which may win."""
    if deployment := _deployment(one.request):
        return {deployment}
    named = one.request.body.get("model")
    return {one.request.model, named} if isinstance(named, str) and named else {one.request.model}


def _short(message: tuple[str, str, str]) -> str:
    text = message[1] or message[2]
    return repr(text if len(text) <= 40 else text[:40] + "…")
