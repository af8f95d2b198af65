"""The target of `contract`, `learn` and `drift`: the arguments that say who is asked and what it may cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from mockserver.cli.header_flag import add_header_argument, headers_of
from mockserver.contract.http_client import DEFAULT_TIMEOUT_S, Address, UnreachableError, key_of, template_of
from mockserver.contract.politeness import POLITE_PER_MINUTE
from mockserver.contract.result import Budget, ExitCode
from mockserver.core.errors import OperatorError
from mockserver.core.route import CHAT, PATH_TEMPLATE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from mockserver.contract.library import Target
    from mockserver.profile.edition import Edition

LONGEST_TIMEOUT_S: Final = 3600.0


def add_target_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The arguments that say who is asked and what it may cost; `learn` and `drift` have them too."""
    target = parser.add_argument_group("target")
    target.add_argument(
        "--base-url", required=required, help="say http://127.0.0.1:8777 or https://cloud.infini-ai.com"
    )
    target.add_argument("--model", required=required, help="the model to ask")
    target.add_argument(
        "--chip",
        required=required,
        help="the chip type, or several with commas, or all; default: the one that there is",
    )
    target.add_argument("--edition", help="the state of the documents to hold it to; default: the default edition")
    target.add_argument("--profiles", type=Path, action="append", default=[], metavar="DIR", help="further profiles")
    path = f"say /v1{CHAT}; default: {PATH_TEMPLATE}, or {CHAT} where --base-url ends in /v1"
    target.add_argument("--path-template", default="", metavar="PATH", help=path)
    target.add_argument("--api-key-env", metavar="VAR", help="environment variable that holds the API key")
    add_header_argument(target)
    target.add_argument("--ca", metavar="FILE", help="https: trust the certificates of this file, not the system's")
    silence = "longest silence; default: %(default)g"
    target.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_S, metavar="SECONDS", help=silence)
    cost = parser.add_argument_group("cost, for each chip")
    standard = Budget()
    cost.add_argument("--requests", type=int, default=standard.requests, help="at most; default: %(default)s")
    cost.add_argument("--tokens", type=int, default=standard.tokens, help="at most; default: %(default)s")
    cost.add_argument(
        "--max-tokens", type=int, default=standard.max_tokens, help="of each answer; default: %(default)s"
    )
    polite = f"requests a minute; default: no limit on this machine, else {POLITE_PER_MINUTE:g}"
    cost.add_argument("--per-minute", type=float, metavar="N", help=polite)


def guarded(work: Callable[[], int], err: TextIO) -> int:
    """Do the work; a mistake of the operator's and an unreachable target become one line and their exit code."""
    try:
        return work()
    except OperatorError as error:
        print(f"genstudio-mock: {error}", file=err)
        return ExitCode.USAGE
    except UnreachableError as error:
        print(f"genstudio-mock: {error}", file=err)
        return ExitCode.UNREACHABLE


def targets_of(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Edition, list[Target]]:
    """The edition and one target a chip; raises OperatorError for what is missing or unknown."""
    from mockserver.contract.library import Target, chip_of, edition_of

    for folder in args.profiles:
        if not folder.is_dir():
            raise OperatorError(f"--profiles {folder}: no such directory")
    edition = edition_of(args.edition, args.profiles)
    if not args.chip and len(edition.chips) == 1:
        args.chip = edition.default_chip
    for name in ("base_url", "model", "chip"):
        if not getattr(args, name):
            raise OperatorError(f"--{name.replace('_', '-')}: missing; say --base-url URL --model MODEL --chip CHIP")
    names = list(edition.chips) if args.chip == "all" else [one.strip() for one in args.chip.split(",") if one.strip()]
    key = key_of(args.api_key_env, environ)
    made = [
        Target(
            args.base_url,
            args.model,
            chip_of(edition, name).name,
            edition,
            key,
            args.path_template,
            args.ca,
            args.timeout,
            headers_of(args),
        )
        for name in names
    ]
    address_of(args)
    return edition, made


def address_of(args: argparse.Namespace) -> Address:
    """Where the target listens; raises OperatorError for what cannot be."""
    if not 0 < args.timeout <= LONGEST_TIMEOUT_S:
        raise OperatorError(
            f"--timeout: {args.timeout:g} is not allowed; allowed: more than 0, at most {LONGEST_TIMEOUT_S:g} seconds"
        )
    return Address(
        args.base_url, args.path_template or template_of(args.base_url), args.ca, args.timeout, headers_of(args)
    )


def say_path(args: argparse.Namespace, err: TextIO) -> None:
    """Say that the OpenAI path is asked, where that is concluded from the base URL."""
    if not args.path_template and template_of(args.base_url) == CHAT:
        asked = f"{args.base_url.rstrip('/')}{CHAT}"
        print(f"--base-url ends in /v1: asking {asked}; --path-template asks another path", file=err, flush=True)


def budget_of(args: argparse.Namespace) -> Budget:
    """The budget that the arguments allow."""
    for name in ("requests", "tokens", "max_tokens"):
        if getattr(args, name) < 1:
            raise OperatorError(
                f"--{name.replace('_', '-')}: {getattr(args, name)} is not allowed; allowed: at least 1"
            )
    per_minute = args.per_minute
    if per_minute is not None and not per_minute > 0:
        raise OperatorError(f"--per-minute: {per_minute:g} is not allowed; allowed: more than 0")
    per_second = None if per_minute is None else per_minute / 60
    return Budget(args.requests, args.tokens, args.max_tokens, per_second)
