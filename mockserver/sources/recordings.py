"""The recorded source: recordings, matched by model, chip, stream and the dialogue's content.

A deployment is matched by its id, whatever model the body names.

A dialogue of several turns is found by what was said in it, never by a counter, so the order of requests does not
matter. How one is played: `replay.py`.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache
from hashlib import blake2b
from heapq import nlargest
from itertools import islice
from math import inf
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError, shown
from mockserver.core.immutable import immutable
from mockserver.sources.recording_file import Recording, dialogue, read_recording
from mockserver.sources.staleness import DIALOGUE, USUAL, pinned_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mockserver.core.exchange import ChatRequest
    from mockserver.sources.recording_file import Key

_COMPARED_LETTERS = 200
_COMPARED = 500  # recordings looked at for a near miss, by their letters; the best are compared in their order too
_COMPARED_WELL = 20
KEPT_READ: Final = 512
"""Recordings of which all is kept as it was read again: about 6 MiB, where they are small."""


@immutable(frozen=True, slots=True, eq=False)
class FiledRecording:
    """What is looked at of a recording before it is played: for as many as there are: a tenth of the whole.

    Attributes:
        path: Its file.
        models: The names under which it is asked.
        deployment: The id of the deployment that it is of; empty for none.
        chip: Its chip.
        stream: Whether it was streamed.
        key: What it is grouped by.
        kept: All of it; None where its file is read again when it is asked for.
        default_chip: The chip where its path names none.
    """

    path: str
    models: tuple[str, ...]
    deployment: str
    chip: str
    stream: bool
    key: bytes
    kept: Recording | None
    default_chip: str

    def whole(self) -> Recording | None:
        """All of it; the last `KEPT_READ` that were asked for are kept. None where its file is another one by now."""
        return self.kept or _read_again(self)


@lru_cache(maxsize=KEPT_READ)
def _read_again(filed: FiledRecording) -> Recording | None:
    try:
        made = read_recording(Path(filed.path), filed.default_chip)
    except OperatorError:
        return None
    same = made is not None and (made.request.chip, made.request.stream) == (filed.chip, filed.stream)
    return made if same and made is not None and filed.key in {digest(made.key), b""} else None


def load(root: Path) -> list[Recording]:
    """The recordings below a folder; raises OperatorError for the first broken file. Files of other forms are left."""
    made = (read_recording(path) for path in sorted(root.rglob("*.json")))
    return [one for one in made if one is not None]


def digest(key: Key) -> bytes:
    """What stands for a dialogue, however long it is."""
    return blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Recordings:
    """Recordings by dialogue; what is added later wins over what was there before.

    A thread may add and remove them while another asks: each change is one assignment.

    Args:
        recordings: Those there are.
        match_on: What one is found by beside model, chip and stream: some of `ASPECTS`, and `headers:NAME`.
        most_whole: So many are kept whole; the files of others are read again when they are played.
        default_chip: The chip of those whose path names none.
    """

    def __init__(
        self,
        recordings: Iterable[Recording] = (),
        match_on: Sequence[str] = USUAL,
        most_whole: float = inf,
        default_chip: str = "",
    ) -> None:
        self._match_on = match_on
        self._most_whole = most_whole
        self._default_chip = default_chip
        self._by_dialogue: dict[tuple[str, bytes], tuple[FiledRecording, ...]] = {}
        self._all: dict[str, FiledRecording] = {}
        for one in recordings:
            self.add(one)

    def __iter__(self) -> Iterator[Recording]:
        """All of them."""
        return filter(None, map(FiledRecording.whole, list(self._all.values())))

    def __contains__(self, path: object) -> bool:
        """Whether the recording of a file is among them."""
        return str(path) in self._all

    def __len__(self) -> int:
        return len(self._all)

    def named(self) -> set[tuple[str, str]]:
        """Model and chip of each that is of no deployment."""
        return {(one.models[0], one.chip) for one in list(self._all.values()) if not one.deployment}

    def add(self, one: Recording) -> None:
        """Take a recording in; one from the same file goes."""
        path, asked = str(one.path), one.request
        before = self._all.get(path)
        models, kept = _models(one), one if len(self._all) < self._most_whole else None
        filed = FiledRecording(
            path, tuple(map(intern, models)), _deployment(asked), intern(asked.chip), asked.stream,
            self._key(one.key), kept, self._default_chip,
        )  # fmt: skip
        self._all[path] = filed
        for model in filed.models:
            self._by_dialogue[model, filed.key] = (filed, *self._by_dialogue.get((model, filed.key), ()))
        if before is not None:
            self._leave(before)

    def remove(self, path: Path) -> None:
        """Give up the recording of a file, if there is one."""
        one = self._all.pop(str(path), None)
        if one is not None:
            self._leave(one)

    def _leave(self, filed: FiledRecording) -> None:
        for model in filed.models:
            left = tuple(one for one in self._by_dialogue[model, filed.key] if one is not filed)
            if left:
                self._by_dialogue[model, filed.key] = left
            else:
                del self._by_dialogue[model, filed.key]

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
        of_form = [one for one in alike if one.deployment == asked and (any_form or _same_form(one, request))]
        found = [whole for one in of_form if (whole := one.whole()) is not None]
        if self._match_on != USUAL:
            found = [one for one in found if not pinned_changes(one.request, request, self._match_on)]
        fitting = [one for one in found if _same_form(one.request, request) or not one.judgement.why]
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

    def _key(self, key: Key) -> bytes:
        """What recordings are grouped by: the dialogue, unless it does not matter."""
        return digest(key) if DIALOGUE in self._match_on else b""

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

        looked_at = islice(self, _COMPARED)
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


def _same_form(one: FiledRecording | ChatRequest, request: ChatRequest) -> bool:
    return one.chip == request.chip and one.stream == request.stream


def _alike(one: Recording, request: ChatRequest) -> int:
    """How many other fields of the bodies are equal, less those that are not."""
    names = (one.request.body.keys() | request.body.keys()) - {"messages", "stream", "model"}
    return sum(1 if one.request.body.get(name) == request.body.get(name) else -1 for name in names)


def _deployment(request: ChatRequest) -> str:
    """The id of the deployment that is asked; empty where none is."""
    return request.route.deployment if request.route is not None else ""


def _models(one: Recording) -> list[str]:
    """The names under which it is asked: a deployment's id; else the path's model, and the body's, which may win."""
    if deployment := _deployment(one.request):
        return [deployment]
    named = one.request.body.get("model")
    own = one.request.model
    return [own, named] if isinstance(named, str) and named and named != own else [own]


def _short(message: tuple[str, str, str]) -> str:
    text = message[1] or message[2]
    return repr(text if len(text) <= 40 else text[:40] + "…")
