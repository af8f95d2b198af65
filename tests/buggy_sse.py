"""Small clients that read events as real libraries and much-copied snippets do, each with what is wrong about that.

Go's `bufio.Scanner`, `iter_lines` of requests, patterns over the text, strings of C, checks for the word error. All are
right otherwise; `BUGS` says with how few frames each shows, and a part of what is said of it.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests.buggy_clients import body_of, chunks_of, lines_of, reads, said, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mockserver.contract.fuzz import Said

LINE_LIMIT: Final = 64 * 1024


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event, of lines as some library cut them."""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))


def text_in(data: Iterable[str]) -> str:
    """The text of the data of events."""
    found = ""
    for one in data:
        if one.strip() == "[DONE]":
            break
        found += said(json.loads(one))
    return found


def scans_like_go(base_url: str) -> str:
    """Has `bufio.Scanner`'s limit of 64 KiB on a line, and does not ask it for its error."""
    lines = lines_of(body_of(base_url))
    end = next((n for n, line in enumerate(lines) if len(line.encode()) >= LINE_LIMIT), len(lines))
    return text_in(data_of([*lines[:end], ""]))


def reads_64_kib_of_a_line(base_url: str) -> str:
    """Reads lines with `readline(65536)`, which gives a longer one in parts."""
    lines = lines_of(body_of(base_url))
    parts = [line[at : at + LINE_LIMIT] for line in lines for at in range(0, len(line) or 1, LINE_LIMIT)]
    return text_in(data_of(parts))


def takes_lines_of_requests(base_url: str) -> str:
    r"""Goes by `iter_lines` of requests: a network read that ends between CR and LF makes a blank line."""

    def lines() -> Iterator[bytes]:
        pending = b""
        for read in reads(base_url):
            found = (pending + read).splitlines()
            pending = found.pop() if found and read[-1:] not in b"\r\n" else b""
            yield from found
        yield pending

    return text_in(data_of(line.decode("utf-8-sig") for line in lines()))


def ends_lines_at_u0085(base_url: str) -> str:
    """Takes U+0085 for the end of a line, as Java's patterns and old XML do."""
    return text_in(data_of(re.split("\r\n|\n|\r|\x85", body_of(base_url))))


def finds_data_by_pattern(base_url: str) -> str:
    r"""Looks for `data: (.*)` in the text, wherever in a line it stands."""
    return text_in(re.findall(r"data: ?(.*?)\r?(?:\n|$)", body_of(base_url)))


def finds_events_by_pattern(base_url: str) -> str:
    r"""Looks for `data: {…}` with a pattern whose dot is no line end."""
    return "".join(
        said(json.loads(one)) for one in re.findall(r"^data: ?(\{.*\})\s*$", body_of(base_url), re.MULTILINE)
    )


def cuts_off_six(base_url: str) -> str:
    """Cuts off six characters of a data line, whether a space stands there or not."""
    data = (line[6:] for line in lines_of(body_of(base_url)) if line.startswith("data:"))
    return text_in(one if one.startswith(("{", "[DONE]")) or not one.strip() else "{" + one for one in data if one)


def splits_at_data_anywhere(base_url: str) -> str:
    """Splits at `data: `, also where the text says it."""
    data = (part.strip() for part in re.split(r"data: ?", body_of(base_url))[1:])
    return text_in(re.sub(r"[\r\n]+(?:event|id|retry|:).*", "", one, flags=re.DOTALL) for one in data)


def takes_data_out_of_a_line(base_url: str) -> str:
    """Takes `data: ` out of a line, wherever it stands: `line.replace("data: ", "")`."""
    events = data_of(lines_of(body_of(base_url)))
    return text_in(one.replace("data: ", "") for one in events)


def looks_for_the_word_error(base_url: str) -> str:
    """Takes a line with the word error in it for one."""
    body = body_of(base_url)
    if any("error" in line.lower() for line in lines_of(body)):
        raise RuntimeError("the stream has an error")
    return text_of(body)


def takes_a_null_error_for_one(base_url: str) -> str:
    """Takes a chunk that has the key error for an error, also where it is null."""
    chunks = chunks_of(body_of(base_url))
    if any("error" in one for one in chunks):
        raise RuntimeError("the stream has an error")
    return "".join(map(said, chunks))


def ignores_named_events(base_url: str) -> str:
    """Reads the events that have no name, as a listener for another name would not."""
    named = "\n".join(lines_of(body_of(base_url))).split("\n\n")
    return text_of("\n\n".join(one for one in named if not re.search("^event:", one, re.MULTILINE)) + "\n\n")


def strips_the_beginning_of_each_read(base_url: str) -> str:
    """Strips white space off the beginning of what each network read brings."""
    first, *rest = [*reads(base_url), b""]
    return text_of((first + b"".join(one.lstrip(b" ") for one in rest)).decode("utf-8-sig"))


