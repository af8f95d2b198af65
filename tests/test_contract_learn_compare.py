"""What counts as the same form: of a refusal the keys, their order, the types, and what is constant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mockserver.contract import learn, learn_compare, learn_edition
from mockserver.contract.clauses.reading import Reading
from mockserver.core.exchange import Plan
from tests.learning import MODEL, TUTORIAL

CHIP = TUTORIAL.chips["nvidia"]
CASE = learn_edition.refusals(TUTORIAL, MODEL, 40, names_chip=False)[4]
OURS = learn.asked_of_mock(TUTORIAL, CHIP, MODEL, [CASE])[CASE.name]


def refused(body: Any, status: int = 400) -> Reading:
    """A refusal with this body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reading(replace(OURS, plan=Plan(status, (), (data,))))


def error(message: Any, code: Any = "bad") -> dict[str, Any]:
    """A body that refuses."""
    return {"error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("theirs", "mine", "kin", "differs"),
    [
        pytest.param(error("at 48"), error("at 83"), [error("at 7")], [], id="a value that varies"),
        pytest.param(
            error("no"), error("yes"), [error("no")], ['error body.error.message: recorded "no", the mock "yes"'],
            id="a value that is constant",
        ),
        pytest.param(
            error("at 48", 3), error("at 83", "3"), [error("at 7", 4)],
            ['error body.error.code: recorded 3, the mock "3"'], id="another type",
        ),
        pytest.param(
            error("a"), {"error": {"code": "bad", "message": "b"}}, [error("c")],
            ["error body.error keys: recorded message code, the mock code message"], id="another order",
        ),
        pytest.param(
            {"detail": [{"loc": ["a"]}]}, {"detail": [{"loc": ["b", "c"]}]}, [{"detail": [{"loc": ["d", "e"]}]}], [],
            id="a list whose length varies",
        ),
        pytest.param(b"<b>1</b>", b"<b>2</b>", [b"<b>3</b>"], [], id="a text that varies"),
        pytest.param(
            b"<b>1</b>", b"<b>2</b>", [], ["body: recorded b'<b>1</b>', the mock b'<b>2</b>'"], id="another text"
        ),
    ],
)  # fmt: skip
def test_a_refusals_body(theirs: Any, mine: Any, kin: list[Any], differs: list[str]) -> None:
    """A value is compared by its type only where the target itself changes it among refusals of the kind."""
    both = [refused(theirs), *map(refused, kin)]

    assert learn_compare.body_unlike(both[0], refused(mine), both) == differs


def test_an_answer_that_cannot_be_said_again_is_not_alike() -> None:
    """What is no answer of OpenAI's form counts as different, and is named."""
    asked = learn_edition.fresh(MODEL, 32)[:1]
    ours = learn.asked_of_mock(TUTORIAL, CHIP, MODEL, asked)[asked[0].name]
    assert ours.plan is not None
    other = replace(ours, plan=replace(ours.plan, frames=(b'{"choices":[]}',)))

    assert learn_compare.form_of(TUTORIAL, CHIP, MODEL, [(asked[0], ours)])[0] == 1
    same, differs = learn_compare.form_of(TUTORIAL, CHIP, MODEL, [(asked[0], other)])
    assert (same, [*differs]) == (0, ["an answer that is none of OpenAI's form"])
