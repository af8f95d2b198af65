"""Cases asked one after another until the budget ends, and what it did not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.contract.runner import BudgetSpentError, Runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.contract.cases import Case
    from mockserver.core.exchange import Exchange


class Asking:
    """Iterate over it: each case with what came; it ends where the budget or the target's patience does.

    Args:
        runner: Who asks.
        cases: What is asked, in this order.

    Attributes:
        left: What was not asked.
        stopped: Why the target should not be asked any more; empty where it was the budget, or nothing.
    """

    def __init__(self, runner: Runner, cases: Sequence[Case]) -> None:
        self._runner = runner
        self._cases = cases
        self.left: Sequence[Case] = ()
        self.stopped = ""

    def __iter__(self) -> Iterator[tuple[Case, Exchange]]:
        for number, case in enumerate(self._cases):
            try:
                exchange = self._runner.ask(case)
            except BudgetSpentError as ended:
                self.left, self.stopped = self._cases[number:], str(ended)
                return
            yield case, exchange

    @property
    def why(self) -> str:
        """Why cases are left out."""
        return self.stopped or "the budget does not reach"
