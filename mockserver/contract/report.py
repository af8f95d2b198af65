"""What a run found, written for people, for CI and for programs. One writer a format; the table ends the file."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from mockserver.contract.clauses.clause import Outcome, Severity
from mockserver.contract.clauses.reading import Reading
from mockserver.contract.clauses.table import CHECKS, CLAUSES
from mockserver.contract.clauses.wire_form import ledger
from mockserver.contract.evidence import unseen_bytes
from mockserver.contract.result import ExitCode, counted
from mockserver.contract.xml_text import xml_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.contract.clauses.wire_form import Entry
    from mockserver.contract.result import Finding, Result

_MARKS: Final = {
    Outcome.HOLDS: "holds",
    Outcome.BROKEN: "BROKEN",
    Outcome.NOT_APPLICABLE: "·",
    Outcome.RAISED: "raised",
}
_WEIGHTS: Final = list(Severity)
LONGEST: Final = 140
"""Characters of a line of the index; the finding itself tells all."""
_SETTLED: Final = {"as declared", "not seen"}


@dataclass(frozen=True)
class Run:
    """The results of one run, chip by chip, and where it went.

    Attributes:
        base_url: The target.
        path_template: Its path.
        edition: Name of the edition.
        model: The model.
        results: One a chip.
        fail_on: The least severity that breaks the contract; what weighs less is told.
    """

    base_url: str
    path_template: str
    edition: str
    model: str
    results: Sequence[Result]
    fail_on: Severity = Severity.SHOULD

    def counts(self, finding: Finding) -> bool:
        """Whether a finding breaks the contract."""
        return _WEIGHTS.index(finding.severity) <= _WEIGHTS.index(self.fail_on)

    def broken(self, result: Result) -> list[Finding]:
        """The findings on one chip that break the contract."""
        return [one for one in result.findings if self.counts(one)]

    @property
    def exit_code(self) -> ExitCode:
        """Whether every clause of weight holds, one is broken, the target was lost, or this tool failed."""
        if any(result.raised for result in self.results):
            return ExitCode.TOOL_FAILED
        if any(map(self.broken, self.results)):
            return ExitCode.BROKEN
        return ExitCode.UNREACHABLE if any(result.stopped for result in self.results) else ExitCode.HOLDS

    def clauses(self) -> list[tuple[str, str]]:
        """Id and sentence of each clause that applied anywhere, in the table's order."""
        every = [(one.id, one.sentence) for one in CLAUSES]
        silent = Outcome.NOT_APPLICABLE
        return [one for one in every if any(result.outcome(one[0]) is not silent for result in self.results)]

    def ledger(self, result: Result) -> list[Entry]:
        """The ledger of one chip: what its profile declares, and what was seen otherwise."""
        entries = ledger(result.chip, (Reading(exchange) for _, exchange in result.exchanges))
        return [one for one in entries if one.state not in _SETTLED or one.claim is not None]


def name_of_file(finding: Finding) -> str:
    """The exchange file's name of a finding."""
    return f"{finding.chip}-{finding.clause.id}.json"


def curl(run: Run, finding: Finding) -> str:
    """The finding's minimal request as a line for a shell."""
    from mockserver.contract import finding_file

    return finding_file.curl(finding.exchange.request, run.base_url)


def pytest_test(run: Run, finding: Finding) -> str:
    """The finding as a test; empty for a relation, which needs two requests."""
    if finding.clause.id not in {one.id for one in CHECKS}:
        return ""
    from mockserver.contract import finding_file

    return finding_file.pytest_test(
        finding_file.of_finding(finding, run.edition, run.model), run.base_url, run.path_template
    )


# --- terminal -----------------------------------------------------------------------------------------------------


