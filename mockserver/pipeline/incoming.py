"""What the pipeline is given and what it gives back: a request as it came in, what a test has set up, a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from mockserver.core.exchange import Answer, ChatRequest, Plan, Request
    from mockserver.pipeline.faults.content import RateLimit
    from mockserver.pipeline.faults.fault import Fault

QUIRKS_HEADER: Final = b"x-mock-quirks"
ERROR_HEADER: Final = b"x-mock-error"
FAULT_HEADER: Final = b"x-mock-fault"
SEED_HEADER: Final = b"x-mock-seed"


@immutable(frozen=True, slots=True)
class IncomingRequest:
    """A request as it came in.

    Attributes:
        model: The path's model, empty where only the body names one; for a deployment its id.
        chip: The path's chip.
        request: Headers and body.
        now_ms: Milliseconds since the Unix epoch.
        elapsed_ms: Milliseconds on a clock that never goes back, for quotas.
        dice: Random bytes for ids, or empty to derive them from the request.
        test: What the test that this request belongs to has set up; None for nothing.
        seed: What faults throw their dice with.
        deployment: Whether `model` is the id of a self-deployed model.
    """

    model: str
    chip: str
    request: Request
    now_ms: int
    elapsed_ms: float = 0.0
    dice: bytes = b""
    test: TestSetup | None = None
    seed: int = 0
    deployment: bool = False

    def is_plain(self) -> bool:
        """Whether nothing is set up for it, and it names no faults itself."""
        return (self.test is None or self.test.is_quiet()) and FAULT_HEADER not in self.request.headers

    def namespace(self) -> str:
        """The namespace that it belongs to."""
        return "" if self.test is None else self.test.name


class TestSetup(Protocol):
    """What a test has set up, as the pipeline sees it: asking counts."""

    name: str

    def is_quiet(self) -> bool:
        """Whether nothing is set up."""

    def scripted(self, request: ChatRequest) -> Answer | Plan | None:
        """The scripted reply to a request, counted as used; raises Refusal where it is one."""

    def faults_for(self, request: ChatRequest, dice: random.Random) -> list[Fault]:
        """The armed faults that act on a request."""

    def check_quotas(self, limits: Sequence[RateLimit], now_ms: float) -> None:
        """Raise the Refusal of the first rate limit that is used up."""

    def count(self, limits: Sequence[RateLimit], now_ms: float, tokens: int) -> None:
        """Count a request that was let in, and its tokens, against rate limits."""


@dataclass(slots=True)
class Response:
    """What the pipeline makes of a request.

    Attributes:
        plan: What is to be sent.
        chat: The request where it was let in.
        faults: Types of the faults that act.
    """

    plan: Plan
    chat: ChatRequest | None = None
    faults: tuple[str, ...] = ()
