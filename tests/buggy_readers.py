"""More small clients with one bug each: long lines, fields of events, calls of functions, escapes, pauses, ends.

Each takes the base URL and returns the text, or an object with more of what it read. `BUGS` names them by kind, and
`OTHERS` those that a run finds besides.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.failure import in_halves
from mockserver.contract.forms import HALVES
from tests.buggy_clients import answer, body_of, chunks_of, lines_of, reads, said, text_of, until_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.contract.fuzz import Said


def chunks(base_url: str) -> list[dict[str, Any]]:
    """The chunks of a streamed answer."""
    return chunks_of(body_of(base_url))


def deltas(base_url: str) -> list[dict[str, Any]]:
    """The deltas of a streamed answer."""
    return [choice["delta"] for chunk in chunks(base_url) for choice in chunk["choices"]]


def contents(base_url: str) -> list[str]:
    """The pieces of a streamed answer's text."""
    return [delta.get("content") or "" for delta in deltas(base_url)]


def told(base_url: str, **other: object) -> dict[str, Any]:
    """All that there is to tell of a streamed answer, and what a client tells otherwise."""
    calls: dict[int, dict[str, str]] = {}
    for piece in (piece for delta in deltas(base_url) for piece in delta.get("tool_calls") or ()):
        call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
        for key in call:
            call[key] += piece["function"].get(key) or ""
    return {"text": "".join(contents(base_url)), "tool_calls": list(calls.values()), **other}


# --- long lines and texts -----------------------------------------------------------------------------------------


def _with_lines_of(most: int) -> Callable[[str], str]:
    def cuts_lines(base_url: str) -> str:
        return text_of("\n".join(line[:most] for line in lines_of(body_of(base_url))))

    cuts_lines.__name__ = f"keeps_{most}_of_a_line"
    return cuts_lines


def refuses_lines_over_64_kib(base_url: str) -> str:
    """Has a limit of 64 KiB on a line, as asyncio's reader has unless it is told otherwise."""
    if max(map(len, lines_of(body_of(base_url)))) > 65_536:
        raise ValueError("Separator is not found, and chunk exceed the limit")
    return "".join(contents(base_url))


def keeps_64_kib_of_a_text(base_url: str) -> str:
    """Has a buffer of 64 KiB for the whole text."""
    return "".join(contents(base_url)).encode()[:65_536].decode("utf-8", "ignore")


def calls_itself_for_each_piece(base_url: str) -> str:
    """Goes on to the next piece by calling itself, and Python does not do that a thousand times."""

    def rest(pieces: list[str]) -> str:
        return pieces[0] + rest(pieces[1:]) if pieces else ""

    return rest(contents(base_url))


# --- fields of events ---------------------------------------------------------------------------------------------


def takes_each_data_line_for_an_event(base_url: str) -> str:
    """Parses every data line by itself; the standard joins those of one event."""
    data = [line[5:].strip() for line in lines_of(body_of(base_url)) if line.startswith("data:")]
    return "".join(said(json.loads(one)) for one in data if one != "[DONE]")


def keeps_the_last_data_line(base_url: str) -> str:
    """Keeps one data line of an event, the last."""
    found = ""
    for event in "\n".join(lines_of(body_of(base_url))).split("\n\n"):
        data = dict(line.split(":", 1) for line in event.split("\n") if ":" in line).get("data", "")
        found += said(json.loads(data)) if data.strip() not in ("", "[DONE]") else ""
    return found


def dies_on_id(base_url: str) -> str:
    """Knows data, event and comments, and no other field."""
    for line in lines_of(body_of(base_url)):
        if line and not line.startswith(("data:", "event:", ":")):
            raise ValueError(f"unknown field in {line!r}")
    return "".join(contents(base_url))


def takes_retry_for_an_error(base_url: str) -> str:
    """Takes a retry field for the server's wish to be asked again."""
    if any(line.startswith("retry:") for line in lines_of(body_of(base_url))):
        raise ConnectionError("the server asks to try again")
    return "".join(contents(base_url))


def parses_the_last_line_of_an_event(base_url: str) -> str:
    """Takes the last line of each event for its data."""
    events = re.split(r"\n\n+", "\n".join(lines_of(body_of(base_url))).strip("\n"))
    for event in events:
        if not event.split("\n")[-1].startswith(("data:", ":")):
            raise ValueError(f"no JSON: {event[-40:]!r}")
    return "".join(contents(base_url))