def terminal(run: Run) -> str:
    """The matrix clause by chip, an index, the ledger where it is not as declared, each finding with its curl line."""
    clauses = run.clauses()
    width = max((len(name) for name, _ in clauses), default=6)
    heaviest = {one.clause.id: one.severity for one in reversed(by_weight(_all_findings(run)))}
    chips = [result.chip.name for result in run.results]
    columns = [max(len(chip), 6) for chip in chips]
    lines = [" ".join(["clause".ljust(width), *(c.ljust(w) for c, w in zip(chips, columns, strict=True))]).rstrip()]
    for name, _ in clauses:
        marks = [_MARKS[result.outcome(name)].ljust(w) for result, w in zip(run.results, columns, strict=True)]
        told = name in heaviest and _WEIGHTS.index(heaviest[name]) > _WEIGHTS.index(run.fail_on)
        note = f"  ({heaviest[name]} only)" if told else ""
        lines.append((" ".join([name.ljust(width), *marks]) + note).rstrip())
    found = by_weight(_all_findings(run))
    lines += ["", *_index(found)] if len(found) > 1 else []
    for result in run.results:
        lines += _deviations(run, result)
        lines += [f"{result.chip.name}: {note}" for note in _notes(result)]
    lines += [line for one in found for line in _told(run, one)]
    return "\n".join([*lines, "", _summary(run)]) + "\n"


def _deviations(run: Run, result: Result) -> list[str]:
    odd = [one for one in run.ledger(result) if one.state not in _SETTLED]
    rows = [f"  {one.state}: declared {one.declared}, seen {one.seen}" for one in odd]
    return ["", f"{result.chip.name}: deviations that are not as its profile says", *rows] if rows else []


