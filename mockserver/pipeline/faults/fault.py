"""What a fault is: a value that changes an answer before it is framed, or a plan before it is performed."""

from __future__ import annotations

import inspect
import json
import re
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import ConfigDict

from mockserver.core.checking import Ruled
from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from mockserver.core.exchange import Answer, Plan


_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {5,}.+)*)", re.MULTILINE)
"""A line of a docstring's section `Attributes:`, and those that go on with it."""


@immutable(frozen=True, slots=True)
class FaultContext:
    """What a fault may use beside the plan.

    Attributes:
        dice: Randomness of this exchange; its seed is in the journal and in the header `x-mock-seed`.
        refuse: Makes the plan of an error in the service's shape: (status, message, retry_after_s) to plan.
    """

    dice: random.Random
    refuse: Callable[[int, str | None, float | None], Plan]


class ActsOn(IntEnum):
    """What a fault changes. Whatever their order, faults change the answer before it is made network writes."""

    FRAMES = 0
    """The answer, its frames and their times."""
    SILENCES = 1
    """The time between the frames, whichever fault made it long."""
    TRANSFER_CODING = 2
    """The chunked coding of the frames in the body."""
    NETWORK_WRITES = 3
    """The network writes that carry all that."""


class Fault(Ruled):
    """The base of all faults. A subclass has a literal `type`, its settings, and one of the two methods.

    Its docstring is what users read: the first paragraph says what goes wrong, the section `Attributes:` has a line
    for each setting, `name: What it is; what is allowed.`, with range and unit. docs/faults.md is made from it.
    """

    acts_on: ClassVar[ActsOn] = ActsOn.FRAMES

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: str

    @property
    def unanswered(self) -> bool:
        """Whether not even the head of the answer is sent, so that no answer is used up."""
        return False

    @property
    def pace(self) -> tuple[float, float, float] | None:
        """The speed that it gives the answer: first_token_ms, inter_token_ms, jitter; None leaves it."""
        return None

    def on_answer(self, answer: Answer) -> Answer:
        """The answer as the fault leaves it."""
        return answer

    def on_plan(self, plan: Plan, context: FaultContext) -> Plan:
        """The plan as the fault leaves it."""
        return plan

    @classmethod
    def settings(cls) -> dict[str, str]:
        """Each setting with the sentence that the docstring has for it."""
        _, _, section = (inspect.getdoc(cls) or "").partition("\nAttributes:\n")
        told = {name: " ".join(says.split()) for name, says in _ATTRIBUTE.findall(section)}
        return {name: told.get(name, "") for name in cls.model_fields if name != "type"}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        schema["description"] = (inspect.getdoc(cls) or "").partition("\n\nAttributes:\n")[0]
        for name, sentence in cls.settings().items():
            schema["properties"][name]["description"] = sentence
        return schema


def holds_json(frame: bytes) -> bool:
    """Whether a frame holds a JSON object; the done marker and a closing frame do not."""
    return 0 <= frame.find(b"{") < frame.rfind(b"}")


def edit_json(frame: bytes, change: Callable[[Any], Any]) -> bytes:
    """A frame with its JSON changed; its prefix, its ending and its spacing stay. Frames without JSON stay whole."""
    if not holds_json(frame):
        return frame
    start, end = frame.find(b"{"), frame.rfind(b"}")
    text = frame[start : end + 1]
    try:
        value = json.loads(text)
    except ValueError:
        return frame
    separators = (", ", ": ") if b'": ' in text else (",", ":")
    made = json.dumps(change(value), ensure_ascii=text.isascii(), separators=separators)
    return frame[:start] + made.encode() + frame[end + 1 :]
