"""What is masked besides keys, cookies and organisations: the flags of `record` and `fixtures convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver.files.secrets import Scrubbing

if TYPE_CHECKING:
    import argparse


def add_scrub_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is masked besides keys, cookies and organisations."""
    parser.add_argument("--scrub-field", action="append", default=[], metavar="NAME",
                        help="mask the value of this JSON field, at any depth; repeatable")  # fmt: skip
    parser.add_argument("--scrub-pattern", action="append", default=[], metavar="REGEX",
                        help="mask what matches (RE2); repeatable")  # fmt: skip


def scrubbing_of(args: argparse.Namespace) -> Scrubbing:
    """What `--scrub-field` and `--scrub-pattern` say; raises OperatorError for a bad pattern."""
    return Scrubbing(tuple(args.scrub_field), tuple(compiled(text) for text in args.scrub_pattern))


def compiled(text: str) -> Any:
    """A pattern over bytes, in linear time; raises OperatorError."""
    import re2

    from mockserver.files.checked import compile_pattern

    compile_pattern(text, "--scrub-pattern")
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    return re2.compile(text.encode(), options)
