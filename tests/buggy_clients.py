"""Small clients that read a streamed answer, each with one bug that people really write. All are right otherwise.

Each takes the base URL and returns the text. `BUGS` names them, with the chip on which the bug shows.
"""

from __future__ import annotations

import codecs
import http.client
import json
import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def answer(base_url: str, timeout: float = 10) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request for a stream, its body not read yet."""
    parts = urlsplit(base_url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)) as connection:
        connection.request("POST", parts.path + "/chat/completions", b'{"stream": true}')
        yield connection.getresponse()


def reads(base_url: str) -> Iterator[bytes]:
    """The pieces of a streamed answer as they come from the network, until it says that it is over or its body ends."""
    with answer(base_url) as response:
        yield from until_over(response)


def until_over(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The pieces of a body up to the done marker, or to its end."""
    last = b""
    while data := response.read1(65536):
        yield data
        last = (last + data)[-64:]
        if _OVER.search(last):
            return


_OVER: Final = re.compile(rb"[\r\n]data: ?\[DONE\][\r\n]")


def body_of(base_url: str) -> str:
    """The whole body as text, its byte order mark taken away."""
    return b"".join(reads(base_url)).decode("utf-8-sig")


def lines_of(text: str) -> list[str]:
    """Lines of an event stream, by the standard."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def chunks_of(text: str) -> list[dict[str, Any]]:
    """The chunks of an event stream, by the standard, which joins the data of an event."""
    events = "\n".join(lines_of(text)).split("\n\n")
    data = ["\n".join(line[5:].removeprefix(" ") for line in one.split("\n") if line[:5] == "data:") for one in events]
    return [json.loads(one) for one in data if one and one != "[DONE]"]


def said(chunk: dict[str, Any]) -> str:
    """The text of one chunk."""
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def text_of(text: str) -> str:
    """The text of an event stream."""
    return "".join(map(said, chunks_of(text)))


# --- bugs ---------------------------------------------------------------------------------------------------------


def decodes_each_read(base_url: str) -> str:
    """Decodes what each network read brings by itself."""
    return text_of("".join(data.decode("utf-8", "replace") for data in reads(base_url)).removeprefix("\ufeff"))


def wants_a_space(base_url: str) -> str:
    """Wants `data: ` with the space that the standard makes optional."""
    lines = [line for line in lines_of(body_of(base_url)) if line.startswith("data: ")]
    return "".join(said(json.loads(line[6:])) for line in lines if line != "data: [DONE]")


def waits_for_done(base_url: str) -> str:
    """Takes a stream without the done marker for a broken one."""
    body = body_of(base_url)
    if "[DONE]" not in [line.removeprefix("data:").strip() for line in lines_of(body)]:
        raise TimeoutError("no [DONE] came")
    return text_of(body)


def parses_each_read(base_url: str) -> str:
    """Takes each network read for one or more whole events."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    return "".join(text_of(decoder.decode(data)) for data in reads(base_url))


def one_event_a_read(base_url: str) -> str:
    """Takes each network read for one whole event."""
    found = ""
    for data in reads(base_url):
        event = data.decode("utf-8-sig").strip()
        if event.startswith("data:") and event != "data: [DONE]":
            found += said(json.loads(event[5:]))
    return found


def splits_on_two_newlines(base_url: str) -> str:
    r"""Splits events at \n\n alone."""
    events = body_of(base_url).split("\n\n")
    data = [line[5:] for event in events for line in event.split("\n") if line.startswith("data:")]
    return "".join(said(json.loads(one)) for one in data if one.strip() != "[DONE]")


def splits_on_cr_lf_or_lf(base_url: str) -> str:
    """Knows LF and CR LF, not CR alone."""
    return text_of(body_of(base_url).replace("\r\n", "\n").replace("\r", " "))


def parses_comments(base_url: str) -> str:
    """Parses every line that is not empty, comments too."""
    lines = [line for line in lines_of(body_of(base_url)) if line and not line.startswith(("event:", "id:"))]
    data = [line.removeprefix("data:").strip() for line in lines]
    return "".join(said(json.loads(one)) for one in data if one != "[DONE]")


def parses_event_lines(base_url: str) -> str:
    """Parses every line but comments, those of other fields too."""
    lines = [line for line in lines_of(body_of(base_url)) if line and not line.startswith(":")]
    data = [line.removeprefix("data:").strip() for line in lines]
    return "".join(said(json.loads(one)) for one in data if one != "[DONE]")


def wants_data_first(base_url: str) -> str:
    """Wants each event to begin with its data."""
    events = "\n".join(lines_of(body_of(base_url))).split("\n\n")
    data = [event[5:] for event in events if event.startswith("data:")]
    return "".join(said(json.loads(one)) for one in data if one.strip() != "[DONE]")


def dies_without_content(base_url: str) -> str:
    """Takes the content of every delta for granted."""
    chunks = chunks_of(body_of(base_url))
    return "".join(choice["delta"]["content"] for chunk in chunks for choice in chunk["choices"])


def dies_on_null_content(base_url: str) -> str:
    """Knows a delta without content, not one whose content is null."""
    chunks = chunks_of(body_of(base_url))
    return "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])


def dies_without_choices(base_url: str) -> str:
    """Takes the first choice for granted, which a chunk of usage does not have."""
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks_of(body_of(base_url)))


