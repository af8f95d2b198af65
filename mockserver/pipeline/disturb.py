"""Stage `disturb`: what goes wrong on purpose. How faults compose, and how a request names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from mockserver.core.checking import allowed
from mockserver.core.errors import shown, suggestion
from mockserver.core.fault_text import named_faults
from mockserver.pipeline.faults.table import FAULTS, AnyFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.core.exchange import Answer, Plan
    from mockserver.pipeline.faults.fault import Fault, FaultContext

_ADAPTER: Final[TypeAdapter[Fault]] = TypeAdapter(AnyFault)


class FaultError(ValueError):
    """A fault that cannot be; the message names the type, the field and what is allowed."""


def disturb_answer(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """The answer as all faults leave it, one after the other."""
    for fault in faults:
        answer = fault.on_answer(answer)
    return answer


def disturb(plan: Plan, faults: Sequence[Fault], context: FaultContext) -> Plan:
    """The plan as all faults leave it, one after the other; network writes are made last."""
    for fault in sorted(faults, key=lambda one: one.acts_on):
        plan = fault.on_plan(plan, context)
    return plan


def fault_of(data: Any, *, strict: bool = False) -> Fault:
    """A fault from its JSON form, or from its text; raises FaultError. Unless strict, numbers may be texts."""
    if isinstance(data, str):
        faults = faults_of_header(data)
        if len(faults) != 1:
            raise FaultError(f"{data!r:.60} names {len(faults)} faults; allowed: one, like cut;after_frames=3")
        return faults[0]
    if not isinstance(data, dict):
        raise FaultError(f'{data!r:.60} is not allowed; allowed: an object with type, like {{"type": "timeout"}}')
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in FAULTS:
        known = suggestion(str(kind), FAULTS)
        raise FaultError(f"type: {kind!r} is not a fault; {known}")
    try:
        return _ADAPTER.validate_python(data, strict=strict)
    except ValidationError as wrong:
        raise FaultError(_explain(kind, wrong)) from None


def faults_of_header(text: str) -> list[Fault]:
    """The faults that `X-Mock-Fault` names, say `cut;after_frames=3, latency;ms=200`; raises FaultError."""
    try:
        named = named_faults(text)
    except ValueError as error:
        raise FaultError(str(error)) from None
    return [fault_of(one) for one in named]


def _explain(kind: str, wrong: ValidationError) -> str:
    errors = wrong.errors(include_url=False)
    error = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])  # it may be what is missing
    names = [str(part) for part in error["loc"][1:]]  # the first is the type
    known = [name for name in FAULTS[kind].model_fields if name != "type"]
    if error["type"] == "extra_forbidden":
        settings = suggestion(names[-1], known) if known else "it has no settings"
        return f"{kind}: {names[-1]}: unknown setting; {settings}"
    if error["type"] == "missing":
        return f"{kind}: {names[-1]}: missing"
    message = allowed(error)
    if error["type"] == "value_error":  # of a rule between settings, or of one that says for itself what is allowed
        return ": ".join([kind, *names[:1], message])
    return f"{kind}: {'.'.join(names)}: {shown(error['input'])} is not allowed; allowed: {message}"