def finds_data_in_comments(base_url: str) -> str:
    """Looks for data: anywhere in a line."""
    body = "\n".join(re.sub(r"^: ?data:", "data:", line) for line in lines_of(body_of(base_url)))
    return text_of(body)


def stops_at_a_done_comment(base_url: str) -> str:
    """Takes a comment that has the done marker in it for the marker."""
    lines = lines_of(body_of(base_url))
    over = next((at for at, line in enumerate(lines) if line.endswith("data: [DONE]")), len(lines))
    return text_of("\n".join(lines[:over]))


def dies_on_an_empty_event(base_url: str) -> str:
    """Parses what stands between blank lines, also where that is nothing."""
    events = "\n".join(lines_of(body_of(base_url))).removesuffix("\n\n").split("\n\n")
    for event in events:
        if not event:
            raise ValueError("Expecting value: line 1 column 1 (char 0)")
    return "".join(contents(base_url))


def wants_json_right_behind_data(base_url: str) -> str:
    """Takes a line for data only where the JSON begins at once."""
    lines = lines_of(body_of(base_url))
    kept = [line for line in lines if not re.match(r"data:\s*\t", line)]
    return text_of("\n".join(kept))


# --- calls of functions -------------------------------------------------------------------------------------------


def appends_to_the_last_call(base_url: str) -> Said:
    """Goes by the order of the deltas, not by their index: fine as long as calls do not take turns."""
    calls: list[dict[str, str]] = []
    for piece in (piece for delta in deltas(base_url) for piece in delta.get("tool_calls") or ()):
        function = piece["function"]
        if function.get("name"):
            calls.append({"name": function["name"], "arguments": ""})
        calls[-1]["arguments"] += function.get("arguments") or ""
    return told(base_url, tool_calls=calls)


def reads_one_call_of_a_delta(base_url: str) -> Said:
    """Reads the first call of each delta."""
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas(base_url):
        for piece in (delta.get("tool_calls") or [])[:1]:
            call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
            call["name"] += piece["function"].get("name") or ""
            call["arguments"] += piece["function"].get("arguments") or ""
    return told(base_url, tool_calls=list(calls.values()))


def keeps_one_call(base_url: str) -> Said:
    """Has room for one call."""
    return told(base_url, tool_calls=told(base_url)["tool_calls"][:1])


def lets_a_later_name_win(base_url: str) -> Said:
    """Takes the name of each delta that has the key."""
    calls = told(base_url)["tool_calls"]
    for piece in (piece for delta in deltas(base_url) for piece in delta.get("tool_calls") or ()):
        calls[piece["index"]]["name"] = piece["function"].get("name", calls[piece["index"]]["name"])
    return told(base_url, tool_calls=calls)


def parses_arguments_at_once(base_url: str) -> Said:
    """Parses the arguments of each delta as they come."""
    for piece in (piece for delta in deltas(base_url) for piece in delta.get("tool_calls") or ()):
        json.loads(piece["function"].get("arguments") or "{}")
    return told(base_url)


def drops_the_text_beside_calls(base_url: str) -> Said:
    """Takes an answer that calls functions for one without text."""
    read = told(base_url)
    return {**read, "text": "" if read["tool_calls"] else read["text"]}


def takes_every_tool_calls_for_a_call(base_url: str) -> str:
    """Takes a delta that has the key tool_calls for one without text, also where it is null or empty."""
    return "".join(delta.get("content") or "" for delta in deltas(base_url) if "tool_calls" not in delta)


# --- escapes and characters ---------------------------------------------------------------------------------------


def unescapes_each_half(base_url: str) -> str:
    r"""Makes one character of each \uXXXX, so that an emoji becomes two that nobody can print."""
    return in_halves("".join(contents(base_url))) if "\\ud" in body_of(base_url) else "".join(contents(base_url))


def encodes_each_piece(base_url: str) -> str:
    """Writes each piece to a log as it comes, and half an emoji cannot be written."""
    for piece in contents(base_url):
        piece.encode()
    return "".join(contents(base_url))


def counts_escapes_in_each_read(base_url: str) -> str:
    """Looks at the escapes of each network read by itself, and replaces a half that stands alone."""
    high, low = rb"\\ud[89ab][0-9a-f]{2}", rb"\\ud[c-f][0-9a-f]{2}"
    body = b"".join(re.sub(high + b"$|^" + low, rb"\\ufffd", data) for data in reads(base_url))
    return text_of(body.decode("utf-8-sig"))


