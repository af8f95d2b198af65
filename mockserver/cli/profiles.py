"""`genstudio-mock profiles`: which chip deviates in what, how that is known, and what it looks like on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser, configuration
from mockserver.core.errors import OperatorError, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.cli.terminal import Cell, Console
    from mockserver.profile.edition import ChipProfile, Edition
    from mockserver.settings.config import Config

SAYS = """\
Show every edition with its chips and their quirks; or one chip: each quirk with its claim
(documented, observed or assumed) and its source, and a stream as it stands on the wire."""
EXAMPLES = (
    ("genstudio-mock profiles", "which chip has which quirks"),
    ("genstudio-mock profiles show chip3", "one chip, in the default edition"),
    ("genstudio-mock profiles show chip3 --edition 2025-reference", "the same chip later"),
    ("genstudio-mock profiles --quirks", "every quirk there is"),
    ("genstudio-mock profiles --models", "the catalogue"),
)
STYLES: Final = {"documented": "green", "observed": "cyan", "assumed": "yellow"}
SHOWN_FRAMES: Final = 3  # at each end of a stream


def run(argv: Sequence[str], console: Console) -> int:
    """Show what the arguments ask for."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    words = found.words
    if words and (words[0] != "show" or len(words) != 2 or found.quirks or found.models):
        raise OperatorError(f"{used.prog}: {' '.join(words)!r} is not allowed; allowed: show CHIP")
    config = configuration(found, console).config
    if words:
        console.print(*_chip(words[1], config, console))
    elif found.quirks:
        console.print(*_quirks(console))
    elif found.models:
        console.print(*_models(config, console))
    else:
        console.print(*_matrix(config, console))
    return 0


def parser() -> Parser:
    """The parser of `profiles`."""
    made = Parser("profiles", SAYS, EXAMPLES)
    made.add_argument("words", nargs="*", metavar="show CHIP", help="explain one chip")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--quirks", action="store_true", help="list the table of quirks by axis")
    what.add_argument("--models", action="store_true", help="list the catalogue")
    made.add_settings(["edition", "profiles", "fixtures", "model"])
    return made


def _matrix(config: Config, console: Console) -> list[str]:
    """Each edition: a row for each quirk, a column for each chip, the claim's letter where they meet."""
    from mockserver.profile import quirks
    from mockserver.profile.edition import default_edition, editions
    from mockserver.settings.assemble import edition_of, profile_roots

    roots = profile_roots(config)
    default = default_edition(roots)
    lines: list[str] = []
    rows: list[list[Cell]]
    for name in [config.edition] if config.edition else sorted(editions(roots)):
        edition = edition_of(replace(config, edition=name))
        claims = {chip: {one.name: one.claim for one in profile.claims} for chip, profile in edition.chips.items()}
        deviating = {chip: quirks.deviations(profile.wire) for chip, profile in edition.chips.items()}
        if len(edition.chips) > MOST_COLUMNS:
            shared = set.intersection(*(set(own) for own in deviating.values()))
            rows = [["all", ", ".join(sorted(one.name for one in shared))]]
            for chip, own in deviating.items():
                told = [_told(one.name, claims[chip][one.name]) for one in own if one not in shared]
                rows.append([(chip, "bold"), ", ".join(told)])
            lines += [f"{console.paint(edition.name, 'bold')}  {edition.file.title}", *console.columns(rows), ""]
            continue
        rows = [["", *((chip, "bold") for chip in edition.chips)]]
        named = {quirk.name: quirk for _, quirk in quirks.QUIRKS.values()}
        named |= {quirk.name: quirk for own in deviating.values() for quirk in own}
        for quirk in named.values():
            if any(quirk in own for own in deviating.values()):
                cells = [_letter(claims[chip][quirk.name]) if quirk in deviating[chip] else (".", "dim")
                         for chip in edition.chips]  # fmt: skip
                rows.append([quirk.name, *cells])
        mark = "  (the default)" if name == default else ""
        lines += [f"{console.paint(edition.name, 'bold')}  {edition.file.title}{mark}", *console.columns(rows), ""]
    legend = ", ".join(f"{_letter(claim)[0]} {claim}" for claim in STYLES)
    return [*lines, f"{legend}, . as the standard has it; genstudio-mock profiles show CHIP tells the sources"]


def _told(name: str, claim: str) -> str:
    return f"{name} {_letter(claim)[0]}"


MOST_COLUMNS: Final = 12
"""An edition with more chips is shown with a line for each."""


def _letter(claim: str) -> tuple[str, str]:
    return claim[0].upper(), STYLES[claim]


