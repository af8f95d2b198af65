"""Chip profiles and editions: the stages' settings put together, each deviation with its claim.

A profile directory holds one folder for each edition: `edition.toml` (catalogue, request rules, errors, what all chips
share) and one `<chip>.toml` for each chip (its quirks and latency); `edition_file.py` says what may stand there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError, suggestion
from mockserver.core.fitting import plainly
from mockserver.core.immutable import immutable
from mockserver.core.written import Written
from mockserver.files.toml import toml_of
from mockserver.pipeline.edition_rules import EditionRules
from mockserver.pipeline.further_headers import FurtherHeaders
from mockserver.pipeline.pace import PaceSettings
from mockserver.profile import quirks
from mockserver.profile.edition_file import ChipFile, DefaultFile, EditionFile, ModelEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.edition_file import ChipSpeed, QuirkClaim


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
    """A file of a profile directory, checked; by pydantic unless it is shipped and as it should be."""
    data = toml_of(path)
    if path.is_relative_to(shipped("profiles")) and (plain := plainly(kind, data)) is not None:
        return plain

    from mockserver.files.checked import checked

    return checked(data, kind, path)


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
