"""`genstudio-mock run`: a command, of whatever language, with a mock beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from mockserver.cli.arguments import Parser, configuration
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.settings.config import ANSWERS, CONTENT, SETTINGS
from mockserver.settings.private import private
from mockserver.settings.value_kinds import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.settings.config import Config
    from mockserver.testing.client_verdict import ClientVerdict
    from mockserver.testing.seen_exchange import SeenExchange
    from mockserver.testing.session import Session

SAYS = """\
Run a command with a mock of its own beside it. OPENAI_BASE_URL, OPENAI_API_BASE and OPENAI_API_KEY
point the command's OpenAI client at it. The command's output and exit code are its own; what the
mock saw follows on standard error, with what common readers pass over in silence. With --strict a
request that no fixture matches makes 1 of 0."""
EXAMPLES = (
    ("genstudio-mock run --chip chip3 -- npm test", "one chip"),
    ("genstudio-mock run --fixtures answers --strict -- pytest", "nothing but written answers"),
    ("genstudio-mock run --fault 'status;status=503' -- ./check.sh", "everything fails"),
)
ANY_KEY: Final = "any-key"
TLS: Final = ("tls", "tls_name", "tls_cert", "tls_key")
"""Settings of where it listens that a command may have a say in."""
OWN: Final = frozenset({"model", "api_key", "grace_seconds"})
"""Settings that this command uses in its own way, or has no use for."""
UNMATCHED: Final = "refusal:no-match"
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def run(argv: Sequence[str], console: Console) -> int:
    """Run the command; its exit code, or 1 where it was 0 and strictly nothing matched a request."""
    flags, command = _split(argv)
    used = parser()
    found = used.read(flags, console)
    if found is None:
        return 0
    if not command:
        raise OperatorError(f"{used.prog}: no command given; write it after --, like {EXAMPLES[0][0]}")
    if found.output is not None and not found.output.parent.is_dir():
        raise OperatorError(f"--output {found.output}: {found.output.parent} is no directory")
    model = found.model
    found.model = None
    config = _own(configuration(found, console).config, model)

    from mockserver.core.web_address import past_proxy
    from mockserver.testing.control_client import MockError
    from mockserver.testing.mock_server import MockServer
    from mockserver.testing.session import Session

    with contextlib.ExitStack() as held:
        mock = held.enter_context(MockServer(config))
        session = Session(mock, "", model, found.chip)  # no key: the namespace that all keys of this mock share
        try:
            variables = {**session.env(), "OPENAI_API_KEY": ANY_KEY, **past_proxy(console.environ, mock.url)}
            if mock.ca is not None:
                from mockserver.settings.tls import trusting

                variables |= held.enter_context(trusting(console.environ, mock.ca))
        except MockError as error:
            raise OperatorError(f"{used.prog}: {error}") from None
        for fault in found.fault:
            try:
                session.arm(fault)
            except MockError as error:
                raise OperatorError(f"{used.prog}: --fault {fault}: {error}") from None
        code = execute(command, {**console.environ, **variables})
        unmatched = _tell(session, console, found.output, as_json=found.json)
    return 1 if code == 0 and unmatched and config.strict else code


def parser() -> Parser:
    """The parser of `run`."""
    made = Parser("run", SAYS, EXAMPLES, "-- COMMAND [ARGUMENT …]")
    made.add_settings(
        name for name, row in SETTINGS.items()
        if (row.group in {CONTENT, ANSWERS} or name in TLS) and not row.file_only and name not in OWN
    )  # fmt: skip
    made.add_argument("--model", metavar="NAME", help="model to ask; one that the edition lacks is added")
    made.add_argument("--chip", metavar="NAME", help="chip to ask (default: the edition's first)")
    made.add_argument("--fault", metavar="FAULT", action="append", default=[], help="fault to arm, as in X-Mock-Fault")
    made.add_argument("--json", action="store_true", help="tell what the mock saw for programs")
    made.add_argument("--output", type=Path, metavar="FILE", help="write what the mock saw there")
    return made


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Flags, and the command after `--`."""
    words = list(argv)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _own(config: Config, model: str | None) -> Config:
    """The configuration of a mock for one command, in which the model that it asks is known."""
    from mockserver.settings.assemble import edition_of

    config = replace(private(config), **{name: getattr(config, name) for name in TLS})
    if model is None or model in edition_of(config).models:
        return config
    name = SETTINGS["model"].read([model], Place("--model", Path()), text=True)
    return replace(config, model=(*config.model, *name))


