"""Streams that break clients: valid ones are generated, cut into network writes, and read by a client on a real socket.

What the client read is compared with what the stream says. Of the streams that it gets wrong the smallest is kept, for
each bug that is told from the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Self

from hypothesis import HealthCheck, Phase, given, seed, settings

from mockserver.contract import strategies
from mockserver.contract.cut_words import kind_and_words
from mockserver.contract.failure import ASKED, PATH, Failure, exchange_of, truth_of
from mockserver.contract.fuzz_server import HELD_OPEN_S, StreamServer, load, serving
from mockserver.contract.harmless import KNOWN, harmless
from mockserver.contract.harmless import known as known_of
from mockserver.contract.judge import Said, TimedClient, difference, judge
from mockserver.contract.shrink import smaller, without
from mockserver.contract.streams import RICH, SPREAD, alone, composed, sweep
from mockserver.core.exchange import Exchange, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypothesis.strategies import SearchStrategy

    from mockserver.contract.judge import Client
    from mockserver.contract.streams import Stream
    from mockserver.pipeline.wire_settings import WireSettings

__all__ = [
    "ASKED", "Covered", "Failure", "FuzzOptions", "Fuzzed", "Said", "Trial", "difference", "exchange_of", "find_bug",
    "find_bugs", "harmless", "judge", "load", "serving", "truth_of",
]  # fmt: skip

EXAMPLES: Final = 150
MOST_PAUSE_MS: Final = 1000
MOST_STEPS: Final = 400  # in the search for a smaller stream
STEP_MS: Final = 100  # of a stream's pauses that are one step more
MOST_BUGS: Final = 10
WAITED: Final = f"the client waited for the end of the body, {HELD_OPEN_S:g} s after data: [DONE] said that it is over"


@dataclass(frozen=True, slots=True)
class Trial:
    """One stream that was tried, for the progress.

    Attributes:
        number: Its number, from 1.
        stream: The stream.
        problem: What the client did wrong; empty where nothing.
        search: What it was tried for: `bug`, `smaller` (the search for a smaller one), or `known`.
    """

    number: int
    stream: Stream
    problem: str
    search: str = "bug"

    @property
    def tried(self) -> str:
        """What is tried with it, in a few words."""
        cuts = self.stream.cuts
        words = list(self.stream.quirks) or ["as the chip sends it"]
        words += [f"{len(self.stream.answer.text):,} characters"] if len(self.stream.answer.text) > 1000 else []
        words += ["calls"] if self.stream.answer.tool_calls else []
        words += [f"cut {kind}" if kind != "every few bytes" else kind for kind in dict(cuts.inside)]
        words += [f"pauses of {max(ms for _, ms in cuts.pauses)} ms"] if cuts.pauses else []
        return ", ".join(words)


@dataclass(slots=True)
class Covered:
    """What was tried before bugs were made smaller.

    Attributes:
        forms: How many streams had each quirk or form; `as the chip sends it` is one of them.
        cuts: How many writes ended in each kind of place.
        longest_line: Bytes.
        longest_text: Characters.
        longest_pause_ms: Milliseconds.
        calls: How many streams called functions.
    """

    forms: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    longest_line: int = 0
    longest_text: int = 0
    longest_pause_ms: int = 0
    calls: int = 0

    def add(self, stream: Stream) -> None:
        """Count a stream."""
        self.forms.update(stream.quirks or ("as the chip sends it",))
        body = b"".join(stream.writes)
        if stream.wire.frame.delivery == "streamed":
            kinds = (kind_and_words(body, at)[0] for at in accumulate(map(len, stream.writes[:-1])))
            self.cuts.update(kind or "between events" for kind in kinds)
        self.longest_line = max(self.longest_line, *map(len, body.split(b"\n")))
        self.longest_text = max(self.longest_text, len(stream.answer.text))
        self.longest_pause_ms = max(self.longest_pause_ms, *stream.pauses_ms)
        self.calls += bool(stream.answer.tool_calls)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of a run.

    Attributes:
        tried: How many streams were tried before bugs were made smaller.
        failures: The smallest stream of each bug.
        known: The smallest of each kind that many clients are known to lose; they do not count.
        covered: What was tried.
    """

    tried: int
    failures: Sequence[Failure]
    known: Sequence[Failure]
    covered: Covered


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """What is tried.

    Attributes:
        further: Quirks and forms that may be added, () for none: then only the cuts and texts vary; None adds harmless
            ones, and none that many clients are known to lose (`harmless.KNOWN`): those count where they are named.
        known: Quirks and forms that are tried last, each alone, and do not count; None for those of `harmless.KNOWN`
            that are not among `further`. They are tried where each of `further` was.
        examples: How many streams are tried before a bug is found; the search for a smaller one takes more.
        number: The same number gives the same streams.
        full: Whether some answers call functions or end at a limit, for clients that tell of it; None for those whose
            first reading has `tool_calls`.
        path: Where the stream is found.
        most_pause_ms: The longest pause between two writes, in milliseconds; 0 for none.
        keep_going: Whether it goes on behind the first bug, to ten at most.
    """

    further: Sequence[str] | None = None
    known: Sequence[str] | None = None
    examples: int = EXAMPLES
    number: int = 0
    full: bool | None = None
    path: str = PATH
    most_pause_ms: int = MOST_PAUSE_MS
    keep_going: bool = True