def _chip(name: str, config: Config, console: Console) -> list[str]:
    """One chip: its quirks with claims and sources, its speed, and a stream on the wire."""
    from mockserver.profile import quirks
    from mockserver.settings.assemble import edition_of

    edition = edition_of(config)
    if name not in edition.chips:
        raise OperatorError(f"chip {name!r} is not in edition {edition.name}; {suggestion(name, edition.chips)}")
    chip = edition.chips[name]
    away = {quirk.name for quirk in quirks.deviations(chip.wire)}
    lines = [f"{console.paint(name, 'bold')} in {edition.name}", chip.summary, ""]
    for title, chosen in (
        ("differs from the standard", [one for one in chip.claims if one.name in away]),
        ("is as the standard has it, and says so", [one for one in chip.claims if one.name not in away]),
    ):
        rows: list[list[Cell]] = []
        for one in chosen:
            rows += [[(one.name, "bold"), quirks.find(one.name)[1].says],
                     ["", (f"{one.claim}: {one.source}", STYLES[one.claim])]]  # fmt: skip
        lines += [f"{title}:", *(console.columns(rows) or ["  nothing"]), ""]
    speed = chip.latency
    figures = (
        f"{speed.first_token_ms:g} ms to the first token, {speed.inter_token_ms:g} ms between tokens, "
        f"jitter {speed.jitter:g}"
    )
    told = ("", (f"{speed.claim}: {speed.source}", STYLES[speed.claim]))
    lines += ["speed (--pace profile):", *console.columns([("", figures), told], indent=0), ""]
    return [*lines, *_stream(chip, edition, config, console)]


def _stream(chip: ChipProfile, edition: Edition, config: Config, console: Console) -> list[str]:
    """A stream of the chip as the pipeline makes it, its middle left out."""
    from mockserver.cli.ready import QUESTION, sample_body
    from mockserver.core.exchange import Request
    from mockserver.core.route import Route
    from mockserver.pipeline.incoming import IncomingRequest
    from mockserver.settings.assemble import build

    model = next((one for one, chips in edition.catalogue.items() if chip.name in chips), None)
    if model is None:
        return ["no model of the catalogue is served on it"]
    mock = build(replace(config, edition=edition.name, api_key=(), strict=False, pace="off"))
    body = sample_body().encode()
    headers = {b"authorization": b"Bearer any-key", b"content-type": b"application/json"}
    request = Request("POST", Route(model, chip.name).path, headers, body)
    incoming = IncomingRequest(model, chip.name, request, mock.clock.now_ms(), dice=mock.clock.dice())
    plan = mock.service.respond(incoming).plan
    frames = [_visible(frame) for frame in plan.frames]
    left = len(frames) - 2 * SHOWN_FRAMES
    if left > 1:
        frames = [
            *frames[:SHOWN_FRAMES],
            console.paint(f"... {left} frames more ...\n", "dim"),
            *frames[-SHOWN_FRAMES:],
        ]
    wire = "".join(frames).rstrip("\n").split("\n")
    told = [console.paint(f"{key.decode()}: {value.decode('latin-1')}", "dim") for key, value in plan.headers]
    opening = console.paint(f"HTTP/1.1 {plan.status}", "dim")
    return [f"{QUESTION} to {model}, streamed:", *(f"  {line}".rstrip() for line in [opening, *told, "", *wire])]


def _visible(frame: bytes) -> str:
    """A frame as text, with the characters that a terminal hides made visible."""
    return frame.decode("utf-8").replace("\r", "\\r").replace("\ufeff", "\\ufeff")


def _quirks(console: Console) -> list[str]:
    """The table of quirks by axis, the standard first and marked."""
    from mockserver.profile import quirks
    from mockserver.profile.quirk_families import FAMILIES

    rows: list[list[Cell]] = []
    for axis in quirks.AXES:
        rows.append([(f"{axis.stage}.{axis.field}", "dim")])
        rows += [[("  * " if quirk is axis.standard else "    ") + quirk.name, quirk.says] for quirk in axis.quirks]
        rows += [[f"    {axis.family.name}={axis.family.form}", axis.family.about]] if axis.family else []
    for family in FAMILIES:
        if family.parted:
            rows.append([(f"{family.stage}.{family.field}", "dim")])
            rows.append([f"    {family.name}={family.form}", family.about])
    note = "* the standard; a profile or the header X-Mock-Quirks: NAME,-NAME names the others"
    return [*console.columns(rows, indent=0), "", note]


def _models(config: Config, console: Console) -> list[str]:
    """The catalogue of an edition."""
    from mockserver.settings.assemble import edition_of

    edition = edition_of(config)
    rows: list[list[Cell]] = [[(title, "dim") for title in ("model", "context", "reasoning", "known by")]]
    for entry in edition.models.values():
        context = f"{entry.context_tokens}" if entry.context_tokens else "-"
        known = f"{entry.claim}: {entry.source}" + (f"; only on {', '.join(entry.chips)}" if entry.chips else "")
        rows.append([(entry.id, "bold"), context, entry.reasoning, (known, STYLES[entry.claim])])
    count = f"{len(edition.models)} models in {edition.name}, on every chip where nothing else is said"
    return [*console.columns(rows, indent=0), "", count]
