"""The flag `--header` of the commands that ask a service: request headers that a gateway before it wants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError

if TYPE_CHECKING:
    import argparse
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = (
    "host", "content-length", "transfer-encoding", "content-type", "authorization", "connection", "accept-encoding",
)  # fmt: skip


def add_header_argument(parser: argparse._ActionsContainer) -> None:
    """The flag."""
    header = "a further request header, say 'x-portkey-provider: openai'; repeatable, kept in no file and no output"
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help=header)


def headers_of(args: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    """The further request headers; raises OperatorError, which never repeats a value, for what is none."""
    return tuple(map(_header, args.header))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
        shown = name if _NAME.fullmatch(name) and colon else "the value"
        raise OperatorError(f"--header: {shown} is no header; allowed: 'Name: value' in printable ASCII")
    if name.lower() in _OURS:
        raise OperatorError(f"--header: {name} is set by the command itself; allowed: any but {', '.join(_OURS)}")
    return name, value
