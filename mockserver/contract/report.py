"""What a run found, written for people, for CI and for programs. One writer a format; the table ends the file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract import junit
from mockserver.contract.clauses.clause import Outcome
from mockserver.contract.evidence import unseen_bytes
from mockserver.contract.findings import (
    MARKS,
    WEIGHTS,
    by_weight,
    curl,
    deviations,
    notes_of,
    pytest_test,
    raised_line,
    summary,
)
from mockserver.contract.report_page import as_html
from mockserver.contract.result import ExitCode, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.contract.findings import Run
    from mockserver.contract.result import Finding, Result

LONGEST: Final = 140
"""Characters of a line of the index; the finding itself tells all."""


# --- terminal -----------------------------------------------------------------------------------------------------


def terminal(run: Run) -> str:
    """The matrix clause by chip, an index, the ledger where it is not as declared, each finding with its curl line."""
    clauses = run.clauses()
    width = max((len(name) for name, _ in clauses), default=6)
    heaviest = {one.clause.id: one.severity for one in reversed(run.findings)}
    chips = [result.chip.name for result in run.results]
    columns = [max(len(chip), 6) for chip in chips]
    lines = [" ".join(["clause".ljust(width), *(c.ljust(w) for c, w in zip(chips, columns, strict=True))]).rstrip()]
    for name, _ in clauses:
        marks = [MARKS[result.outcome(name)].ljust(w) for result, w in zip(run.results, columns, strict=True)]
        told = name in heaviest and WEIGHTS.index(heaviest[name]) > WEIGHTS.index(run.fail_on)
        note = f"  ({heaviest[name]} only)" if told else ""
        lines.append((" ".join([name.ljust(width), *marks]) + note).rstrip())
    lines += ["", *_index(run.findings)] if len(run.findings) > 1 else []
    for result in run.results:
        if odd := deviations(run, result):
            lines += [
                "",
                f"{result.chip.name}: deviations that are not as its profile says",
                *(f"  {row}" for row in odd),
            ]
        lines += [f"{result.chip.name}: {note}" for note in notes_of(result)]
    lines += [line for one in run.findings for line in _told(run, one)]
    return "\n".join([*lines, "", summary(run)]) + "\n"


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


def as_junit(run: Run) -> str:
    """One suite a chip, one case a clause; what is told only does not fail."""
    return junit.document((f"contract.{one.chip.name}", _junit_cases(run, one)) for one in run.results)


def _junit_cases(run: Run, result: Result) -> list[tuple[str, str]]:
    found = {one.clause.id: one for one in result.findings}
    raised = {one.clause.id: one for one in result.raised}
    cases = []
    for name, _ in run.clauses():
        inner = junit.element("skipped") if result.outcome(name) is Outcome.NOT_APPLICABLE else ""
        if name in found:
            inner = _junit_finding(run, found[name])
        elif name in raised:
            inner = junit.element("error", message=raised_line(raised[name]))
        cases.append((name, inner))
    return cases


def _junit_finding(run: Run, one: Finding) -> str:
    told = "\n".join([one.clause.sentence, one.evidence, *unseen_bytes(one), curl(run, one)])
    if not run.counts(one):
        return junit.element("system-out", told)
    return junit.element("failure", told, message=one.evidence)


# --- for people ---------------------------------------------------------------------------------------------------


def markdown(run: Run) -> str:
    """The matrix clause by chip, an index, and a section for each finding."""
    chips = [result.chip.name for result in run.results]
    lines = [f"# Contract of {run.model} at {run.base_url}", "", summary(run), ""]
    lines += [f"- {result.chip.name}: {note}" for result in run.results for note in notes_of(result)]
    lines += ["", "| clause | " + " | ".join(chips) + " | what holds |", "|" + " --- |" * (len(chips) + 2)]
    for name, sentence in run.clauses():
        marks = " | ".join(MARKS[result.outcome(name)] for result in run.results)
        lines.append(f"| {name} | {marks} | {sentence.replace('|', '/')} |")
    lines += [""] if run.findings else []
    for one in run.findings:
        title = _title(one)
        lines.append(f"- **{one.severity}** [{one.chip}: {one.clause.id}](#{_anchor(title)}): {one.clause.sentence}")
    for one in run.findings:
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


WRITERS: Final[dict[str, Callable[[Run], str]]] = {
    "junit": as_junit,
    "json": as_json,
    "markdown": markdown,
    "html": as_html,
}
