"""The written forms of a profile directory's files: what `edition.toml`, `<chip>.toml` and `default.toml` may say.

Unknown keys are errors that name file and key. What is made of the files: `edition.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from mockserver.core import sent_headers
from mockserver.core.errors import suggestion
from mockserver.core.immutable import immutable
from mockserver.core.written import Checks, Written, key
from mockserver.files.pattern import compile_pattern
from mockserver.pipeline.further_headers import HeaderValue, Place
from mockserver.pipeline.moderate import ModerationRules
from mockserver.pipeline.refuse import ErrorShape
from mockserver.pipeline.request.rules import RequestRules
from mockserver.profile import quirks

Claim = Literal["documented", "observed", "assumed"]
ERROR_KINDS = (
    "invalid-http", "missing-key", "malformed-key", "wrong-key", "unknown-path", "wrong-method", "unknown-model",
    "unknown-chip", "unknown-combination", "wrong-content-type", "invalid-json", "invalid-field", "unknown-quirk",
    "body-too-large", "request-timeout", "head-too-large", "payment-required", "no-match", "rate-limited",
    "overloaded", "internal",
)  # fmt: skip


def _known(name: str) -> str:
    quirks.find(name)
    return name


def _complete(errors: dict[str, ErrorShape]) -> dict[str, ErrorShape]:
    for row in errors:
        name = row.partition(":")[0]
        if name not in ERROR_KINDS:
            raise ValueError(f"unknown kind {name!r}; {suggestion(name, ERROR_KINDS)}")
    missing = [kind for kind in ERROR_KINDS if kind not in errors]
    if missing:
        raise ValueError(f"no row for {', '.join(missing)}")
    return errors


@immutable(frozen=True, kw_only=True)
class QuirkClaim(Written):
    """One quirk of a chip and how we know of it."""

    name: Annotated[str, Checks(_known)]
    claim: Claim
    source: str = key(min_length=1)
    """Which document, and where in it; for `assumed`, the reason of the default."""


@immutable(frozen=True, kw_only=True)
class ChipSpeed(Written):
    """A chip's speed, used with `--pace profile`."""

    first_token_ms: float = key(ge=0)
    inter_token_ms: float = key(ge=0)
    jitter: float = key(default=0.0, ge=0, le=1)
    claim: Claim
    source: str


@immutable(frozen=True, kw_only=True)
class DefaultFile(Written):
    """`default.toml` of a profile directory."""

    edition: str


@immutable(frozen=True, kw_only=True)
class ChipFile(Written):
    """`<chip>.toml`: one chip in one edition."""

    summary: str = key(min_length=1)
    quirks: tuple[QuirkClaim, ...] = ()
    latency: ChipSpeed


@immutable(frozen=True, kw_only=True)
class ModelEntry(Written):
    """One model of the catalogue."""

    id: str = key(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    claim: Claim
    source: str
    chips: tuple[str, ...] | None = None
    """The chips that serve it; None means every chip of the edition (see `matrix`)."""
    template_tokens: int | None = key(default=None, ge=0)
    """Prompt tokens that the chat template adds to each request; None takes the edition's."""
    system_tokens: int | None = key(default=None, ge=0)
    """Prompt tokens of the template's own system message, added where a request has none; None takes the edition's."""
    tokenizer: str | None = None
    """Name of a vocabulary of the extra `tokens`; None uses the estimator."""
    reasoning: Literal["never", "off", "on", "always"] = "never"
    """Whether it thinks: `off` and `on` are defaults that `enable_thinking` switches."""
    vision: bool = False
    tools: bool = True
    context_tokens: int | None = key(default=None, ge=1)
    max_output_tokens: int | None = key(default=None, ge=1)
    kind: str = "大语言模型"


@immutable(frozen=True, kw_only=True)
class MatrixClaim(Written):
    """Which model runs on which chip where a model's entry is silent: every chip."""

    claim: Claim
    source: str


@immutable(frozen=True, kw_only=True)
class OrderClaim(Written):
    """How it is known that keys come in the order of the printed samples."""

    claim: Claim
    source: str


@immutable(frozen=True, kw_only=True)
class Defaults(Written):
    """Figures that an edition's models share."""

    created: int = key(ge=0)
    """Unix seconds that `--clock fixed` gives to answers without a time of their own."""
    template_tokens: int = key(default=3, ge=0)
    """The opening of the assistant's turn."""
    system_tokens: int = key(default=0, ge=0)


@immutable(frozen=True, kw_only=True)
class Moderation(Written):
    """Triggers of the text review; the words are harmless and ours."""

    input_words: tuple[str, ...] = ()
    input_patterns: tuple[str, ...] = ()
    output_words: tuple[str, ...] = ()
    output_patterns: tuple[str, ...] = ()
    after_pieces: int | None = key(default=None, ge=0)
    claim: Claim = "assumed"
    source: str = "set by the operator"

    def rules(self, where: str) -> ModerationRules:
        """The rules with their patterns compiled; raises OperatorError for one that is none."""
        return ModerationRules(
            self.input_words,
            tuple(compile_pattern(p, f"{where}: input_patterns") for p in self.input_patterns),
            self.output_words,
            tuple(compile_pattern(p, f"{where}: output_patterns") for p in self.output_patterns),
            self.after_pieces,
        )


@immutable(frozen=True, kw_only=True)
class ResponseRules(Written):
    """What responses of an edition have, whatever the chip."""

    headers: dict[sent_headers.NameForAll, sent_headers.HeaderValue | dict[Place, HeaderValue]] = key(factory=dict)
    """Further headers: the value on all responses, or by place. `{hex:12}` is drawn, `false` takes the header away."""
    body_type: sent_headers.HeaderValue = "application/json"
    """Content-Type of an answer that is not streamed."""


@immutable(frozen=True, kw_only=True)
class EditionFile(Written):
    """`edition.toml`: what one state of the documents says of all chips."""

    title: str
    source: str
    chips: tuple[str, ...] = key(min_length=1)
    """The documented chip types, in the documents' order; a further `<chip>.toml` beside this file is one more."""
    quirks: tuple[QuirkClaim, ...] = ()
    defaults: Defaults
    matrix: MatrixClaim
    key_order: OrderClaim = OrderClaim(claim="documented", source="tutorial of 2024, both samples")
    request: RequestRules
    responses: ResponseRules = ResponseRules()
    moderation: Moderation
    documented_statuses: tuple[int, ...] = ()
    """The statuses that the documents list, whatever is claimed of the bodies in `errors`."""
    errors: Annotated[dict[str, ErrorShape], Checks(_complete)]
    """By kind; `KIND:FIELD` and `KIND:RULE` are the rows of one field and of one rule that look otherwise.

    Say `invalid-field:temperature` and `invalid-field:empty-messages`; the rules are those of `lets_in`.
    """
    models: tuple[ModelEntry, ...] = key(min_length=1)