def _index(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding, under one another."""
    weight, chip, clause = (
        max(len(text) for text in column)
        for column in zip(*((one.severity, one.chip, one.clause.id) for one in findings), strict=True)
    )
    return [
        f"{one.severity.ljust(weight)}  {one.chip.ljust(chip)}  {one.clause.id.ljust(clause)}  {one.evidence}"[:LONGEST]
        for one in findings
    ]


def _told(run: Run, one: Finding) -> list[str]:
    times = f", in {counted(one.times, 'case')}" if one.times > 1 else ""
    return [
        "",
        f"{one.chip}: {one.clause.id} ({one.severity}) broken by {one.case.name!r}{times}",
        f"  {one.clause.sentence} Source: {one.clause.source}.",
        f"  {one.evidence}",
        *(f"    {row}" for row in unseen_bytes(one)),
        f"  {curl(run, one)}",
    ]


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """The findings: must, should, observed; those of one weight as they were found."""
    return sorted(findings, key=lambda one: _WEIGHTS.index(one.severity))


def _all_findings(run: Run) -> list[Finding]:
    return [one for result in run.results for one in result.findings]


def raised_line(finding: Finding) -> str:
    """What to say of a clause that this tool could not judge."""
    return (
        f"{finding.clause.id} could not be judged on {finding.case.name!r}: {finding.evidence}; this is a fault of "
        "genstudio-mock, not of the target: please report it with the exchange (--exchanges DIR saves it)"
    )


def _notes(result: Result) -> list[str]:
    """What was left out, and whether the run came to its end."""
    ended = [f"stopped after {counted(len(result.exchanges), 'request')}: {result.stopped}"] if result.stopped else []
    return [f"note: {note}" for note in result.notes] + [raised_line(one) for one in result.raised] + ended


def _summary(run: Run) -> str:
    broken = sum(len(run.broken(result)) for result in run.results)
    observed = len(_all_findings(run)) - broken
    asked = counted(sum(len(result.exchanges) for result in run.results), "request")
    lighter = " or ".join(_WEIGHTS[_WEIGHTS.index(run.fail_on) + 1 :])
    told = f"{asked}, {observed} more {lighter}" if observed else asked
    if run.exit_code is ExitCode.TOOL_FAILED:
        failed = counted(sum(len(result.raised) for result in run.results), "clause")
        return f"{failed} could not be judged, by a fault of genstudio-mock; {counted(broken, 'finding')} in {told}."
    if broken:
        return f"The contract is broken: {counted(broken, 'finding')} in {told}."
    holds = "is not broken as far as the run came" if run.exit_code else "holds"
    return f"The contract {holds}: {counted(len(run.clauses()), 'clause')}, {told}."


# --- for programs -------------------------------------------------------------------------------------------------


def as_json(run: Run) -> str:
    """Everything, for programs."""
    data = {
        "target": run.base_url,
        "edition": run.edition,
        "model": run.model,
        "holds": run.exit_code is ExitCode.HOLDS,
        "chips": [_chip_data(run, result) for result in run.results],
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _chip_data(run: Run, result: Result) -> dict[str, Any]:
    return {
        "chip": result.chip.name,
        "requests": len(result.exchanges),
        "notes": result.notes,
        "stopped": result.stopped,
        "clauses": {name: result.outcome(name).value for name, _ in run.clauses()},
        "ledger": [
            {"clause": one.clause, "declared": one.declared, "seen": one.seen, "state": one.state}
            for one in run.ledger(result)
        ],
        "findings": [_finding_data(run, one) for one in by_weight(result.findings)],
        "raised": [_finding_data(run, one) for one in result.raised],
    }


def _finding_data(run: Run, one: Finding) -> dict[str, Any]:
    return {
        "clause": one.clause.id,
        "severity": one.severity.value,
        "sentence": one.clause.sentence,
        "source": one.clause.source,
        "evidence": one.evidence,
        "bytes": unseen_bytes(one),
        "case": one.case.name,
        "times": one.times,
        "curl": curl(run, one),
        "test": pytest_test(run, one),
    }


def junit(run: Run) -> str:
    """One suite a chip, one case a clause; what is told only does not fail."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    clauses = run.clauses()
    for result in run.results:
        suite = quoteattr(f"contract.{result.chip.name}")
        skipped = sum(result.outcome(name) is Outcome.NOT_APPLICABLE for name, _ in clauses)
        raised = {one.clause.id: one for one in result.raised}
        errors = len(raised.keys() - {one.clause.id for one in result.findings})
        counts = f'tests="{len(clauses)}" failures="{len(run.broken(result))}" errors="{errors}" skipped="{skipped}"'
        lines.append(f"<testsuite name={suite} {counts}>")
        found = {one.clause.id: one for one in result.findings}
        for name, _ in clauses:
            inner = "<skipped/>" if result.outcome(name) is Outcome.NOT_APPLICABLE else ""
            if name in raised:
                inner = f"<error message={quoteattr(xml_text(raised_line(raised[name])))}/>"
            inner = _junit_finding(run, found[name]) if name in found else inner
            lines.append(f"<testcase classname={suite} name={quoteattr(name)}>{inner}</testcase>")
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _junit_finding(run: Run, one: Finding) -> str:
    told = "\n".join([one.clause.sentence, one.evidence, *unseen_bytes(one), curl(run, one)])
    text = escape(xml_text(told))
    if not run.counts(one):
        return f"<system-out>{text}</system-out>"
    return f"<failure message={quoteattr(xml_text(one.evidence))}>{text}</failure>"


# --- for people ---------------------------------------------------------------------------------------------------


def markdown(run: Run) -> str:
    """The matrix clause by chip, an index, and a section for each finding."""
    chips = [result.chip.name for result in run.results]
    lines = [f"# Contract of {run.model} at {run.base_url}", "", _summary(run), ""]
    lines += [f"- {result.chip.name}: {note}" for result in run.results for note in _notes(result)]
    lines += ["", "| clause | " + " | ".join(chips) + " | what holds |", "|" + " --- |" * (len(chips) + 2)]
    for name, sentence in run.clauses():
        marks = " | ".join(_MARKS[result.outcome(name)] for result in run.results)
        lines.append(f"| {name} | {marks} | {sentence.replace('|', '/')} |")
    found = by_weight(_all_findings(run))
    lines += [""] if found else []
    for one in found:
        title = _title(one)
        lines.append(f"- **{one.severity}** [{one.chip}: {one.clause.id}](#{_anchor(title)}): {one.clause.sentence}")
    for one in found:
        lines += ["", f"## {_title(one)}", "", one.clause.sentence]
        seen = "\n".join([one.evidence, *unseen_bytes(one)])
        blocks = ((seen, "text"), (curl(run, one), "sh"), (pytest_test(run, one), "python"))
        for text, language in blocks:
            lines += ["", _fenced(text, language)] if text else []
    return "\n".join(lines) + "\n"


def _title(one: Finding) -> str:
    return f"{one.chip}: {one.clause.id} ({one.severity})"


def _anchor(title: str) -> str:
    """A heading's anchor, as GitHub and GitLab make it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def as_html(run: Run) -> str:
    """One page that loads nothing: what was found, and for each finding what went over the wire."""
    from mockserver.page.standalone import document

    findings = [
        {"chip": one.chip, "clause": one.clause.id, "exchange": drawn_finding(run, one)}
        for result in run.results
        for one in result.findings
    ]
    return document(f"Contract of {run.model}", "contract", {"findings": findings}, _body(run))


def drawn_finding(run: Run, finding: Finding) -> dict[str, Any] | None:
    """The exchange of a finding as the page draws it, with what its file would hold."""
    from mockserver.page.recorded import drawn_kept

    return drawn_kept(finding.exchange, f"{finding.chip}: {finding.clause.id}", run.edition)


def _prose(text: str) -> str:
    """A sentence of ours as HTML: what stands between backticks is code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _body(run: Run) -> str:
    """The report's own part of the page; all text is escaped."""
    say = html.escape
    heads = "".join(f"<th>{say(result.chip.name)}</th>" for result in run.results)
    rows = "".join(_row(run, name, sentence) for name, sentence in run.clauses())
    notes = [f"{result.chip.name}: {note}" for result in run.results for note in _notes(result)]
    notes += [f"{result.chip.name}: {line.strip()}" for result in run.results for line in _deviations(run, result)[2:]]
    told = "".join(f"<li>{say(one)}</li>" for one in notes)
    found = by_weight(_all_findings(run))
    index = "".join(
        f'<li><a href="#finding-{number}">{say(one.chip)}: {say(one.clause.id)}</a> '
        f'<span class="tag">{say(one.severity)}</span> <span class="dim">{_prose(one.clause.sentence)}</span></li>'
        for number, one in enumerate(found, 1)
    )
    sections = "".join(_section(run, one, f"finding-{number}") for number, one in enumerate(found, 1))
    return (
        f'<div class="page report"><h1>{say(run.model)}</h1>'
        f'<p class="dim">{say(run.base_url)}, measured against {say(run.edition)}</p>'
        f'<p class="sum{" broken" if run.exit_code else ""}">{say(_summary(run))}</p>'
        + (f'<section class="panel"><h2>Deviations and notes</h2><ul>{told}</ul></section>' if told else "")
        + '<section class="panel"><h2>Clauses</h2><div class="wide" tabindex="0" role="region" aria-label="Clauses">'
        f"<table><thead><tr><th>clause</th>{heads}<th>what holds</th></tr></thead><tbody>{rows}</tbody></table>"
        "</div></section>"
        + (f'<section class="panel"><h2>Findings</h2><ol>{index}</ol></section>' if index else "")
        + f"{sections}</div>"
    )


def _row(run: Run, name: str, sentence: str) -> str:
    outcomes = [result.outcome(name) for result in run.results]
    head = f'<th scope="row" class="name"><code>{html.escape(name)}</code></th>'
    cells = "".join(f'<td class="{one.name.lower()}">{_MARKS[one].lower()}</td>' for one in outcomes)
    return f"<tr>{head}{cells}<td>{_prose(sentence)}</td></tr>"


def _section(run: Run, one: Finding, name: str) -> str:
    say = html.escape
    times = f", in {counted(one.times, 'case')}" if one.times > 1 else ""
    seen = "\n".join([one.evidence, *unseen_bytes(one)])
    test = pytest_test(run, one)
    shown = f'<pre class="code">{say(test)}</pre>'
    folded = f"<details><summary>as a test</summary>{shown}</details>" if test else ""
    return (
        f'<section class="panel" id="{name}"><h2>{say(one.chip)}: {say(one.clause.id)} '
        f'<span class="tag">{say(one.severity)}</span></h2>'
        f'<p>{_prose(one.clause.sentence)}</p><p class="dim">Source: {say(one.clause.source)}. Broken by '
        f'{say(one.case.name)}{times}.</p><pre class="bytes seen">{say(seen)}</pre>'
        f'<pre class="code">{say(curl(run, one))}</pre>{folded}</section>'
    )


WRITERS: Final[dict[str, Callable[[Run], str]]] = {
    "junit": junit,
    "json": as_json,
    "markdown": markdown,
    "html": as_html,
}
