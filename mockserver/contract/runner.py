"""Runs the contract against a target, within a budget, and keeps what was found.

The runner knows a function that sends a request, not what is behind it: a live service, another server, or a mock in
the same process. Waiting and the clock are handed in too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from mockserver.contract import cases
from mockserver.contract.cases import Case, Phase
from mockserver.contract.clauses.clause import Check, Context, Outcome, Severity, Verdict, word_of
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.relations import DIALOGUE, Relation
from mockserver.contract.clauses.table import judge
from mockserver.contract.http_client import PLACEHOLDER, Address, UnreachableError
from mockserver.contract.politeness import (
    MOST_BYTES_ELSEWHERE,
    TEMPLATE_TOKENS,
    is_bad_key,
    is_here,
    most_prompt_tokens,
    no_target,
    usual_rate,
    wait_asked,
)
from mockserver.contract.result import Budget, Clock, Finding, Result, counted
from mockserver.core.exchange import Ending, Exchange, Request
from mockserver.core.extras import to_install
from mockserver.core.route import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mockserver.contract.http_client import Transport
    from mockserver.profile.edition import ChipProfile, Edition

LONGEST_WAIT_S: Final = 60.0
MOST_RETRIES: Final = 3
MOST_SILENT: Final = 3
"""So many answers of a run may fail to end before the target is left alone: each costs half a minute."""
_ABOUT_KEYS: Final = ("missing-key", "malformed-key", "wrong-key")
_SHARES: Final = {Phase.EXAMPLES: 0.5, Phase.BROKEN: 0.8, Phase.GENERATED: 0.92, Phase.DIALOGUE: 1.0}
"""Which part of the budget may be used up when a phase ends; what is left falls to the next."""


class BudgetSpentError(Exception):
    """The next request would pass the budget."""


class StoppedError(BudgetSpentError):
    """The target should not be asked any more; the text says why."""


class Runner:
    """One run against one model on one chip.

    Args:
        send: Sends a request.
        edition: The state of the documents to hold the target to.
        chip: The chip, by its profile's name.
        model: The model.
        budget: What the run may cost.
        clock: Time.
        address: Gives the path; its base URL is not used here.
        progress: Told of each case when it is judged: its name and the ids of the clauses it broke.
    """

    def __init__(
        self,
        send: Transport,
        edition: Edition,
        chip: ChipProfile,
        model: str,
        *,
        clock: Clock,
        budget: Budget | None = None,
        address: Address | None = None,
        progress: Callable[[Case, Sequence[str]], None] = lambda _case, _broken: None,
    ) -> None:
        self._send = send
        self._edition = edition
        self._chip = chip
        self._model = model
        self.budget = budget or Budget()
        self._clock = clock
        self._address = address or Address("http://127.0.0.1")
        asked = self.budget.per_second
        self._per_second = usual_rate(self._address.base_url) if asked is None else asked
        self._template_tokens = TEMPLATE_TOKENS
        self._progress = progress
        self._spent_requests = 0
        self._spent_tokens = 0
        self._silent = 0
        self._answered: Case | None = None
        self._over = ""
        self._not_before = 0.0
        self._by_name: dict[str, Exchange] = {}
        self.result = Result(chip)

    def run(
        self,
        phases: Sequence[Phase] = tuple(Phase),
        generated: Callable[[int], Sequence[Case]] | None = None,
        turns: Sequence[str] = ("我叫小明。", "我叫什么名字?", "谢谢,再见。"),
    ) -> Result:
        """Run the phases in order, then look for smaller requests that show what was found.

        Args:
            phases: Which ones.
            generated: Draws that many cases; None leaves the phase out with a note.
            turns: What the user says in the dialogue.
        """
        plans: dict[Phase, Callable[[int], Iterator[Case]]] = {
            Phase.EXAMPLES: lambda _n: self._examples(),
            Phase.BROKEN: lambda _n: self._breaks(),
            Phase.GENERATED: lambda n: iter(generated(n) if generated else ()),
            Phase.DIALOGUE: lambda _n: self._dialogue(turns),
        }
        if Phase.GENERATED in phases and generated is None:
            self.result.notes.append(
                f"generated requests are left out: they need hypothesis ({to_install('contract')})"
            )
        try:
            for phase in phases:
                limit = int(self.budget.requests * _SHARES[phase]) if len(phases) > 1 else self.budget.requests
                left_out = self._phase(plans[phase](max(limit - self._spent_requests, 0)), limit)
                if left_out:
                    self.result.notes.append(f"{phase}: the budget does not reach {counted(left_out, 'further case')}")
            self._shrink_all()
        except (StoppedError, UnreachableError) as error:
            if not self.result.exchanges:
                raise UnreachableError(str(error)) from None
            self.result.stopped = str(error)
        return self.result

    def _phase(self, planned: Iterator[Case], limit: int) -> int:
        for case in planned:
            if self._spent_requests >= limit:
                return 1 + sum(1 for _ in planned) if case.phase is not Phase.DIALOGUE else 0
            try:
                self.ask(case)
            except StoppedError:
                raise
            except BudgetSpentError:
                return 1 + sum(1 for _ in planned) if case.phase is not Phase.DIALOGUE else 1
        return 0

    def ask(self, case: Case) -> Exchange:
        """Send one case, judge it, keep it.

        Raises:
            BudgetSpentError: the budget has no room for it; nothing is sent.
            StoppedError: the target should not be asked any more, now or since an earlier case.
        """
        exchange = self._exchange(case)
        self._by_name[case.name] = exchange
        self.result.exchanges.append((case, exchange))
        verdicts = self._judge(case, exchange)
        context = self._context(case)
        for clause, verdict in verdicts:
            self.result.verdicts.setdefault(clause.id, Counter())[verdict.outcome] += 1
            if verdict.outcome is Outcome.BROKEN:
                self._found(self.result.findings, clause, case, exchange, verdict.evidence, clause.weight(context))
            elif verdict.outcome is Outcome.RAISED:
                self._found(self.result.raised, clause, case, exchange, verdict.evidence, Severity.OBSERVED)
        self._progress(case, [clause.id for clause, verdict in verdicts if verdict.outcome is Outcome.BROKEN])
        return exchange

    def _judge_limited(self, case: Case, exchange: Exchange) -> None:
        """A 429 that nobody asked for is judged as the refusal that it is, and not kept as the case's answer."""
        limited = replace(case, name="too many requests", refusal="rate-limited", relations=(), twin_of=None)
        for clause, verdict in self._judge(limited, exchange):
            if verdict.outcome is Outcome.BROKEN:
                weight = clause.weight(self._context(limited))
                self._found(self.result.findings, clause, limited, exchange, verdict.evidence, weight)

    def _judge(self, case: Case, exchange: Exchange) -> list[tuple[Check | Relation, Verdict]]:
        found: list[tuple[Check | Relation, Verdict]] = list(judge(exchange, self._context(case)).items())
        first = self._by_name.get(case.twin_of or "")
        if first is not None:
            readings = Reading(first), Reading(exchange)
            found += [(one, word_of(partial(one.compare, *readings))) for one in case.relations]
        return found

    def _context(self, case: Case) -> Context:
        now = self._clock.unix_s() if self._clock.unix_s else None
        return Context(self._edition, self._chip, case.model or self._model, case.refusal, now, case.claim)

    def _found(
        self,
        among: list[Finding],
        clause: Check | Relation,
        case: Case,
        exchange: Exchange,
        evidence: str,
        severity: Severity,
    ) -> None:
        """One finding a clause: the first, but a later one instead that weighs more."""
        for number, known in enumerate(among):
            if known.clause is clause:
                lighter = known.severity is Severity.OBSERVED and severity is not Severity.OBSERVED
                kept = Finding(clause, self._chip.name, case, exchange, evidence, severity) if lighter else known
                among[number] = replace(kept, times=known.times + 1)
                return
        among.append(Finding(clause, self._chip.name, case, exchange, evidence, severity))

    # --- sending ---

    def request(self, case: Case) -> Request:
        """The case as a request; the key is a placeholder that the transport knows."""
        headers: dict[bytes, bytes] = {
            b"host": _host(self._address.base_url),
            b"content-type": b"application/json",
            b"authorization": f"Bearer {PLACEHOLDER}".encode(),
        }
        changes: Mapping[bytes, bytes | None] = case.headers
        headers = {n: v for n, v in {**headers, **changes}.items() if v is not None}
        path = self._address.path(case.model or self._model, case.chip or self._chip.name)
        return Request(case.method, path, headers, case.data)

    def sent(self, request: Request) -> Exchange:
        """Send a request as it is: not judged, not counted."""
        return self._send(request)

    def _exchange(self, case: Case) -> Exchange:
        """Send, politely: not faster than allowed, and again after a 429 that was not asked for."""
        if self._over:
            raise StoppedError(self._over)
        try:
            for attempt in range(MOST_RETRIES + 1):
                exchange = self._sent_once(case)
                reading = Reading(exchange)
                if reading.status != 429 or case.refusal == "rate-limited":
                    break
                self._judge_limited(case, exchange)
                self._wait_as_asked(reading, attempt)
            self._check_worth(reading, case)
        except StoppedError as stopped:
            self._over = str(stopped)
            raise
        return exchange

    def _sent_once(self, case: Case) -> Exchange:
        """Send when it is our turn, as far as the budget goes."""
        if (
            self._spent_requests >= self.budget.requests
            or self._spent_tokens + self._most_cost(case) > self.budget.tokens
        ):
            raise BudgetSpentError
        self._wait_turn()
        self._spent_requests += 1
        exchange = self._send(self.request(case))
        self._spent_tokens += self._cost(Reading(exchange), case)
        return exchange

    def _wait_as_asked(self, reading: Reading, attempt: int) -> None:
        """Wait after a 429; raises StoppedError where the target wants more than is waited."""
        seconds = wait_asked(reading, attempt, self._clock.unix_s() if self._clock.unix_s else None)
        if seconds > LONGEST_WAIT_S or attempt == MOST_RETRIES:
            asked = f"Retry-After: {reading.headers['retry-after']}" if "retry-after" in reading.headers else "no time"
            raise StoppedError(
                f"the target answers 429 and asks to wait ({asked[:60]}); tried {attempt + 1} of {MOST_RETRIES + 1} "
                f"times, waits of at most {LONGEST_WAIT_S:g} s; --per-minute asks more slowly"
            )
        self._clock.sleep(seconds)

    def _check_worth(self, reading: Reading, case: Case) -> None:
        """Whether to go on: raises UnreachableError or StoppedError where further requests can tell nothing."""
        if self._spent_requests == 1 and case.refusal is None:
            why = no_target(reading, self._key_codes)
            if why:
                raise UnreachableError(f"{self._address.base_url} {why}")
        elif self._key_went_bad(reading, case):
            why = no_target(reading, self._key_codes)
            raise StoppedError(f"from request {self._spent_requests} on the target {why}")
        if case.refusal is None and reading.answered:
            self._answered = case
        self._silent += reading.exchange.ending is Ending.HANG
        if self._silent >= MOST_SILENT:
            raise StoppedError(f"{MOST_SILENT} answers did not end in time")

    @property
    def _key_codes(self) -> set[int | str]:
        errors = self._edition.file.errors
        return {errors[kind].code for kind in _ABOUT_KEYS}

    def _key_went_bad(self, reading: Reading, case: Case) -> bool:
        """Whether a refusal means that the key, which was good, is so no more.

        Where another refusal is due, the target may only have the wrong word for it: what it answered before tells.
        """
        if case.refusal in _ABOUT_KEYS or not is_bad_key(reading, self._key_codes):
            return False
        if case.refusal is None or self._answered is None:
            return case.refusal is None
        try:
            return is_bad_key(Reading(self._sent_once(self._answered)), self._key_codes)
        except BudgetSpentError:
            return False

    def _most_cost(self, case: Case) -> int:
        """What a case may cost at most: its prompt and its limit, also where a refusal is due, which may not come."""
        return most_prompt_tokens(case.body) + self._template_tokens + (case.most_tokens or self.budget.max_tokens)

    def _cost(self, reading: Reading, case: Case) -> int:
        """What an answer cost, by its own usage; without one, the most that it may have cost."""
        total, prompt = (reading.usage.get(key) for key in ("total_tokens", "prompt_tokens"))
        if isinstance(prompt, int):
            self._template_tokens = max(self._template_tokens, prompt - most_prompt_tokens(case.body))
        if isinstance(total, int) and total >= 0:
            return total
        return self._most_cost(case) if reading.answered else 0

    def _wait_turn(self) -> None:
        if self._per_second <= 0:
            return
        now = self._clock.seconds()
        if now < self._not_before:
            self._clock.sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + 1 / self._per_second

    def _examples(self) -> Iterator[Case]:
        """The examples that the target's path has a place for."""
        found = cases.examples(self._edition, self._model, self.budget.max_tokens)
        return (one for one in found if self._address.names_model or not one.needs_model_in_path)

    def _breaks(self) -> Iterator[Case]:
        """The cases with one rule broken."""
        found = cases.breaks(self._edition, self._model, self.budget.max_tokens)
        return iter(askable(found, self._model, self._chip.name, self._address))

    # --- a dialogue ---

    def _dialogue(self, turns: Sequence[str]) -> Iterator[Case]:
        """Turns of one dialogue: each sends the answers before it back, so the target's own words are its input."""
        body = cases.question(turns[0], self._model, self.budget.max_tokens)
        before = None
        for number, said in enumerate((*turns[1:], None)):
            name = f"turn {number + 1}"
            related = (DIALOGUE,) if before else ()
            yield Case(name, Phase.DIALOGUE, {**body, "stream": bool(number % 2)}, relations=related, twin_of=before)
            reading = Reading(self._by_name[name]) if name in self._by_name else None
            if said is None or reading is None or not reading.answered:
                return
            answer = {"role": "assistant", "content": reading.text}
            body = {**body, "messages": [*body["messages"], answer, {"role": "user", "content": said}]}
            before = name

    # --- smaller requests ---

    def _shrink_all(self) -> None:
        """Look for a smaller request for each finding, as far as the budget goes."""
        for number, finding in enumerate(self.result.findings):
            if isinstance(finding.clause, Check) and isinstance(finding.case.body, dict):
                try:
                    self.result.findings[number] = self._smaller(finding, finding.clause)
                except StoppedError:
                    raise
                except BudgetSpentError:
                    return

    def _smaller(self, finding: Finding, clause: Check) -> Finding:
        for body in _reductions(finding.case.body):
            case = replace(finding.case, body=body, relations=(), twin_of=None)
            exchange = self._exchange(case)
            for judged, verdict in self._judge(case, exchange):
                if judged is clause and verdict.outcome is Outcome.BROKEN:
                    return replace(finding, case=case, exchange=exchange, evidence=verdict.evidence)
        return finding


