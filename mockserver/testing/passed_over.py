"""What went over the wire and common readers pass over without an error: told with what to look at.

What is silent is observed: the table of docs/faults.md holds what the OpenAI SDK makes of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.pipeline.read import choices_in, read
from mockserver.testing.client_saw import ADVICE
from mockserver.testing.language import advised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mockserver.pipeline.frame import Json
    from mockserver.testing.seen_exchange import SeenExchange

FIRST_CHARACTERS: Final = 40
SHOWN_LINES: Final = 50
SHOWN_NUMBERS: Final = 5
STREAMS: Final = frozenset({"sse", "json-lines"})


def exchange_lines(exchanges: Sequence[SeenExchange]) -> list[str]:
    """A line for each of the last exchanges, then what readers pass over: each sentence once, with its exchanges."""
    left_out = len(exchanges) - SHOWN_LINES
    lines = [f"({left_out} earlier exchanges left out)"] if left_out > 0 else []
    lines += map(exchange_line, exchanges[-SHOWN_LINES:])
    told: dict[str, list[int]] = {}
    for one in exchanges:
        for sentence in passed_over(one):
            told.setdefault(sentence, []).append(one.number)
    return lines + [f"look at {_numbers(numbers)}: {sentence}" for sentence, numbers in told.items()]


def exchange_line(one: SeenExchange) -> str:
    """Number, chip, status, wire form, pieces, first words, how it ended, faults."""
    said = one.carried
    words = [f"#{one.number}", one.chip or one.path, str(one.status or "no answer")]
    if (one.status or 0) >= 400:
        words += ["refused"] if one.source.startswith("refusal:") and not one.faults else []
    elif said.framing:
        pieces = "1 piece" if said.chunks == 1 else f"{said.chunks} pieces"
        words.append(f"{said.framing}, {pieces}")
        if said.text:
            words.append(_first_words(said.text))
        words += [f"calls {', '.join(said.tool_calls)}"] if said.tool_calls else []
        words += ["blocked"] if said.blocked else []
        words.append(f"finish_reason {said.finish_reason}" if said.finish_reason else "no finish_reason")
    elif one.status is not None:
        words.append("empty body")
    words.append("in flight" if one.ending is None else one.ending)
    words += ["the client left"] if one.client_left else []
    words += [f"faults {', '.join(one.faults)}"] if one.faults else []
    return "  ".join(words)


def passed_over(one: SeenExchange) -> list[str]:
    """What is in an answer that common readers pass over in silence, each in a sentence that says what to look at."""
    if one.status is None or one.status >= 400 or one.ending != "complete":
        return []
    return [advised(sentence) for is_there, sentence in SILENT if is_there(one)]


def _no_body(one: SeenExchange) -> bool:
    return not one.carried.framing


def _bare_lines(one: SeenExchange) -> bool:
    return bool(one.stream) and one.carried.framing == "json-lines"


def _whole_for_a_stream(one: SeenExchange) -> bool:
    return bool(one.stream) and one.carried.framing == "json"


def _ends_early(one: SeenExchange) -> bool:
    said = one.carried
    return said.framing in STREAMS and said.finish_reason is None and not said.blocked and not said.problem


def _blocked(one: SeenExchange) -> bool:
    return one.carried.blocked


def _finish_merged(one: SeenExchange) -> bool:
    finishing = [
        choice for chunk in _chunks(one) for choice in choices_in(chunk) if isinstance(choice.get("finish_reason"), str)
    ]
    deltas = [choice["delta"] for choice in finishing if choice["finish_reason"]]
    return any(isinstance(delta, dict) and bool(delta.get("content")) for delta in deltas)


def _no_object(one: SeenExchange) -> bool:
    return one.carried.framing == "sse" and any("choices" in chunk and "object" not in chunk for chunk in _chunks(one))


def _wrong_order(one: SeenExchange) -> bool:
    return one.carried.framing in STREAMS and bool({"duplicate_frame", "reorder"} & set(one.faults))


def _chunks(one: SeenExchange) -> Sequence[Json]:
    """The chunks of a stream that could be read."""
    if one.carried.framing not in STREAMS:
        return ()
    objects = read("".join(text for _, text in one.sends).encode("utf-8", "replace")).objects
    return [chunk for chunk in objects if all(isinstance(choice.get("delta"), dict) for choice in choices_in(chunk))]


SILENT: Final[tuple[tuple[Callable[[SeenExchange], bool], str], ...]] = (
    (
        _no_body,
        (
            "a good status and no body at all, which ends like an answer without words: see that the client takes an "
            "empty answer for an error"
        ),
    ),
    (_bare_lines, ADVICE["json-lines"]),
    (
        _whole_for_a_stream,
        (
            "one JSON body where a stream was asked for, which a reader of server-sent events skips "
            "without an error: see that the client looks at the Content-Type, or at the first byte"
        ),
    ),
    (
        _ends_early,
        (
            "the stream ended as HTTP wants it, but without a finish_reason: it was cut, and nothing raises for "
            "it: see that the client takes a stream without finish_reason for a broken one"
        ),
    ),
    (
        _blocked,
        (
            "the text review stopped the answer (`blocked: true`), which clients of OpenAI do not know and pass "
            "over: see that the client looks at `blocked`, in chunks through model_extra"
        ),
    ),
    (
        _finish_merged,
        (
            "the last words came in the chunk that carries finish_reason: a reader that stops at "
            "finish_reason before it takes delta.content loses them: see that the last words are shown"
        ),
    ),
    (
        _no_object,
        (
            "chunks without `object`, which the OpenAI SDK's .stream() helper passes over; create(stream=True) "
            "reads them: see which of the two the client uses"
        ),
    ),
    (
        _wrong_order,
        (
            "a frame came twice or in the wrong place, and no reader can see it: see that nothing relies on the "
            "text alone, and compare it where usage tells how much there was"
        ),
    ),
)
"""What is passed over, and what to look at."""


def _first_words(text: str) -> str:
    shown = repr(text[:FIRST_CHARACTERS])
    return f"{shown[:-1]}…{shown[-1]}" if len(text) > FIRST_CHARACTERS else shown


def _numbers(numbers: Iterable[int]) -> str:
    shown = [f"#{number}" for number in numbers]
    more = len(shown) - SHOWN_NUMBERS
    return ", ".join(shown[:SHOWN_NUMBERS]) + (f" and {more} more" if more > 0 else "")
