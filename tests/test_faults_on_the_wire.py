"""Each fault as a raw socket sees it: on events, on bare JSON lines and on a whole body, said anew and replayed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.pipeline.faults.fault import ActsOn
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from tests.fault_cases import OnTheWire, cases
from tests.fault_observed import Question, hear
from tests.session_helpers import asked, control, silence_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.session import Session
    from tests.fault_cases import FaultCase
    from tests.fault_observed import Heard

FORMS = {"sse": ("nvidia", True), "json-lines": ("chip3", True), "json": ("nvidia", False)}
"""Wire forms: a chip that sends it, and whether it streams."""
ASKED = "这句话没有 fixture"
TEXT = "你好😀\u2028" * 3
CASES = cases("wire")
WRITES = [case for case in CASES if case.fault.acts_on is ActsOn.NETWORK_WRITES]


def hear_it(session: Session, form: str, fault: str = "", *, hangs: bool = False) -> Heard:
    """What a raw socket hears."""
    chip, stream = FORMS[form]
    silence = silence_of(session) if hangs else None
    return hear(Question(session.chip(chip).base_url, ASKED, stream, fault, session.api_key, silence))


def check(case: FaultCase, form: str, good: Heard, bad: Heard) -> None:
    """Fail where the fault did not do what its row says."""
    assert case.wire is not None
    seen, expected = case.wire(OnTheWire(form, good, bad))
    assert seen == expected, bad


@pytest.fixture(scope="module")
def replaying(mock: MockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A mock that replays what another one has sent, to the byte."""
    folder = tmp_path_factory.mktemp("recordings")
    with mock.session() as session:
        for number, (chip, stream) in enumerate(FORMS.values(), 1):
            session.answer(TEXT)
            asked(session.chip(chip), ASKED, stream=stream)
            (folder / f"{number}.json").write_bytes(control(session, "GET", f"/exchanges/{number}/fixture").content)
    with MockServer(Config(port=0, fixtures=(folder,), replay="exact")) as other, other.session() as session:
        yield session


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_on_what_is_scripted(session: Session, form: str, case: FaultCase) -> None:
    """The fault does what its name says to a scripted answer, and the head tells the seed."""
    session.answer(TEXT, times=None)
    good, bad = hear_it(session, form), hear_it(session, form, case.text, hangs=case.hangs)

    check(case, form, good, bad)
    assert (bad.status == 0) is ("x-mock-seed" not in bad.headers)


@pytest.mark.parametrize("case", [case for case in CASES if case.fault.type != "blocked_at"], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_on_a_recording(replaying: Session, form: str, case: FaultCase) -> None:
    """The same to a recording that is replayed to the byte; only the review judges what is said anew alone."""
    good, bad = hear_it(replaying, form), hear_it(replaying, form, case.text, hangs=case.hangs)

    assert "你好" in good.data.decode()
    check(case, form, good, bad)
    assert (bad.status == 0) is ("x-mock-seed" not in bad.headers)


@pytest.mark.parametrize("case", [case for case in CASES if case not in WRITES], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_beside_a_fault_of_writes(session: Session, form: str, case: FaultCase) -> None:
    """Whichever stands first, the network writes carry what the other fault has made of the answer."""
    session.answer(TEXT, times=None)
    good = hear_it(session, form)
    for pair in (f"{case}, {WRITES[0]}", f"{WRITES[0]}, {case}"):
        check(case, form, good, hear_it(session, form, pair, hangs=case.hangs))


@pytest.mark.parametrize("form", FORMS)
def test_a_seed_repeats_an_exchange(session: Session, form: str) -> None:
    """Sent back, the seed repeats whether a fault with a probability fires, and how a slicer cuts."""
    chip, stream = FORMS[form]
    session = session.chip(chip)
    session.answer(TEXT, times=None)
    session.arm("status;status=503", probability=0.5)
    for _ in range(3):
        asked(session, stream=stream)
    first = [(one.status, one.seed) for one in session.exchanges()]
    session.disarm()
    session.arm("slicer;delay_ms=0")
    session.arm("status;status=503", probability=0.5)

    def again(seed: int) -> Any:
        with contextlib.suppress(OSError):
            asked(session, stream=stream, headers={"x-mock-seed": str(seed)})
        return session.last

    for status, seed in first:
        one, other = again(seed), again(seed)
        assert (one.seed, one.status) == (seed, status)
        assert [size for _, size in one.sends] == [size for _, size in other.sends]
    assert {status for status, _ in first} <= {200, 503}