def _say_nothing(_trial: Trial) -> None:
    """No progress is told."""


def find_bug(  # noqa: PLR0913 - keywords, of which a caller gives one or two
    client: Client,
    wire: WireSettings,
    *,
    further: Sequence[str] | None = None,
    examples: int = EXAMPLES,
    number: int = 0,
    full: bool | None = None,
    path: str = PATH,
    most_pause_ms: int = MOST_PAUSE_MS,
    progress: Callable[[Trial], None] = _say_nothing,
) -> Failure | None:
    """The smallest valid stream that a client reads wrongly; None where it reads all of them rightly.

    Args:
        client: Given a base URL, asks for a stream there and returns the text that it read, or several keys of
            `truth_of`, which are all compared.
        wire: The chip's settings.
        further: As in `FuzzOptions`, and so are those that follow.
        examples: How many streams.
        number: Which.
        full: Whether some answers call functions.
        path: Where the stream is found.
        most_pause_ms: The longest pause.
        progress: Told of each stream.
    """
    options = FuzzOptions(further, (), examples, number, full, path, most_pause_ms, keep_going=False)
    failures = find_bugs(client, wire, options, progress).failures
    return failures[0] if failures else None


def find_bugs(
    client: Client,
    wire: WireSettings,
    options: FuzzOptions = FuzzOptions(),
    progress: Callable[[Trial], None] = _say_nothing,
) -> Fuzzed:
    """Like `find_bug`, for several bugs in one run, what is known to be lost by many, and what was covered.

    What breaks the client is left out of the streams that follow, so that each further failure is another bug.

    Args:
        client: As there.
        wire: As there.
        options: What is tried.
        progress: As there.
    """
    with _Trials(client, wire, options, progress) as trials:
        failures: list[Failure] = []
        for stream in _streams(trials, options):
            left = _without_all(wire, stream, failures)
            if left is None:
                break
            failure = trials.fresh(left)
            if failure:
                failures.append(trials.smallest(failure))
            if failures and (not options.keep_going or len(failures) == MOST_BUGS):
                break
        known: list[Failure] = []
        if options.keep_going or not failures:
            known, more = _known(trials, options, failures)
            failures += more
    return Fuzzed(trials.searched, tuple(failures), tuple(known), trials.covered)


def _known(trials: _Trials, options: FuzzOptions, failures: Sequence[Failure]) -> tuple[list[Failure], list[Failure]]:
    """Of the streams that many clients are known to lose the smallest of each kind, and bugs that they showed."""
    known: list[Failure] = []
    bugs: list[Failure] = []
    names = trials.known if len(trials.swept) <= options.examples else ()
    for stream in alone(trials.wire, names, trials.further, tools=trials.tools):
        name = stream.quirks[0]
        left = _without_all(trials.wire, stream, [*failures, *bugs])
        if left is None or any(name in one.stream.quirks for one in known):
            continue
        failure = trials.fresh(left, "known")
        if failure:
            smallest = trials.smallest(failure)
            if name in smallest.stream.quirks:
                known.append(replace(smallest, known=KNOWN.get(name, "it is not to count")))
            else:
                bugs.append(smallest)
    return known, bugs


def _plain(wire: WireSettings) -> Stream:
    return composed(wire, (), RICH, SPREAD)


