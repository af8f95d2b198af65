"""The table of faults, family by family: header, control API, journal, OpenAPI document and docs are made from it."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from mockserver.pipeline.faults.content import CONTENT_FAULTS
from mockserver.pipeline.faults.timing import TIMING_FAULTS
from mockserver.pipeline.faults.transport import TRANSPORT_FAULTS

if TYPE_CHECKING:
    from mockserver.pipeline.faults.fault import Fault

FAULTS: Final[dict[str, type[Fault]]] = {
    kind.model_fields["type"].default: kind for kind in (*CONTENT_FAULTS, *TIMING_FAULTS, *TRANSPORT_FAULTS)
}
"""Each fault by its name."""

if TYPE_CHECKING:
    AnyFault = Fault
else:
    AnyFault = Annotated[reduce(operator.or_, FAULTS.values()), Field(discriminator="type")]
    """One of the table, told by its `type`: for pydantic, which reads and documents each with its own settings."""
