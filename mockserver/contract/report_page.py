"""What a run found as one page of HTML, which loads nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from mockserver.contract.evidence import unseen_bytes
from mockserver.contract.findings import MARKS, curl, deviations, notes_of, pytest_test, summary
from mockserver.contract.result import counted

if TYPE_CHECKING:
    from mockserver.contract.findings import Run
    from mockserver.contract.result import Finding


def as_html(run: Run) -> str:
    """One page that loads nothing: what was found, and for each finding what went over the wire."""
    from mockserver.page.recorded import drawn_kept
    from mockserver.page.standalone import document

    findings = [
        {
            "chip": one.chip,
            "clause": one.clause.id,
            "exchange": drawn_kept(one.exchange, f"{one.chip}: {one.clause.id}", run.edition),
        }
        for result in run.results
        for one in result.findings
    ]
    return document(f"Contract of {run.model}", "contract", {"findings": findings}, _body(run))


def _prose(text: str) -> str:
    """A sentence of ours as HTML: what stands between backticks is code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _body(run: Run) -> str:
    """The report's own part of the page; all text is escaped."""
    say = html.escape
    heads = "".join(f"<th>{say(result.chip.name)}</th>" for result in run.results)
    rows = "".join(_row(run, name, sentence) for name, sentence in run.clauses())
    notes = [f"{result.chip.name}: {note}" for result in run.results for note in notes_of(result)]
    notes += [f"{result.chip.name}: {line}" for result in run.results for line in deviations(run, result)]
    told = "".join(f"<li>{say(one)}</li>" for one in notes)
    index = "".join(
        f'<li><a href="#finding-{number}">{say(one.chip)}: {say(one.clause.id)}</a> '
        f'<span class="tag">{say(one.severity)}</span> <span class="dim">{_prose(one.clause.sentence)}</span></li>'
        for number, one in enumerate(run.findings, 1)
    )
    sections = "".join(_section(run, one, f"finding-{number}") for number, one in enumerate(run.findings, 1))
    return (
        f'<div class="page report"><h1>{say(run.model)}</h1>'
        f'<p class="dim">{say(run.base_url)}, measured against {say(run.edition)}</p>'
        f'<p class="sum{" broken" if run.exit_code else ""}">{say(summary(run))}</p>'
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
    cells = "".join(f'<td class="{one.name.lower()}">{MARKS[one].lower()}</td>' for one in outcomes)
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
