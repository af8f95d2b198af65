"""The table of faults and that of their cases are complete, and a fault is what its class says."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, get_args

import pytest
from annotated_types import Ge, Le

from mockserver.pipeline.disturb import fault_of, faults_of_header
from mockserver.pipeline.faults import content, timing, transport
from mockserver.pipeline.faults.fault import Fault
from mockserver.pipeline.faults.table import FAULTS
from tests.fault_cases import CASES, COLUMNS, cases

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from tests.fault_cases import FaultCase

SETTINGS = [pytest.param(kind, one, id=f"{name}-{one}") for name, kind in FAULTS.items() for one in kind.settings()]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_a_row(name: str, column: str) -> None:
    """What a fault does to a plan, on the wire, to the contract and to the SDK is told, and so tested."""
    if name not in {case.fault.type for case in cases(column)}:
        pytest.fail(f"{name} is not told of: add a row to tests/fault_cases.py with `{column}=…`", pytrace=False)


@pytest.mark.parametrize("module", [content, timing, transport], ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_class_has_its_row(module: object) -> None:
    """A fault's class stands in the table at the end of its file; without, nobody can name it."""
    classes = {one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, Fault)} - {Fault}

    assert classes <= set(FAULTS.values()), "add the class to the table at the end of its file"


@pytest.mark.parametrize("name", FAULTS)
def test_a_class_is_named_as_its_fault(name: str) -> None:
    """Who knows the one knows the other: `first_token_delay` is `FirstTokenDelay`."""
    assert FAULTS[name].__name__ == name.title().replace("_", "")


def test_no_row_stands_twice() -> None:
    """A fault with the same settings is one row."""
    texts = [case.text for case in CASES]

    assert sorted(set(texts)) == sorted(texts)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_is_a_value(case: FaultCase) -> None:
    """Header, keyword arguments and JSON make the same value."""
    settings = case.fault.model_dump(exclude_unset=True, exclude={"type"})

    made = FAULTS[case.fault.type](**settings)

    assert made == case.fault
    assert fault_of({"type": made.type, **settings}, strict=True) == made
    assert fault_of(json.loads(made.model_dump_json(exclude_none=True)), strict=True) == made
    assert faults_of_header(case.text) == [made]


def bound(field: FieldInfo) -> str:
    """A number's range in words; empty where it has none."""
    least = next((one.ge for one in field.metadata if isinstance(one, Ge)), None)
    most = next((one.le for one in field.metadata if isinstance(one, Le)), None)
    if least is None:
        return ""
    return f"{least:,} or more" if most is None else f"{least:,} to {most:,}"


@pytest.mark.parametrize(("kind", "setting"), SETTINGS)
def test_a_setting_is_told_of_in_its_class(kind: type[Fault], setting: str) -> None:
    """The docstring has a line for each setting: what it is; then its range, with the unit, and what null means."""
    what, _, allowed = kind.settings()[setting].rpartition("; ")
    field = kind.model_fields[setting]
    line = f"{setting}: What it is; {bound(field) or 'what is allowed'} …"
    wanted = f"the section `Attributes:` of {kind.__name__} should have the line `{line}`"

    assert what, wanted
    assert allowed.startswith(bound(field)), wanted
    assert ("null" in allowed) is (type(None) in get_args(field.annotation)), f"{wanted}, and what null means"
