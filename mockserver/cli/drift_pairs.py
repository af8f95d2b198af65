"""What `drift` compares: the same requests, asked of the mock and of the service, or those of recordings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mockserver.cli.target import budget_of
from mockserver.contract import cases, in_process, learn
from mockserver.contract.asking import Asking
from mockserver.contract.cases import Case, Phase
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.http_client import Address, HttpTransport
from mockserver.contract.result import Clock, counted
from mockserver.contract.runner import Runner, askable
from mockserver.core.errors import OperatorError
from mockserver.core.route import parse
from mockserver.files.exchange_file import exchange_of, read_if_exchange
from mockserver.sources.recording_file import chat_request

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mockserver.cli.progress import Progress
    from mockserver.contract.drift_rows import Pair
    from mockserver.contract.library import Target
    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition

_MOST_NAMED: Final = 6


@dataclass
class Compared:
    """What was asked of one chip.

    Attributes:
        target: Who was asked.
        found: Each case, with the mock's exchange and the service's.
        notes: What was left out, for people.
        stopped: Why the service should not be asked any more; empty where it was asked to the end.
    """

    target: Target
    found: list[tuple[Case, Exchange, Exchange]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: str = ""

    @property
    def pairs(self) -> list[Pair]:
        """By the case's name."""
        return [(case.name, ours, live) for case, ours, live in self.found]

    @property
    def by_name(self) -> dict[str, Case]:
        """The cases."""
        return {case.name: case for case, _, _ in self.found}


def asked_live(args: argparse.Namespace, edition: Edition, target: Target, steps: Progress, clock: Clock) -> Compared:
    """The same requests, asked of both: those of recordings, or the contract's examples and what must be refused."""
    send = HttpTransport(target.address, target.key, clock.seconds)
    chip, budget = edition.chips[target.chip], budget_of(args)
    runner = Runner(send, edition, chip, target.model, clock=clock, budget=budget, address=target.address)
    if args.fixtures:
        asked = [
            Case(name, Phase.EXAMPLES, _cheap(_body(exchange, target), args.max_tokens))
            for name, exchange in _recordings(args.fixtures, "--fixtures", target.chip, edition)
        ]
    else:
        asked = _questions(edition, target, args.max_tokens)
    mock, made, asking = _mock(edition, target), Compared(target), Asking(runner, asked)
    for number, (case, exchange) in enumerate(asking, 1):
        steps.step(number, len(asked), case.name, about=target.chip)
        made.found.append((case, mock.sent(mock.request(case)), exchange))
    made.stopped = asking.stopped
    if asking.left:
        left = _told(edition, asking.left)
        made.notes.append(f"{left} left out: {asking.stopped}" if asking.stopped else f"{asking.why} {left}")
    return made


def _questions(edition: Edition, target: Target, max_tokens: int) -> list[Case]:
    """The contract's examples, and requests with one rule broken: of each kind, then each range, then the others.

    What the edition lets in is asked too: the service may have begun to refuse it.
    """
    asked = [*learn.probes(edition, target.model, max_tokens).values(), *cases.at_the_limit(target.model)]
    request = replace(edition.file.request, lets_in=())
    strict = replace(edition, file=replace(edition.file, request=request))
    broken = askable(cases.breaks(strict, target.model, max_tokens), target.model, target.chip, target.address)
    first = {one.refusal: one for one in reversed(broken) if len(one.data) < cases.FEW_BYTES}
    ranges = [one for one in broken if cases.out_of_range(edition, one)]
    order = dict.fromkeys(one.name for one in (*reversed(first.values()), *ranges, *broken))
    by_name = {one.name: one for one in broken}
    return [*asked, *(by_name[name] for name in order)]


def _told(edition: Edition, left: Sequence[Case]) -> str:
    """Which cases were left out: their number, and the documented ranges among them."""
    ranges = list(dict.fromkeys(one.param for one in left if cases.out_of_range(edition, one)))
    named = ", ".join(ranges[:_MOST_NAMED]) + (" and others" if len(ranges) > _MOST_NAMED else "")
    among = f", among them the ranges of {named}" if ranges else "; every documented range was tried"
    return f"{counted(len(left), 'further case')}{among}"


def _mock(edition: Edition, target: Target) -> Runner:
    """A runner whose target is a mock in this process; where no path names the chip, the target's answers."""
    edition = in_process.with_model(edition, target.model)
    send = in_process.transport(in_process.service(edition), edition.file.defaults.created * 1000, chip=target.chip)
    chip, clock = edition.chips[target.chip], Clock(lambda: 0.0, lambda _s: None)
    return Runner(send, edition, chip, target.model, clock=clock, address=_mocks_address(target))


def _mocks_address(target: Target) -> Address | None:
    """Where the mock is asked: as the target is, where the service has such a path without a chip; else as usual."""
    address = target.address
    route = parse(address.path(target.model, target.chip))
    if route is None or route.chip:
        return None
    return Address("http://127.0.0.1", urlsplit(address.base_url).path.rstrip("/") + address.path_template)


def recorded(folder: Path, edition: Edition, target: Target) -> Compared:
    """The recordings of a folder for this chip, each with what the mock answers to its request."""
    mock, made = _mock(edition, target), Compared(target)
    for name, exchange in _recordings(folder, "--against", target.chip, edition):
        case = Case(name, Phase.EXAMPLES, _body(exchange, target))
        request = mock.request(case)
        route = parse(exchange.request.path)
        if route is not None and not route.chip:
            request = replace(request, path=route.path)
        made.found.append((case, mock.sent(request), exchange))
    return made


def _recordings(folder: Path, flag: str, chip: str, edition: Edition) -> Iterator[tuple[str, Exchange]]:
    """The recordings of one chip below a folder, whoever recorded them; other files are left.

    Those whose path names no chip are of the edition's default chip, as `serve` has it.
    """
    if not folder.is_dir():
        raise OperatorError(f"{flag} {folder}: no such directory")
    count = 0
    for path in sorted(folder.rglob("*.json")):
        file = read_if_exchange(path)
        asked = file and chat_request(file.request.path, file.request.body or {}, edition.default_chip)
        if file and asked and asked.chip == chip:
            count += 1
            yield str(path.relative_to(folder).with_suffix("")), exchange_of(file)
    if not count:
        raise OperatorError(
            f"{flag} {folder}: holds no recording of chip {chip}; genstudio-mock record and learn make some"
        )


def _body(exchange: Exchange, target: Target) -> dict[str, Any]:
    """What was asked, of the target's model."""
    asked = Reading(exchange).asked
    return {**asked, "model": target.model} if "model" in asked or not target.address.names_model else asked


def _cheap(body: dict[str, Any], most: int) -> dict[str, Any]:
    """The request with no higher limit of tokens than is allowed."""
    key = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
    asked = body.get(key)
    return {**body, key: min(asked, most) if isinstance(asked, int) else most}
