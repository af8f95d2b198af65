"""What a report counts, and what it shows as bytes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mockserver.contract import in_process, library, report
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.clause import Severity
from mockserver.contract.clauses.table import CHECKS, CLAUSES
from mockserver.contract.evidence import hex_rows, unseen_bytes
from mockserver.contract.findings import Run, by_weight
from mockserver.contract.library import Target
from mockserver.contract.report_page import as_html
from mockserver.contract.result import ExitCode
from mockserver.core.exchange import Plan
from mockserver.profile import quirks
from tests.conftest import load
from tests.contract_live import serving
from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.contract.clauses.clause import Check
    from mockserver.contract.clauses.relations import Relation
    from mockserver.contract.result import Finding, Result

TUTORIAL = load("2024-tutorial")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A mock with a `must`, a `should` and an `observed` deviation, and bytes that no text shows."""
    profile = TUTORIAL.chips["nvidia"]
    wire = quirks.changed(profile.wire, "no-done,json-compact,bom,crlf")
    with serving(in_process.with_chip(TUTORIAL, replace(profile, wire=wire))) as url:
        yield url


@pytest.fixture(scope="module")
def result(url: str) -> Result:
    """What the contract finds there, by the documents' examples alone."""
    return library.check(Target(url, "mt-infini-3b", "nvidia", TUTORIAL), phases=[Phase.EXAMPLES])


def of(result: Result, *severities: Severity) -> Result:
    """The same with findings of these severities alone."""
    return replace(result, findings=[one for one in result.findings if one.severity in severities])


def run_of(result: Result, fail_on: Severity) -> Run:
    """A run that fails on this severity."""
    return Run("http://h", "/p", "2024-tutorial", "m", [result], fail_on)


MUST, SHOULD, OBSERVED = Severity
CODES = {
    "all fail on should": (SHOULD, (MUST, SHOULD, OBSERVED), ExitCode.BROKEN),
    "should fails on should": (SHOULD, (SHOULD,), ExitCode.BROKEN),
    "observed fails on nothing": (SHOULD, (OBSERVED,), ExitCode.HOLDS),
    "must fails on must": (MUST, (MUST,), ExitCode.BROKEN),
    "should is told": (MUST, (SHOULD, OBSERVED), ExitCode.HOLDS),
}


@pytest.mark.parametrize("name", CODES)
def test_what_fails(result: Result, name: str) -> None:
    """Exit code, summary, JUnit's failures and JSON's `holds` are of one mind."""
    fail_on, severities, code = CODES[name]
    found = of(result, *severities)
    assert {one.severity for one in found.findings} == set(severities)
    run = run_of(found, fail_on)
    failing = [one for one in found.findings if one.severity in {MUST, fail_on}]

    assert run.exit_code is code
    assert ("The contract is broken" in report.terminal(run)) == (code is ExitCode.BROKEN)
    assert json.loads(report.as_json(run))["holds"] == (code is ExitCode.HOLDS)
    suite = ET.fromstring(report.as_junit(run)).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert int(suite.attrib["failures"]) == len(suite.findall(".//failure")) == len(failing)


def test_what_is_told_only_is_marked(result: Result) -> None:
    """The matrix says of each clause that does not count what it weighs, and the summary how many there are."""
    text = report.terminal(run_of(result, MUST))
    lighter = [one for one in result.findings if one.severity is not MUST]

    marked = {line.split()[0]: line.rpartition("  (")[2] for line in text.splitlines() if line.endswith(" only)")}
    assert marked == {one.clause.id: f"{one.severity} only)" for one in lighter}
    assert f", {len(lighter)} more should or observed.\n" in text


def test_bytes_that_a_text_cannot_show(result: Result) -> None:
    """In hex with every report of a finding on bytes; none where the finding is on anything else."""
    seen = {one.clause.id: unseen_bytes(one) for one in result.findings}
    rows = seen["frame-bom"]

    assert rows[0] == '0000  ef bb bf 64 61 74 61 3a 20 7b 22 69 64 22 3a 22  ...data: {"id":"'
    assert len(rows) == 3
    run = run_of(result, SHOULD)
    for write in (report.terminal, report.markdown, as_html, report.as_junit):
        assert "ef bb bf 64 61 74 61 3a" in write(run)
    findings = json.loads(report.as_json(run))["chips"][0]["findings"]
    assert {one["clause"]: one["bytes"] for one in findings} == seen


BODIES = {
    "plain": (b"data: {}\n\n", None),
    "carriage return": (b"x" * 40 + b"\r\n", 16),
    "no UTF-8": ("你".encode() * 20 + b"\xe4\xbd\n", 32),
    "line separator": ("你\u2028".encode(), 0),
    "tabs": (b"a\tb\n", None),
}


