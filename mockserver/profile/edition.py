"""Chip profiles and editions: the stages' settings put together, each deviation with its claim.

A profile directory holds one folder for each edition: `edition.toml` (catalogue, request rules, errors, what all chips
share) and one `<chip>.toml` for each chip (its quirks and latency). Unknown keys are errors that name file and key.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError, suggestion
from mockserver.core.immutable import immutable
from mockserver.core.written import Checks, Written, key, trusted
from mockserver.files.pattern import compile_pattern
from mockserver.files.toml import toml_of
from mockserver.pipeline.edition_rules import EditionRules
from mockserver.pipeline.further_headers import FurtherHeaders, HeaderValue, Place
from mockserver.pipeline.moderate import ModerationRules
from mockserver.pipeline.pace import PaceSettings
from mockserver.pipeline.refuse import ErrorShape
from mockserver.pipeline.request.rules import RequestRules
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.pipeline.wire_settings import WireSettings

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

    headers: dict[str, str | dict[Place, HeaderValue]] = key(factory=dict)
    """Further headers: the value on all responses, or by place. `{hex:12}` is drawn, `false` takes the header away."""
    body_type: str = "application/json"
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


@immutable(frozen=True)
class ChipProfile:
    """One chip of one edition, ready for use.

    Attributes:
        name: The path's `{chiptype}`.
        summary: One line on the chip.
        claims: The edition's quirks and the chip's own, in force.
        wire: The settings that they make.
        latency: Its speed.
    """

    name: str
    summary: str
    claims: tuple[QuirkClaim, ...]
    wire: WireSettings
    latency: ChipSpeed

    @property
    def pace(self) -> PaceSettings:
        """The chip's speed as the pace stage takes it."""
        return PaceSettings(self.latency.first_token_ms, self.latency.inter_token_ms, self.latency.jitter)


@immutable(frozen=True)
class Edition:
    """A state of the documents: its chips, its catalogue, its rules and its errors."""

    name: str
    file: EditionFile
    chips: Mapping[str, ChipProfile]
    models: Mapping[str, ModelEntry]
    from_answers: tuple[str, ...] = ()
    """Models and chips that the documents lack and that served answers name."""

    @cached_property
    def catalogue(self) -> dict[str, frozenset[str]]:
        """Model to the chips that serve it."""
        every = frozenset(self.chips)
        return {name: every if entry.chips is None else frozenset(entry.chips) for name, entry in self.models.items()}

    @property
    def default_chip(self) -> str:
        """The chip that answers where a path names none: the first one, as the reference has it."""
        return next(iter(self.chips))

    @property
    def distinct_chips(self) -> list[str]:
        """The first chip of each wire form: what the others send is the same but for the pace."""
        found: list[str] = []
        for name, chip in self.chips.items():
            if all(self.chips[one].wire != chip.wire for one in found):
                found.append(name)
        return found

    def entry(self, model: str) -> ModelEntry:
        """The catalogue's entry of a model; a self-deployed model, of which nothing is known, gets the defaults."""
        return self.models.get(model) or unlisted(model)

    def serving(self, pairs: Iterable[tuple[str, str]]) -> Edition:
        """The edition with models and chips that answers are there for; a new chip has what all chips share.

        Args:
            pairs: Model and chip of each answer; an empty name is any.
        """
        models, chips, added = {**self.models}, {**self.chips}, dict.fromkeys(self.from_answers)
        where = Path(f"edition {self.name}")
        for model, chip in sorted(pairs):
            if chip and chip not in chips:
                shared = _by_axis(self.file.quirks, where)
                file = ChipFile(
                    summary="named by a served answer", quirks=(), latency=self.chips[self.default_chip].latency
                )
                chips[chip] = _chip(chip, file, shared, where)
                added[chip] = None
            if model and model not in models:
                models[model] = unlisted(model)
                added[model] = None
            entry = models.get(model)
            if entry is not None and chip and entry.chips is not None and chip not in entry.chips:
                models[model] = replace(entry, chips=(*entry.chips, chip))
        return replace(self, models=models, chips=chips, from_answers=tuple(added))

    @cached_property
    def rules(self) -> EditionRules:
        """What it hands to the stages."""
        wires = {name: chip.wire for name, chip in self.chips.items()}
        return EditionRules(
            self.name, self.file.request, self.catalogue, self.models, wires, quirks.changed, self.file.errors,
            FurtherHeaders(self.file.responses.headers),
            self.file.responses.body_type.encode("latin-1"),
        )  # fmt: skip


