"""What a client gets when a fault acts: a raw socket that reads as RFC 9112 says, and the OpenAI SDK."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import httpcore
import httpx
import openai

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONG_S: Final = 30.0
"""How long any answer is waited for but those that hang."""
AT_ONCE_S: Final = 0.01
"""How long what lies ready is waited for."""
Ended = Literal["complete", "cut", "reset", "hang", "broken"]
"""As `exchange.Ending`; `broken` is a transfer coding that is none."""


@dataclass(frozen=True)
class Question:
    """One question to a mock.

    Attributes:
        base_url: As the SDK has it.
        text: What the user says.
        stream: Whether the answer is to be streamed.
        fault: What goes wrong, as `X-Mock-Fault` has it.
        key: The API key.
        silence: Waits until the mock has sent all it will send, and tells whether it hangs then, in which case nobody
            waits for more; None where it does not.
    """

    base_url: str
    text: str
    stream: bool
    fault: str = ""
    key: str = "any-key"
    silence: Callable[[], bool] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The fault, and what its dice are thrown with."""
        return {"X-Mock-Fault": self.fault, "X-Mock-Seed": "0"} if self.fault else {}

    @property
    def messages(self) -> list[dict[str, str]]:
        """The dialogue."""
        return [{"role": "user", "content": self.text}]


@dataclass(frozen=True)
class Heard:
    """What a raw socket heard of an answer.

    Attributes:
        status: 0 where no head came.
        data: What of the body could be read, without its transfer coding.
        ended: How the body or the connection ended.
        headers: By name in lower case.
    """

    status: int
    data: bytes
    ended: Ended
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> tuple[int, bytes, str]:
        """All but the headers."""
        return self.status, self.data, self.ended


def hear(question: Question) -> Heard:
    """Ask over a socket of our own."""
    parts = urlsplit(question.base_url)
    data = json.dumps({"messages": question.messages, "stream": question.stream}).encode()
    headers = {
        "Host": parts.netloc,
        "Authorization": f"Bearer {question.key}",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **question.headers,
    }
    lines = [f"POST {parts.path}/chat/completions HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    came = b""
    ended: Literal["hang", "reset"] | None = None
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=LONG_S) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        if question.silence is not None and question.silence():
            wire.settimeout(AT_ONCE_S)
        try:
            while part := wire.recv(65_536):
                came += part
        except TimeoutError:
            ended = "hang"
        except ConnectionResetError:
            ended = "reset"
    return read(came, ended)


def read(came: bytes, ended: Literal["hang", "reset"] | None) -> Heard:
    """What the bytes are in HTTP; `ended` is how the connection ended where nobody closed it."""
    if not came:
        return Heard(0, b"", ended or "cut")
    head, _, rest = came.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    status = int(first.split()[1])
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if "content-length" in headers:
        whole = len(rest) >= int(headers["content-length"])
        return Heard(status, rest, ended or ("complete" if whole else "cut"), headers)
    data = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            return Heard(status, data, "broken", headers)
        if length == 0:
            return Heard(status, data, ended or "complete", headers)
        data, rest = data + rest[:length], rest[length + 2 :]
    return Heard(status, data, ended or "cut", headers)


@dataclass
class Taken:
    """What an application got from the SDK: the pieces of text that it could show, and what was raised."""

    pieces: list[str]
    raised: BaseException | None = None


def take(question: Question) -> Taken:
    """Ask with the SDK as applications do."""
    asked: Any = {"model": "", "messages": question.messages, "extra_headers": question.headers}
    taken = Taken([])
    with openai.OpenAI(
        base_url=question.base_url, api_key=question.key, max_retries=0, timeout=LONG_S,
        http_client=question.silence and _impatient(question.silence),
    ) as client:  # fmt: skip
        try:
            if question.stream:
                for chunk in client.chat.completions.create(**asked, stream=True):
                    piece = chunk.choices[0].delta.content
                    if piece:
                        taken.pieces.append(piece)
            else:
                whole = client.chat.completions.create(**asked)
                taken.pieces.append(whole.choices[0].message.content or "")
        except Exception as error:  # noqa: BLE001 - whatever it is, the table names it
            taken.raised = error
    return taken


def _impatient(silence: Callable[[], bool]) -> Any:  # the SDK takes httpx, and names another client in its types
    """A client that takes all that comes, and then times out at once."""
    transport = httpx.HTTPTransport(trust_env=False)
    transport._pool = httpcore.ConnectionPool(network_backend=_Impatient(silence))
    return httpx.Client(transport=transport, trust_env=False)


class _Impatient(httpcore.SyncBackend):
    def __init__(self, silence: Callable[[], bool]) -> None:
        self._silence = silence

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        stream = super().connect_tcp(*args, **options)
        read = stream.read

        def read_what_comes(max_bytes: int, timeout: float | None = None) -> bytes:
            if not stream.get_extra_info("is_readable") and self._silence():
                timeout = AT_ONCE_S
            return read(max_bytes, timeout)

        stream.read = read_what_comes  # type: ignore[method-assign]
        return stream


def named(error: BaseException) -> str:
    """An exception, and whose it is where it is not the SDK's own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_code.co_filename == __file__
    name = f"`{type(error).__name__}`"
    if isinstance(error, openai.OpenAIError):
        return name
    return f"{name} in the caller's `choices[0]`" if ours else f"{name}, which is no `OpenAIError`"


def outcome(got: Taken, whole: Taken, *, stream: bool) -> str:
    """What the SDK made of an answer, in words, beside what it makes of it without a fault."""
    shown, said = "".join(got.pieces), "".join(whole.pieces)
    unit = "pieces" if stream else "characters"
    have, all_of_it = (len(got.pieces), len(whole.pieces)) if stream else (len(shown), len(said))
    if got.raised is not None:
        first = f"{have} of {all_of_it} {unit}, then " if shown else ""
        return f"{first}{named(got.raised)}"
    if shown == said:
        return f"all {all_of_it} {unit}"
    if not shown:
        return "**silent empty**"
    if said.startswith(shown):
        return f"**silently short: {have} of {all_of_it} {unit}**"
    return f"**silently wrong: {have} {unit} for {all_of_it}**" if have != all_of_it else "**silently wrong order**"