def cuts_off_at_nul(base_url: str) -> str:
    """Keeps text as C does, up to its first NUL."""
    pieces = (said(one) for one in chunks_of(body_of(base_url)))
    return "".join(one.partition("\0")[0] for one in pieces)


def unescapes_twice(base_url: str) -> str:
    r"""Unescapes the text once more: a backslash and an n become a line end."""
    return text_of(body_of(base_url)).replace("\\n", "\n").replace("\\u4f60", "\u4f60")


def unescapes_before_it_parses(base_url: str) -> str:
    r"""Turns \n into line ends before it reads the JSON."""
    return text_in(data_of(line.replace("\\n", "\n") for line in lines_of(body_of(base_url))))


def drops_blank_pieces(base_url: str) -> str:
    """Takes a piece of white space for none."""
    return "".join(one for one in map(said, chunks_of(body_of(base_url))) if one.strip())


def knows_done_with_a_space(base_url: str) -> str:
    """Knows the end as `data: [DONE]` to the letter."""
    found = ""
    for line in lines_of(body_of(base_url)):
        if line == "data: [DONE]":
            break
        if line.startswith("data:") and line[5:].strip():
            found += said(json.loads(line[5:]))
    return found


def knows_lf_alone(base_url: str) -> str:
    """Splits at LF and leaves the CR where it is, so the end is never the one that it knows."""
    found = ""
    for line in body_of(base_url).split("\n"):
        if line in {"data: [DONE]", "data:[DONE]"}:
            break
        if line.startswith("data:") and line[5:].strip():
            found += said(json.loads(line[5:]))
    return found


def unescapes_entities(base_url: str) -> str:
    """Takes the text for HTML."""
    return html.unescape(text_of(body_of(base_url)))


def drops_other_times(base_url: str) -> str:
    """Takes a chunk of another second for one of another answer."""
    chunks = chunks_of(body_of(base_url))
    times = [one["created"] for one in chunks if "created" in one]
    return "".join(said(one) for one in chunks if one.get("created", times[:1]) in (times[0], times[:1]))


def goes_by_the_first_id(base_url: str) -> str:
    """Takes a chunk with another id for one of another answer."""
    chunks = chunks_of(body_of(base_url))
    ids = [one["id"] for one in chunks if "id" in one]
    return "".join(said(one) for one in chunks if one.get("id", ids[0]) == ids[0])


def parses_empty_data(base_url: str) -> str:
    """Parses the data of each line that begins so, also where it is empty."""
    for line in lines_of(body_of(base_url)):
        if line in {"data:", "data: "}:
            json.loads(line[5:])
    return text_of(body_of(base_url))


def reads_whole_numbers_alone(base_url: str) -> str:
    """Reads numbers as digits: JSON may write 1700000000 as 1.7e9."""

    def digits(text: str) -> Any:
        raise ValueError(f"{text} is no whole number")

    data = (one for one in data_of(lines_of(body_of(base_url))))
    found = ""
    for one in data:
        if one.strip() == "[DONE]":
            break
        found += said(json.loads(one, parse_float=digits))
    return found


BUGS: Final[dict[Callable[[str], Said], tuple[int, str]]] = {
    scans_like_go: (4, "a line is 65,536 bytes long"),
    reads_64_kib_of_a_line: (4, "a line is 65,537 bytes long"),
    takes_lines_of_requests: (4, "ends between CR and LF"),
    ends_lines_at_u0085: (4, "U+0085"),
    finds_data_by_pattern: (4, "CR alone"),
    finds_events_by_pattern: (4, "CR alone"),
    cuts_off_six: (4, "data-nospace"),
    splits_at_data_anywhere: (4, "the text has data: in it"),
    takes_data_out_of_a_line: (4, "the stream says 'data: '"),
    looks_for_the_word_error: (4, "null-error"),
    takes_a_null_error_for_one: (4, "null-error"),
    ignores_named_events: (4, "event-field"),
    strips_the_beginning_of_each_read: (4, "ends inside a line"),
    cuts_off_at_nul: (4, "U+0000"),
    unescapes_twice: (4, "the stream says '\\\\"),
    unescapes_before_it_parses: (4, "the text is white space alone"),
    drops_blank_pieces: (4, "the text is white space alone"),
    knows_done_with_a_space: (4, "data-nospace"),
    knows_lf_alone: (4, "crlf"),
    unescapes_entities: (4, "the stream says '&"),
    drops_other_times: (4, "chunk-created=counts-up"),
    goes_by_the_first_id: (4, "chunk-id=own"),
    parses_empty_data: (4, "empty-data"),
    reads_whole_numbers_alone: (4, "exponents"),
}
"""Each bug, with the frames that its smallest stream may have, and a part of what is said of it."""
COUNTED_BY_NAME: Final[dict[Callable[[str], Said], tuple[str, ...]]] = {
    goes_by_the_first_id: ("chunk-id=own",),
    parses_empty_data: ("empty-data",),
    reads_whole_numbers_alone: ("exponents",),
}
"""Bugs that show on what many clients lose, with what is to be added so that it counts."""