def unlisted(model: str) -> ModelEntry:
    """An entry for a model of which only the name is known: it may see, so what it is shown is not refused."""
    return ModelEntry(id=model, claim="assumed", source="added by the operator", vision=True)


def load_edition(name: str, roots: Sequence[Path], *, extra_models: Iterable[str] = ()) -> Edition:
    """Read one edition; each of its files from the first root that has it.

    A root given by the operator may so hold a whole edition, or only the one chip's file that differs.

    Args:
        name: The edition's folder.
        roots: Profile directories, the most important first.
        extra_models: Further models to serve on every chip.

    Raises:
        OperatorError: a file is missing or wrong; the text names file, key and what is allowed.
    """
    folders = [root / name for root in roots if (root / name).is_dir()]
    if not folders:
        known = sorted(editions(roots))
        raise OperatorError(f"edition: {name!r} is not in {', '.join(map(str, roots))}; {suggestion(name, known)}")
    path = _first("edition.toml", folders)
    file = _read(path, EditionFile)
    shared = _by_axis(file.quirks, path)
    found = sorted({p.stem for folder in folders for p in folder.glob("*.toml")} - {"edition", *file.chips})
    chips = {}
    for chip in (*file.chips, *found):
        where = _first(f"{chip}.toml", folders)
        chips[chip] = _chip(chip, _read(where, ChipFile), shared, where)
    models: dict[str, ModelEntry] = {}
    for entry in file.models:
        if entry.id in models:
            raise OperatorError(f"{path}: models: {entry.id} stands there twice")
        models[entry.id] = entry
        unknown = [chip for chip in entry.chips or () if chip not in chips]
        if unknown:
            raise OperatorError(f"{path}: models: {entry.id}: chip {unknown[0]!r} is not one of {', '.join(chips)}")
    for model in extra_models:
        models[model] = unlisted(model)
    return Edition(name, file, chips, models)


def editions(roots: Sequence[Path]) -> set[str]:
    """Names of the editions that lie in these profile directories."""
    return {p.parent.name for root in roots for p in root.glob("*/edition.toml")}


def default_edition(roots: Sequence[Path]) -> str:
    """The edition used where none is asked for: the one that the first `default.toml` names."""
    path = _first("default.toml", roots)
    return _read(path, DefaultFile).edition


def _first(name: str, folders: Sequence[Path]) -> Path:
    """The file in the first folder that has it, or in the last folder, where reading it says that it is missing."""
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[-1] / name)


W = TypeVar("W", bound=Written)


def _read(path: Path, kind: type[W]) -> W:
    """A file of a profile directory, checked unless it is shipped: the tests hold those."""
    if path.is_relative_to(shipped("profiles")):
        return trusted(kind, toml_of(path))

    from mockserver.files.checked import read_toml

    return read_toml(path, kind)


def _by_axis(claims: Iterable[QuirkClaim], path: Path) -> dict[tuple[str, str, str], QuirkClaim]:
    """One file's claims by the field that each one sets; two of one field are an error."""
    found: dict[tuple[str, str, str], QuirkClaim] = {}
    for claim in claims:
        axis, _ = quirks.find(claim.name)
        other = found.setdefault((axis.stage, axis.field, axis.part), claim)
        if other is not claim:
            clash = f"{claim.name} stands there twice"
            if other.name != claim.name:
                clash = f"{other.name} and {claim.name} exclude each other"
            raise OperatorError(f"{path}: quirks: {clash}")
    return found


def _chip(name: str, file: ChipFile, shared: Mapping[tuple[str, str, str], QuirkClaim], path: Path) -> ChipProfile:
    in_force = {**shared, **_by_axis(file.quirks, path)}
    wire = quirks.STANDARD
    for claim in in_force.values():
        wire = quirks.apply(wire, *quirks.find(claim.name))
    return ChipProfile(name, file.summary, tuple(in_force.values()), wire, file.latency)