def takes_every_piece_for_ascii(base_url: str) -> str:
    """Passes over escapes of letters that need none."""
    body = re.sub(r"\\u00[2-7][0-9a-f]", "", body_of(base_url))
    return text_of(body)


def reads_latin_1_without_a_charset(base_url: str) -> str:
    """Takes a text type without charset for ISO-8859-1, as old HTTP had it."""
    with answer(base_url) as response:
        kind = response.getheader("content-type") or ""
        if kind.startswith("text/") and "charset" not in kind:
            return "".join(contents(base_url)).encode().decode("latin-1")
    return "".join(contents(base_url))


def takes_the_word_null_for_nothing(base_url: str) -> str:
    """Takes a piece that says null for one without content."""
    return "".join(piece for piece in contents(base_url) if piece != "null")


# --- pauses and ends ----------------------------------------------------------------------------------------------

IMPATIENCE_S: Final = 0.5


def gives_up_in_a_pause(base_url: str) -> str:
    """Has a timeout for reads that is shorter than a thought."""
    with answer(base_url, IMPATIENCE_S) as response:
        return text_of(b"".join(until_over(response)).decode("utf-8-sig"))


def takes_a_pause_for_the_end(base_url: str) -> str:
    """Takes what came so far where nothing comes for a while."""
    got = b""
    with answer(base_url, IMPATIENCE_S) as response:
        try:
            for data in until_over(response):
                got += data
        except TimeoutError:
            return text_of("\n\n".join(got.decode("utf-8-sig", "ignore").split("\n\n")[:-1]))
    return text_of(got.decode("utf-8-sig"))


def waits_for_the_end_of_the_body(base_url: str) -> str:
    """Reads on behind the done marker, to the end of the body."""
    with answer(base_url) as response:
        return text_of(response.read().decode("utf-8-sig"))


def keeps_the_rest_of_one_read(base_url: str) -> str:
    """Keeps what a read leaves of a line, and forgets it where the next read does not end the line either."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    found, rest = "", ""
    for data in reads(base_url):
        text = "\n".join(lines_of(decoder.decode(data)))
        whole, newline, tail = (rest + text).rpartition("\n")
        found += whole + newline
        rest = tail if newline else text
    return text_of(found)


# --- chunks -------------------------------------------------------------------------------------------------------


def drops_the_content_of_the_finish(base_url: str) -> str:
    """Takes the chunk with a finish for one without content."""
    choices = [choice for chunk in chunks(base_url) for choice in chunk["choices"]]
    return "".join(one["delta"].get("content") or "" for one in choices if not one["finish_reason"])


def takes_every_role_for_the_first(base_url: str) -> str:
    """Begins the text anew where a delta has the key role, also where it is null."""
    found = ""
    for delta in deltas(base_url):
        found = (delta.get("content") or "") if "role" in delta else found + (delta.get("content") or "")
    return found


def measures_a_refusal(base_url: str) -> str:
    """Takes a refusal that has a key for a text."""
    for delta in deltas(base_url):
        if len(delta.get("refusal", "")):
            raise PermissionError("refused")
    return "".join(contents(base_url))


def joins_the_thoughts(base_url: str) -> str:
    """Takes thoughts for text."""
    return "".join(delta.get("content") or delta.get("reasoning_content") or "" for delta in deltas(base_url))


def takes_no_content_for_the_end(base_url: str) -> str:
    """Takes a delta without content, behind the one with the role, for the end."""
    found = ""
    for number, delta in enumerate(deltas(base_url)):
        if number and not delta.get("content"):
            break
        found += delta.get("content") or ""
    return found


def goes_by_the_first_key(base_url: str) -> str:
    """Knows a chunk by the key that stands first in it."""
    return "".join(said(chunk) for chunk in chunks(base_url) if next(iter(chunk)) in ("id", "provider"))


def finds_content_anywhere(base_url: str) -> str:
    """Takes the first key content of a line, in whatever object it stands."""

    def first(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, one in value.items():
                if key == "content" and isinstance(one, str):
                    yield one
                yield from first(one)
        for one in value if isinstance(value, list) else ():
            yield from first(one)

    return "".join(next(first(chunk), "") for chunk in chunks(base_url))


def adds_up_usage(base_url: str) -> Said:
    """Adds the usage of every chunk."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = [chunk["usage"] for chunk in chunks(base_url) if chunk.get("usage")]
    usage = {name: sum(one[name] for one in counts) for name in names} if counts else None
    return {"text": "".join(contents(base_url)), "usage": usage}


