"""The contract as calls, for the tests of client libraries and of other servers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockserver.contract.cases import Phase
from mockserver.contract.clauses.clause import Context, Outcome
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import CHECKS
from mockserver.contract.http_client import DEFAULT_TIMEOUT_S, Address, HttpTransport, template_of
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError, suggestion
from mockserver.core.exchange import Request
from mockserver.profile.edition import Edition, default_edition, load_edition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mockserver.contract.cases import Case
    from mockserver.contract.result import Result
    from mockserver.profile.edition import ChipProfile

REAL_CLOCK = Clock(time.monotonic, time.sleep, lambda: int(time.time()))


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked, and what is expected of it.

    Attributes:
        base_url: Where it listens.
        model: The model to ask.
        chip: The chip whose profile is expected.
        edition: The state of the documents, or its name; None takes the default one.
        key: The API key; it is never kept or shown.
        path_template: The path, with `{model}` and `{chip}`. Empty is the service's, or OpenAI's below a base URL that
            ends in `/v1`.
        ca_file: Trusts the certificates of this file instead of the system's.
        timeout_s: Seconds for the connection, and for the silence between two reads.
        headers: Further request headers; they are never kept or shown.
    """

    base_url: str
    model: str
    chip: str
    edition: Edition | str | None = None
    key: str = field(default="sk-test", repr=False)
    path_template: str = ""
    ca_file: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def address(self) -> Address:
        """Where it listens, checked; raises OperatorError for what is no address."""
        template = self.path_template or template_of(self.base_url)
        return Address(self.base_url, template, self.ca_file, self.timeout_s, self.headers)

    def read_edition(self) -> Edition:
        """The edition, read where only its name is known."""
        return self.edition if isinstance(self.edition, Edition) else edition_of(self.edition)


def edition_of(name: str | None = None, roots: Sequence[Path] = ()) -> Edition:
    """An edition by its name, the default one for None; raises OperatorError for one that is not there."""
    where = [*roots, shipped("profiles")]
    return load_edition(name or default_edition(where), where)


def chip_of(edition: Edition, name: str) -> ChipProfile:
    """A chip's profile; raises OperatorError with the names that there are."""
    if name not in edition.chips:
        raise OperatorError(f"--chip: {name!r} is not in edition {edition.name}; {suggestion(name, edition.chips)}")
    return edition.chips[name]


def check(
    target: Target,
    *,
    budget: Budget | None = None,
    phases: Sequence[Phase] = tuple(Phase),
    progress: Callable[[Case, Sequence[str]], None] = lambda _case, _broken: None,
    clock: Clock = REAL_CLOCK,
) -> Result:
    """Run the contract against a target; the result's `broken` is empty where it holds.

    Args:
        target: Who is asked.
        budget: What the run may cost.
        phases: Which parts to run.
        progress: Told of each case: the case, and the ids of the clauses that it broke.
        clock: Time.

    Raises:
        UnreachableError: nobody is there who answers the first request.
        OperatorError: the target names something that is not there.
    """
    edition = target.read_edition()
    allowed = budget or Budget()
    runner = Runner(
        HttpTransport(target.address, target.key, clock.seconds),
        edition,
        chip_of(edition, target.chip),
        target.model,
        clock=clock,
        budget=allowed,
        address=target.address,
        progress=progress,
    )
    return runner.run(phases, generator(edition, target.model, allowed.max_tokens))


def generator(edition: Edition, model: str, max_tokens: int) -> Callable[[int], Sequence[Case]] | None:
    """What draws the generated phase's cases; None where hypothesis is not installed."""
    try:
        from mockserver.contract import strategies
    except ImportError:
        return None
    return lambda count: strategies.samples(edition, model, max_tokens, count)


def assert_clause(
    clause: str,
    target: Target,
    *,
    refusal: str | None = None,
    method: str = "POST",
    path: str | None = None,
    headers: Mapping[bytes, bytes] | None = None,
    body: bytes = b"",
) -> None:
    """Send one request and raise AssertionError with the evidence where the clause is broken.

    Args:
        clause: The check's id.
        target: Who is asked.
        refusal: The kind of refusal that is due; None for an answer.
        method: HTTP method.
        path: The path; None makes it of the target's template.
        headers: Request headers; None sends the usual ones.
        body: The body.

    Raises:
        AssertionError: the clause is broken.
        UnreachableError: nobody listens.
        OperatorError: no such clause, edition or chip.
    """
    known = {one.id: one for one in CHECKS}
    if clause not in known:
        raise OperatorError(f"clause {clause!r} cannot be checked on one exchange; {suggestion(clause, known)}")
    edition = target.read_edition()
    usual = {b"content-type": b"application/json", b"authorization": b"Bearer $API_KEY"}
    where = path or target.address.path(target.model, target.chip)
    request = Request(method, where, dict(headers or usual), body)
    exchange = HttpTransport(target.address, target.key, time.monotonic)(request)
    context = Context(edition, chip_of(edition, target.chip), target.model, refusal)
    verdict = known[clause].judge(Reading(exchange), context)
    if verdict.outcome is Outcome.BROKEN:
        raise AssertionError(f"{clause}: {verdict.evidence}")
