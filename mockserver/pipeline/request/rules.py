"""What an edition allows in a request, read from `edition.toml`."""

from __future__ import annotations

from typing import Literal

from mockserver.core.immutable import immutable
from mockserver.core.written import Written, key

FieldType = Literal["number", "integer", "boolean", "string", "strings", "string-or-strings", "array", "object", "any"]


LetIn = Literal[
    "missing-key", "malformed-key", "wrong-content-type", "unknown-model", "invalid-json", "empty-body", "not-utf-8",
    "wrong-body", "missing-messages", "empty-messages", "wrong-messages", "unknown-role", "missing-content",
    "wrong-content",
]  # fmt: skip


@immutable(frozen=True, kw_only=True)
class FieldRule(Written):
    """What one field of the request may hold. `null` counts as absent unless `nullable` is false."""

    type: FieldType
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = True
    from_text: bool = False
    """Whether a text that reads as a number, or as true or false, counts as one."""
    claim: Literal["documented", "observed", "assumed"]
    source: str


@immutable(frozen=True, kw_only=True)
class ModelClaim(Written):
    """How it is known which model answers, the path's or the body's."""

    claim: Literal["documented", "observed", "assumed"]
    source: str


@immutable(frozen=True, kw_only=True)
class UniqueToolNames(Written):
    """Which models refuse two tools with one name."""

    models: tuple[str, ...]
    """Beginnings of their ids."""
    claim: Literal["documented", "observed", "assumed"]
    source: str


@immutable(frozen=True, kw_only=True)
class RequestRules(Written):
    """What an edition allows in a request."""

    model: Literal["path", "body"]
    """Which model answers: the path's, whatever the body says, or the body's where it is a string."""
    model_claim: ModelClaim = ModelClaim(claim="assumed", source="nothing is said of it")
    model_required: bool
    """Whether the key `model` must be in the body (null is allowed)."""
    roles: tuple[str, ...]
    content_types: tuple[str, ...] = ("application/json",)
    body_limit_bytes: int = key(default=10 * 2**20, ge=1)
    unique_tool_names: UniqueToolNames | None = None
    """None lets every model take two tools with one name."""
    fields: dict[str, FieldRule]
    lets_in: tuple[LetIn, ...] = ()
    """What is not refused, though the documents say so; what cannot be read then counts as empty."""
    not_kept: tuple[Literal["max_tokens", "max_completion_tokens", "stop"], ...] = ()
    """Fields that are taken and have no effect."""