def stops_at_an_empty_delta(base_url: str) -> str:
    """Takes an empty piece for the end."""
    found = ""
    for chunk in chunks_of(body_of(base_url)):
        for choice in chunk["choices"]:
            if choice["delta"].get("content") == "" and found:
                return found
            found += choice["delta"].get("content") or ""
    return found


def stops_before_the_last_content(base_url: str) -> str:
    """Looks at the finish before the content of the same chunk."""
    found = ""
    for chunk in chunks_of(body_of(base_url)):
        for choice in chunk["choices"]:
            if choice["finish_reason"]:
                return found
            found += choice["delta"].get("content") or ""
    return found


def skips_the_first_chunk(base_url: str) -> str:
    """Takes the chunk with the role for one without content."""
    return "".join(said(chunk) for chunk in chunks_of(body_of(base_url)) if not _role(chunk))


def _role(chunk: dict[str, Any]) -> str | None:
    role: str | None = chunk["choices"][0]["delta"].get("role") if chunk["choices"] else None
    return role


def wants_object(base_url: str) -> str:
    """Takes only chunks that say they are chunks."""
    chunks = chunks_of(body_of(base_url))
    return "".join(said(chunk) for chunk in chunks if chunk.get("object") == "chat.completion.chunk")


def uses_splitlines(base_url: str) -> str:
    """Splits lines as Python does, also at U+2028 and U+0085, which JSON may hold as they are."""
    return text_of("\n".join(body_of(base_url).splitlines()))


def strips_each_piece(base_url: str) -> str:
    """Strips white space off every piece."""
    return "".join(said(chunk).strip() for chunk in chunks_of(body_of(base_url)))


def looks_for_done_anywhere(base_url: str) -> str:
    """Ends at the first line that has [DONE] in it, wherever."""
    found = ""
    for line in lines_of(body_of(base_url)):
        if "[DONE]" in line:
            break
        if line.startswith("data:"):
            found += said(json.loads(line[5:]))
    return found


def keeps_the_bom(base_url: str) -> str:
    """Takes a byte order mark for a part of the first line."""
    return text_of(b"".join(reads(base_url)).decode())


def wants_one_content_type(base_url: str) -> str:
    """Wants a content type that is text/event-stream and nothing more."""
    with answer(base_url) as response:
        return (
            text_of(b"".join(until_over(response)).decode("utf-8-sig"))
            if response.getheader("content-type") == "text/event-stream"
            else ""
        )


def unescapes_by_hand(base_url: str) -> str:
    r"""Looks for the content with a pattern instead of reading JSON, so escapes stay as they are."""
    found = re.findall(r'"content": ?"((?:[^"\\]|\\.)*)"', body_of(base_url))
    return "".join(found).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def wants_chunked(base_url: str) -> str:
    """Reads transfer chunks alone, and nothing of an answer that has a length."""
    with answer(base_url) as response:
        return text_of(b"".join(until_over(response)).decode("utf-8-sig")) if response.chunked else ""


def loses_the_last_line(base_url: str) -> str:
    """On bare lines: drops what stands behind the last newline."""
    lines = body_of(base_url).split("\n")[:-1]
    return "".join(said(json.loads(line)) for line in lines if line.strip())


def wants_no_blank_lines(base_url: str) -> str:
    """On bare lines: parses blank ones too."""
    lines = body_of(base_url).removesuffix("\n").split("\n")
    return "".join(said(json.loads(line)) for line in lines)


def one_line_a_read(base_url: str) -> str:
    """On bare lines: takes each network read for one line."""
    return "".join(said(json.loads(data.decode("utf-8-sig"))) for data in reads(base_url) if data.strip())


BUGS: Final[dict[Callable[[str], str], tuple[str, int]]] = {
    decodes_each_read: ("nvidia", 4),
    wants_a_space: ("nvidia", 4),
    waits_for_done: ("nvidia", 3),
    parses_each_read: ("nvidia", 4),
    one_event_a_read: ("nvidia", 4),
    splits_on_two_newlines: ("nvidia", 4),
    splits_on_cr_lf_or_lf: ("nvidia", 4),
    parses_comments: ("nvidia", 4),
    parses_event_lines: ("nvidia", 4),
    wants_data_first: ("nvidia", 4),
    dies_without_content: ("nvidia", 4),
    dies_on_null_content: ("nvidia", 4),
    dies_without_choices: ("nvidia", 5),
    stops_at_an_empty_delta: ("nvidia", 9),
    stops_before_the_last_content: ("nvidia", 4),
    skips_the_first_chunk: ("nvidia", 4),
    wants_object: ("nvidia", 4),
    uses_splitlines: ("nvidia", 4),
    strips_each_piece: ("nvidia", 4),
    looks_for_done_anywhere: ("nvidia", 4),
    wants_one_content_type: ("nvidia", 4),
    unescapes_by_hand: ("nvidia", 4),
    wants_chunked: ("nvidia", 4),
    loses_the_last_line: ("chip3", 3),
    wants_no_blank_lines: ("chip3", 3),
    one_line_a_read: ("chip3", 3),
}
"""Each bug with the chip that shows it, and how many frames the smallest stream may have."""
KNOWN_BUGS: Final[dict[Callable[[str], str], tuple[str, ...]]] = {keeps_the_bom: ("bom", "role-merged")}
"""Bugs that show on what many clients lose, with the quirks of the smallest stream."""