def execute(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command with our own input and output, and pass signals on to it.

    Returns:
        Its exit code; 128 and the signal's number where a signal ended it, as in a shell.

    Raises:
        OperatorError: it cannot be started.
    """
    with _Passing() as passing:
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user asked for
                [shutil.which(command[0], path=environ.get("PATH")) or command[0], *command[1:]],  # npm may be npm.cmd
                env=dict(environ),
                preexec_fn=ended_with_us(),  # noqa: PLW1509 - it takes no lock
            )
        except OSError as error:
            raise OperatorError(f"genstudio-mock run: {command[0]!r}: {error.strerror or error}") from None
        passing.to(process)
        code = process.wait()
    return code if code >= 0 else 128 - code


def ended_with_us() -> Callable[[], None] | None:
    """What a command does before it begins, so that it ends when this process is killed (`kill -9`).

    Linux alone has a word for it (`PR_SET_PDEATHSIG`, prctl(2)); elsewhere, and for the command's own children, nothing
    is done.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it was killed before we asked
            os._exit(128 + signal.SIGTERM)

    return bind


class _Passing:
    """Passes signals on to a process; what a terminal sends reaches it anyway, as one of its foreground processes.

    It begins before the process is there, so that no signal finds nobody who handles it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in SIGNALS:
            number = getattr(signal, name, None)  # not every system has all of them
            if number is not None:
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """From now on this process gets them, and those that came before it was there."""
        self._process = process
        for number in self._waiting:
            process.send_signal(number)

    def _pass_on(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and _in_foreground():
            return
        if self._process is None:
            self._waiting.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether a terminal sends its signals to this process and its children."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except (AttributeError, OSError):  # no such thing on this system, or no terminal
        return not hasattr(os, "tcgetpgrp")


def _tell(session: Session, console: Console, path: Path | None, *, as_json: bool) -> int:
    """Say what the mock saw, on standard error or in a file; how many requests nothing matched."""
    from mockserver.testing.client_verdict import told
    from mockserver.testing.passed_over import exchange_lines

    exchanges = session.exchanges()
    unmatched = [one for one in exchanges if one.source == UNMATCHED]
    refused = [one for one in exchanges if one.source.startswith("refusal:") and not one.faults]
    lines = [f"genstudio-mock: {len(exchanges)} exchange{'' if len(exchanges) == 1 else 's'}"]
    if not exchanges:
        lines.append("  no request came; see that the command reads OPENAI_BASE_URL")
    lines += [f"  {line}" for line in exchange_lines(exchanges)]
    lines += [f"  {told(one)}" for one in (session.verdict().findings if exchanges else ())]
    lines += dict.fromkeys(f"  unmatched: {one.path}: {one.detail}" for one in unmatched)
    lines += dict.fromkeys(f"  refused: {one.path}: {one.detail}" for one in refused if one.source != UNMATCHED)
    text = "".join(f"{line}\n" for line in lines)
    if as_json:
        text = json.dumps(_as_data(exchanges, session.verdict()), ensure_ascii=False) + "\n"
    if path is not None:
        write_whole(path, text, named=f"--output {path}")
        return len(unmatched)
    with contextlib.suppress(OSError):  # nobody listens: the command's exit code shall be told all the same
        console.err.write(text)
        console.err.flush()
    return len(unmatched)


def _as_data(exchanges: Sequence[SeenExchange], verdict: ClientVerdict) -> dict[str, Any]:
    """What the mock saw, for programs: each exchange by what it came to, and the verdict on the client."""
    told = ("number", "method", "path", "model", "chip", "stream", "status", "source", "detail", "faults", "ending",
            "client_left", "duration_ms")  # fmt: skip
    rows = [{**{name: getattr(one, name) for name in told}, "text": one.carried.text} for one in exchanges]
    return {"exchanges": rows, "verdict": asdict(verdict)}