@pytest.mark.parametrize("name", BODIES)
def test_where_the_bytes_begin(result: Result, name: str) -> None:
    """At the row before the first that does not print; a text that prints is shown as text."""
    body, start = BODIES[name]
    exchange = result.findings[0].exchange
    plan = Plan(200, (), [body])
    finding: Finding = next(one for one in result.findings if one.clause.id == "frame-bom")
    changed = replace(finding, exchange=replace(exchange, plan=plan, frames_sent=1))

    assert unseen_bytes(changed) == ([] if start is None else hex_rows(body[start : start + 48], start))
    assert unseen_bytes(replace(changed, clause=next(one for one in CHECKS if one.id == "usage-once"))) == []


def test_nothing_is_left_in_the_folder(url: str, tmp_path: Path) -> None:
    """Not even what Hypothesis keeps; where its own variable names a folder, it is there."""
    command = (sys.executable, "-m", "mockserver", "contract", "--base-url", url, "--model", "mt-infini-3b", "--chip",
               "nvidia", "--quiet")  # fmt: skip
    environ = {name: text for name, text in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"}
    environ |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()

    done = subprocess.run(command, cwd=tmp_path / "work", env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == ExitCode.BROKEN, done.stderr
    assert [*(tmp_path / "work").iterdir(), *(tmp_path / "temporary").iterdir()] == []

    told = {**environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "kept")}
    subprocess.run(command, cwd=tmp_path / "work", env=told, capture_output=True, timeout=60, check=False)
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "kept").iterdir())


def test_the_flag(url: str, tmp_path: Path) -> None:
    """A run fails for what weighs `must`, with the flag and without."""
    from tests.command import called

    asked = ("contract", "--base-url", url, "--model", "mt-infini-3b", "--chip", "nvidia", "--quiet", "--requests", "9")
    code, out, _ = called(*asked, "--fail-on", "must", "--output", str(tmp_path / "report"))

    assert (code, out) == (1, "")
    assert " more should or observed." in (tmp_path / "report").read_text("utf-8")


def test_what_weighs_most_comes_first(result: Result) -> None:
    """Over all chips: must, should, observed, behind the matrix and an index that leads to each."""
    other = replace(result, chip=TUTORIAL.chips["amd"], findings=[replace(one, chip="amd") for one in result.findings])
    run = Run("http://h", "/p", "2024-tutorial", "m", [result, other])
    due = [(one.severity, one.chip, one.clause.id) for one in by_weight([*result.findings, *other.findings])]
    assert [severity for severity, _, _ in due] == sorted((one[0] for one in due), key=list(Severity).index)

    terminal = report.terminal(run)
    sections = re.findall(r"^(\w+): ([\w-]+) \((\w+)\) broken by", terminal, re.MULTILINE)
    assert [(severity, chip, clause) for chip, clause, severity in sections] == due
    index = re.findall(r"^(must|should|observed) +(\w+) +([\w-]+)  ", terminal, re.MULTILINE)
    assert index == due
    assert terminal.index("\nutf8 ") < terminal.index("\nmust ") < terminal.index(" broken by")

    page = report.markdown(run)
    anchors = re.findall(r"^- \*\*(\w+)\*\* \[(\w+): ([\w-]+)\]\(#([\w-]+)\)", page, re.MULTILINE)
    assert [one[:3] for one in anchors] == due
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert [re.sub(r"[^a-z -]", "", one.lower()).replace(" ", "-") for one in headings] == [one[3] for one in anchors]
    assert page.index("| clause |") < page.index("- **must**") < page.index("\n## ")

    drawn = as_html(run)
    links = re.findall(r'<a href="#(finding-\d+)">(\w+): ([\w-]+)</a> <span class="tag">(\w+)</span>', drawn)
    assert [(severity, chip, clause) for _, chip, clause, severity in links] == due
    assert re.findall(r'<section class="panel" id="(finding-\d+)">', drawn) == [one[0] for one in links]
    assert "`" not in re.sub(r"<pre.*?</pre>|<script.*</script>", "", drawn, flags=re.DOTALL)
    assert drawn.index("<h2>Deviations and notes") < drawn.index("<h2>Clauses")
    assert drawn.index("<h2>Clauses") < drawn.index("<h2>Findings") < drawn.index('id="finding-1"')


@pytest.mark.parametrize("clause", CLAUSES, ids=[one.id for one in CLAUSES])
def test_a_sentence_is_one_line(clause: Check | Relation) -> None:
    """However its docstring is broken: it stands in a row of a table, and a line break would end the row."""
    assert clause.sentence == " ".join(clause.sentence.split())


def test_nothing_found_has_no_index(result: Result) -> None:
    """Neither heading nor list where all holds."""
    run = run_of(of(result), SHOULD)

    assert "<h2>Findings" not in as_html(run)
    assert "- **" not in report.markdown(run)
