"""How a client took what went wrong, as the mock judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mockserver.server.verdict import ClientFinding
from mockserver.testing.language import advised

SHOWN_NUMBERS: Final = 10


@dataclass(frozen=True, slots=True)
class ClientVerdict:
    """What the exchanges say of the client.

    Attributes:
        resilient: Whether no finding is bad.
        findings: What was seen, each with one line of advice.
    """

    resilient: bool
    findings: tuple[ClientFinding, ...]

    def __str__(self) -> str:
        """A line for each finding."""
        return "\n".join(told(one) for one in self.findings) or "nothing to say"


def told(finding: ClientFinding) -> str:
    """A finding in one line."""
    *some, last = [f"#{number}" for number in finding.exchanges]
    numbers = ", ".join([*some[:SHOWN_NUMBERS], *(["…"] if len(some) > SHOWN_NUMBERS else []), last])
    return f"{finding.mark}: {finding.rule}: {finding.says} ({numbers})" + (
        finding.advice and f"; {advised(finding.advice)}"
    )


def verdict_of(data: dict[str, Any]) -> ClientVerdict:
    """A verdict from the JSON that the control API gives."""
    findings = [ClientFinding(**{**one, "exchanges": tuple(one["exchanges"])}) for one in data["findings"]]
    return ClientVerdict(data["resilient"], tuple(findings))