def takes_the_last_chunk_for_the_finish(base_url: str) -> Said:
    """Looks for the finish in the last chunk."""
    last = chunks(base_url)[-1]["choices"]
    return {"text": "".join(contents(base_url)), "finish_reason": last[0]["finish_reason"] if last else None}


def drops_what_comes_twice(base_url: str) -> str:
    """Takes a piece that says what the one before it said for the same piece, sent again."""
    pieces = contents(base_url)
    return "".join(piece for at, piece in enumerate(pieces) if at == 0 or piece != pieces[at - 1])


def strips_the_whole(base_url: str) -> str:
    """Strips white space off the whole text."""
    return "".join(contents(base_url)).strip()


BUGS: Final[dict[str, dict[Callable[[str], Said], tuple[int, str]]]] = {
    "long lines": {
        _with_lines_of(1024): (4, "a line is 1,025 bytes long"),
        _with_lines_of(16 * 1024): (4, "a line is 16,385 bytes long"),
        refuses_lines_over_64_kib: (4, "a line is 65,537 bytes long"),
    },
    "long texts": {
        keeps_64_kib_of_a_text: (4, "(65,535 characters); the stream says"),
        calls_itself_for_each_piece: (1027, " pieces"),
    },
    "data over several lines": {
        takes_each_data_line_for_an_event: (4, "data-lines"),
        keeps_the_last_data_line: (4, "data-lines"),
    },
    "id and retry": {dies_on_id: (4, "id-field"), takes_retry_for_an_error: (4, "retry-field")},
    "parallel calls": {
        appends_to_the_last_call: (9, "tool-order=interleaved"),
        reads_one_call_of_a_delta: (6, "tool-order=together"),
        keeps_one_call: (9, "the answer calls 2 functions"),
    },
    "surrogate halves": {
        unescapes_each_half: (4, "ascii-escapes"),
        counts_escapes_in_each_read: (4, "ends inside the escaped"),
        encodes_each_piece: (5, HALVES),
    },
    "pauses": {
        gives_up_in_a_pause: (4, "ms pass before write"),
        takes_a_pause_for_the_end: (4, "ms pass before write"),
    },
    "a body without end": {waits_for_the_end_of_the_body: (4, "never-ends")},
    "content with finish": {drops_the_content_of_the_finish: (3, "finish-merged")},
    "null-filled deltas": {
        takes_every_tool_calls_for_a_call: (4, "tool_calls: null"),
        takes_every_role_for_the_first: (5, "role"),
        measures_a_refusal: (4, "null-filled"),
    },
}
"""Bugs by kind, each with the frames that its smallest stream may have, and a part of what is said of it."""
OTHERS: Final[dict[Callable[[str], Said], tuple[int, str]]] = {
    parses_the_last_line_of_an_event: (4, "other-field"),
    finds_data_in_comments: (4, "comment-like-data"),
    stops_at_a_done_comment: (4, "comment-like-data"),
    dies_on_an_empty_event: (4, "blank-lines"),
    wants_json_right_behind_data: (4, "wide-data"),
    lets_a_later_name_win: (6, "tool-later-name"),
    parses_arguments_at_once: (6, "the answer calls 1 function"),
    drops_the_text_beside_calls: (7, "the answer calls 1 function"),
    takes_every_piece_for_ascii: (4, "all-escaped"),
    reads_latin_1_without_a_charset: (4, "type-event-stream"),
    takes_the_word_null_for_nothing: (4, "the stream says 'null'"),
    keeps_the_rest_of_one_read: (4, "ends inside"),
    joins_the_thoughts: (6, "reasoning"),
    takes_no_content_for_the_end: (6, "empty-deltas"),
    goes_by_the_first_key: (4, "keys-reversed"),
    finds_content_anywhere: (4, "unknown-keys"),
    adds_up_usage: (4, "usage-every"),
    takes_the_last_chunk_for_the_finish: (5, "usage-chunk"),
    drops_what_comes_twice: (5, "the stream says '00'"),
    strips_the_whole: (4, "the text is white space alone"),
}
"""Bugs of kinds of our own."""
COUNTED_BY_NAME: Final[dict[Callable[[str], Said], tuple[str, ...]]] = {encodes_each_piece: (HALVES,)}
"""Bugs that show on what many clients lose, with what is to be added so that it counts."""