def askable(found: Iterable[Case], model: str, chip: str, address: Address) -> list[Case]:
    """The cases with one rule broken that a target's path has a place for; a deployment has any model's name.

    Args:
        found: All of them.
        model: The model that is asked.
        chip: The chip that is asked.
        address: The target; what is too large goes to this machine alone.
    """
    route = parse(address.path(model, chip))
    if route is not None and route.deployment:
        found = [one for one in found if not isinstance(one.body, dict) or one.body.get("model") == model]
    if not is_here(address.base_url):
        found = [one for one in found if len(one.data) <= MOST_BYTES_ELSEWHERE]
    return [one for one in found if one.chip is None or address.names_chip]


def _reductions(body: object) -> Iterator[dict[str, object]]:
    """Smaller bodies, the smallest first: what must be there, then one further key, then all keys but one."""
    if not isinstance(body, dict):
        return
    needed = {"model", "messages", "stream", "max_tokens"}
    base = {key: value for key, value in body.items() if key in needed}
    optional = [key for key in body if key not in needed]
    if not optional:
        return
    yield base
    for key in optional[:3]:
        if len(optional) > 1:
            yield {**base, key: body[key]}


def _host(base_url: str) -> bytes:
    from urllib.parse import urlsplit

    return urlsplit(base_url).netloc.rpartition("@")[2].encode()