def _without_all(wire: WireSettings, stream: Stream, failures: Sequence[Failure]) -> Stream | None:
    """A stream without what breaks the client already; None where everything does."""
    left: Stream | None = stream
    for failure in failures:
        left = left and without(wire, left, failure.stream)
    return left


def _streams(trials: _Trials, options: FuzzOptions) -> Iterator[Stream]:
    """The streams to try: a plain one, those that no chance should miss, then Hypothesis's."""
    plain = _plain(trials.wire)
    yield plain
    tools = "tool_calls" in trials.told if options.full is None else options.full
    most_pause_ms = options.most_pause_ms
    trials.tools = tools
    trials.swept = sweep(trials.wire, trials.further, tools=tools, most_pause_ms=most_pause_ms)
    yield from (one for one in trials.swept[: options.examples] if one != plain)
    finishes = ("stop", "length") if tools else ("stop",)
    drawing = strategies.streams(
        trials.wire, trials.further, tools=tools, finishes=finishes, most_pause_ms=most_pause_ms
    )
    yield from _drawn(drawing, options.examples - len(trials.swept), options.number)


def _drawn(drawing: SearchStrategy[Stream], count: int, number: int) -> Iterator[Stream]:
    """Hypothesis's streams; the same number gives the same ones."""
    if count < 1:
        return
    drawn: list[Stream] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawing)
    def draw(stream: Stream) -> None:
        drawn.append(stream)

    draw()
    yield from drawn


class _Trials:
    """A client and the server that it reads from.

    Attributes:
        wire: The dialect before quirks were added.
        further: Quirks and forms that may be added.
        known: Those that do not count.
        number: How many streams were tried.
        searched: How many of them were not tried to make a bug smaller.
        told: Keys of what the client told of last; none where it told the text alone.
        tools: Whether answers call functions.
        swept: The streams that no chance should miss.
        covered: What was tried.
    """

    def __init__(
        self, client: Client, wire: WireSettings, options: FuzzOptions, progress: Callable[[Trial], None]
    ) -> None:
        self.wire = wire
        self.further = harmless(wire) if options.further is None else options.further
        others = [name for name in known_of(wire) if name not in self.further]
        self.known = others if options.known is None else options.known
        self.number = 0
        self.searched = 0
        self.told: frozenset[str] = frozenset()
        self.tools = False
        self.swept: Sequence[Stream] = ()
        self.covered = Covered()
        self._client = client
        self._path = options.path
        self._progress = progress
        self._more_s = 0.0
        self._seen: set[tuple[object, ...]] = set()
        self._server = StreamServer(Exchange(Request("POST", options.path, {}, ASKED)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def fresh(self, stream: Stream, search: str = "bug") -> Failure | None:
        """Try a stream that was not tried yet; None where it was, or where the client reads it rightly."""
        exchange = exchange_of(stream, self._path)
        made = (exchange.plan, stream.never_ends)
        if made in self._seen:
            return None
        self._seen.add(made)
        self.searched += 1
        self.covered.add(stream)
        return self._tried(stream, exchange, search)

    def smallest(self, failure: Failure) -> Failure:
        """A failure from which no step leads to a smaller one."""
        steps = 0
        while steps < MOST_STEPS:
            for stream in smaller(self.wire, failure.stream):
                steps += 1 + sum(stream.pauses_ms) // STEP_MS
                found = self._tried(stream, exchange_of(stream, self._path), "smaller")
                if found or steps >= MOST_STEPS:
                    failure = found or failure
                    break
            else:
                break
        return failure

    def _tried(self, stream: Stream, exchange: Exchange, search: str) -> Failure | None:
        self.number += 1
        self._server.exchange = exchange
        self._more_s = sum(stream.pauses_ms) / 1000 + (2 * HELD_OPEN_S if stream.never_ends else 0)
        problem = judge(self._read, self._server.base_url, truth_of(stream))
        if self._server.waited:
            problem = WAITED
        self._progress(Trial(self.number, stream, problem, search))
        return Failure(stream, exchange, problem) if problem else None

    def _read(self, base_url: str) -> Said:
        client = self._client
        said = client(base_url, self._more_s) if isinstance(client, TimedClient) else client(base_url)
        self.told = frozenset(said) if isinstance(said, Mapping) else frozenset()
        return said
