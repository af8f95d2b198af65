"""Edition `field`: dialects of public reports, each played, each keeping the contract, each tried on the SDKs."""

from __future__ import annotations

import re

import pytest

from mockserver import MockServer
from mockserver.contract import learn
from mockserver.profile import quirks
from tests.conftest import load
from tests.field_matrix import EDITION, MODEL, cell, langchain, python_sdk, script, written
from tests.inner_pytest import ASK, runner
from tests.snippets import ROOT
from tests.third_party import library

pytest_plugins = "pytester"
FIELD = load(EDITION)
SHARED = {claim.name for claim in FIELD.file.quirks}
THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+: ")


def test_there_are_twelve_or_more() -> None:
    """An author of a client library has something to try."""
    assert len(FIELD.chips) >= 12


@pytest.mark.parametrize("chip", FIELD.chips)
def test_each_quirk_is_observed_in_a_public_thread(chip: str) -> None:
    """Each deviation names owner, repository and number of the report that shows it; none is without effect."""
    own = [claim for claim in FIELD.chips[chip].claims if claim.name not in SHARED]

    assert own
    assert [claim.name for claim in own if claim.claim != "observed" or not THREAD.match(claim.source)] == []
    assert {quirk.name for quirk in quirks.deviations(FIELD.chips[chip].wire)} >= {claim.name for claim in own}


@pytest.mark.parametrize("model", FIELD.models)
@pytest.mark.parametrize("chip", FIELD.chips)
def test_what_a_chip_declares_is_no_finding(chip: str, model: str) -> None:
    """The mock under each dialect keeps its contract, what is only observed included."""
    assert [one.evidence for one in learn.rehearse(FIELD, FIELD.chips[chip], model).findings] == []


def test_pytest_takes_the_edition(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pytest --chips all --edition field` runs a test once on each dialect."""
    pytester.makepyfile(ASK + "\n\ndef test_body(genstudio_mock):\n    assert ask(genstudio_mock)\n")

    result = runner(pytester, monkeypatch)("--chips", "all", "--edition", "field")

    result.assert_outcomes(passed=len(FIELD.chips))


def rows_of(text: str) -> dict[str, list[str]]:
    """The matrix of a document: for each dialect what each client makes of it."""
    found = re.search(r"<!-- make field -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert found is not None
    assert written(text, found[1]) == text
    cells = [line.strip("| ").split(" | ") for line in found[1].splitlines()[2:]]
    return {name: told for names, *told in cells for name in re.findall(r"`([^`]+)`", names)}


def test_the_matrix_of_the_readme_has_every_dialect() -> None:
    """Both READMEs hold each chip, in a row of its own or among those that everybody reads."""
    for name in ("README.md", "README.zh-CN.md"):
        rows = rows_of((ROOT / name).read_text("utf-8"))
        assert sorted(rows) == sorted(FIELD.chips), f"{name}: run make field"


@pytest.mark.parametrize("client", ["python_sdk", "langchain"])
def test_the_matrix_tells_what_clients_do(client: str) -> None:
    """Tried again on three dialects, each client does what the README says of it."""
    library("langchain_openai")
    read = {"python_sdk": python_sdk, "langchain": langchain}[client]
    column = ["python_sdk", "langchain"].index(client) + 1
    rows = rows_of((ROOT / "README.md").read_text("utf-8"))
    with MockServer(edition=EDITION) as mock, mock.session() as session:
        script(session)
        for chip in ("tool-index-absent", "usage-in-choice", "finish-eos"):
            told = rows[chip][column - 1]
            assert cell(read(mock.base_url(MODEL, chip), session.api_key)) == told, chip
