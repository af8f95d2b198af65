"""What is masked and kept besides what always is: the flags of `record` and `fixtures convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.files.kept_headers import names_to_keep
from mockserver.files.secrets import Scrubbing

if TYPE_CHECKING:
    import argparse


def add_scrub_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is masked besides keys, cookies and organisations, and which headers are kept."""
    parser.add_argument("--scrub-field", action="append", default=[], metavar="NAME",
                        help="mask the value of this JSON field, at any depth; repeatable")  # fmt: skip
    parser.add_argument("--scrub-pattern", action="append", default=[], metavar="REGEX",
                        help="mask what matches (RE2's syntax); repeatable")  # fmt: skip
    parser.add_argument("--keep-header", action="append", default=[], metavar="NAME",
                        help="keep this response header too, if its name tells of no secret; repeatable")  # fmt: skip


def scrubbing_of(args: argparse.Namespace) -> Scrubbing:
    """What `--scrub-field`, `--scrub-pattern` and `--keep-header` say; raises OperatorError for a bad value."""
    from mockserver.files.pattern import compile_mask

    patterns = tuple(compile_mask(text, "--scrub-pattern") for text in args.scrub_pattern)
    return Scrubbing(tuple(args.scrub_field), patterns, names_to_keep(args.keep_header))
