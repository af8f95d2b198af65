"""What `serve` says once it accepts connections: where, what deviates on which chip, and a request to paste."""

from __future__ import annotations

import contextlib
import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from mockserver import __version__
from mockserver.core.route import Route
from mockserver.profile import quirks
from mockserver.settings.config import SETTINGS

if TYPE_CHECKING:
    import socket

    from mockserver.cli.terminal import Cell, Console
    from mockserver.profile.edition import Edition
    from mockserver.server.guard import Guard
    from mockserver.server.port_file import PortFile
    from mockserver.settings.config import Config

QUESTION: Final = "你是谁?"
APART: Final = (
    "each by itself counts exchanges, the calls of fixtures with answers, and the rate limits of X-Mock-Fault; "
    "what the control API sets up or tells of a namespace is refused, and there is no inspector"
)
"""What is not common to processes that share a port alone."""
TOGETHER: Final = "what tests set up and see is common to all"
ANY_KEY, OWN_KEY = "any-key", "YOUR-KEY"


def tell_ready(
    listening: socket.socket,
    edition: Edition,
    guard: Guard | None,
    config: Config,
    console: Console,
    port_file: PortFile,
) -> None:
    """Say that connections are accepted, on standard output and in the port file."""
    from mockserver.server.serving import address_of

    if config.port_file:
        port_file.write(listening.getsockname()[1])
    address = address_of(listening)
    with contextlib.suppress(BrokenPipeError):  # nobody reads it; the mock serves all the same
        if config.log_format == "json":
            console.print(ready_line(address, edition, config, guard))
        else:
            console.print(*ready_block(address, edition, config, guard, console))


def deviating(edition: Edition) -> dict[str, list[str]]:
    """Chip to the names of the quirks by which it differs from the standard."""
    return {name: [quirk.name for quirk in quirks.deviations(chip.wire)] for name, chip in edition.chips.items()}


def grouped(edition: Edition) -> tuple[list[str], list[tuple[list[str], list[str]]]]:
    """The deviations that all chips share, and the chips that have the same others, together with these."""
    every = deviating(edition)
    first = next(iter(every.values()))
    shared = [name for name in first if all(name in own for own in every.values())]
    groups: dict[tuple[str, ...], list[str]] = {}
    for chip, names in every.items():
        groups.setdefault(tuple(name for name in names if name not in shared), []).append(chip)
    return shared, [(chips, list(own)) for own, chips in groups.items()]


def curl(address: str, edition: Edition, config: Config) -> list[str]:
    """The words of a curl command, in lines that belong together; a configured key is not shown."""
    chip = next(iter(edition.chips))
    model = next(name for name, chips in edition.catalogue.items() if chip in chips)
    opening, base = ["curl", "-N"], address
    if address.startswith("unix:"):
        opening, base = [*opening, "--unix-socket", address.removeprefix("unix:")], "http://localhost"
    key = OWN_KEY if config.api_key else ANY_KEY
    return [
        shlex.join([*opening, base + Route(model, chip).path]),
        shlex.join(["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]),
        f"-d {shlex.quote(sample_body())}",
    ]


def sample_body() -> str:
    """The JSON body of a request that every edition lets in: null stands for the path's model where one is demanded."""
    body = {"model": None, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    return json.dumps(body, ensure_ascii=False)


def ready_block(address: str, edition: Edition, config: Config, guard: Guard | None, console: Console) -> list[str]:
    """The ready line and the block below it, for people."""
    shared, groups = grouped(edition)
    rows: list[tuple[Cell, Cell]] = [
        (("edition", "dim"), f"{edition.name}: {edition.file.title}"),
        (("models", "dim"), f"{len(edition.models)}; genstudio-mock profiles --models lists them"),
        (("answers", "dim"), _answers(config)),
        *(
            ((("added", "dim"), f"{', '.join(edition.from_answers)}: named by served answers"),)
            if edition.from_answers
            else ()
        ),
    ]
    if config.workers > 1:
        rows.append((("workers", "dim"), f"{config.workers} processes; {TOGETHER if config.state else APART}"))
    if config.state:
        rows.append((("state", "dim"), SETTINGS["state"].show(config.state)))
    if guard and config.ui and not address.startswith("unix:"):
        rows.append((("look", "dim"), f"{address}/_mock/ui/ in a browser"))
    if guard and guard.token:
        shown = SETTINGS["control_token"].show(config.control_token) or guard.token
        rows.append((("control", "dim"), f"/_mock/ asks for X-Mock-Token: {shown}"))
    other = "nothing else" if shared else "nothing"
    chips: list[tuple[Cell, Cell]] = [(("every chip", "bold"), (", ".join(shared), "yellow"))] if shared else []
    if len(groups) > 1 or not shared:
        chips += [
            ((", ".join(names), "bold"), (", ".join(own), "yellow") if own else (other, "dim")) for names, own in groups
        ]
    lines = [f"{line} \\" for line in curl(address, edition, config)]
    ready, where = console.paint("is ready", "green"), console.paint(address, "bold")
    return [
        f"genstudio-mock {__version__} {ready} at {where} (Ctrl-C ends it)",
        "",
        *console.columns(rows),
        "",
        console.paint("  what differs from the standard (genstudio-mock profiles tells more):", "dim"),
        *console.columns(chips, indent=4, gap=3),
        "",
        console.paint("  a request to paste:", "dim"),
        *(f"    {'  ' if number else ''}{line}" for number, line in enumerate([*lines[:-1], lines[-1][:-2]])),
        "",
    ]


def _answers(config: Config) -> str:
    pace = "recorded" if config.speed and config.pace == "off" else SETTINGS["pace"].show(config.pace)
    speed = {"off": "sent at once", "profile": "at each chip's pace", "recorded": "as recorded"}.get(
        pace, f"at the pace {pace}"
    )
    origin = "from fixtures only (strict)" if config.strict else f"from fixtures, else synthetic (seed {config.seed})"
    return f"{origin}; {speed}"


def ready_line(address: str, edition: Edition, config: Config, guard: Guard | None) -> str:
    """The same as one line of JSON, for programs."""
    line: dict[str, Any] = {
        "event": "ready",
        "version": __version__,
        "url": address,
        "edition": edition.name,
        "models": list(edition.models),
        "chips": deviating(edition),
        "curl": " ".join(curl(address, edition, config)),
    }
    if config.workers > 1:
        line["workers"] = config.workers
    if config.state:
        line["state"] = SETTINGS["state"].show(config.state)
    if guard and guard.token and not config.control_token:
        line["control_token"] = guard.token
    return json.dumps(line, ensure_ascii=False)
