"""`genstudio-mock doctor`: what stands in the way on this machine, on one screen. Nothing is changed."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser, configuration
from mockserver.cli.doctor_messages import STYLES, in_language, say
from mockserver.core.errors import OperatorError
from mockserver.testing.language import language

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mockserver.cli.doctor_messages import Said
    from mockserver.cli.terminal import Cell, Console
    from mockserver.settings.config import Loaded

SAYS = """\
Look at what keeps a mock from starting, a client from reaching it, and a fixture from matching: the
port and who has it, proxies, localhost, versions, port files, variables. Flags are those of serve.
Exit code 1 where something is in the way."""
EXAMPLES = (
    ("genstudio-mock doctor", "for serve without flags, here"),
    ("genstudio-mock doctor --port 9000 --fixtures answers", "for serve with these"),
)
SETTINGS_LOOKED_AT: Final = ("host", "port", "port_file", "edition", "profiles", "fixtures", "model", "control_token")


def run(argv: Sequence[str], console: Console) -> int:
    """Look at everything and say it; 1 where something is in the way."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    said = list(_looked(found, console))
    wrong = sum(one.weight == "wrong" for one in said)
    if found.json:
        rows = [{"about": one.about, "weight": one.weight, "message": one.message, "text": one.text} for one in said]
        console.print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 1 if wrong else 0
    spoken = language(console.environ)
    lines: list[tuple[Cell, ...]] = [
        ((one.weight, STYLES[one.weight]), (one.about, "dim"), one.told(spoken)) for one in said
    ]
    things = f"{wrong} thing{'' if wrong == 1 else 's'}"
    summary = in_language("summary-bad" if wrong else "summary-good", spoken).format(wrong=things)
    console.print(*console.columns(lines, indent=0), "", summary)
    return 1 if wrong else 0


def parser() -> Parser:
    """The parser of `doctor`."""
    made = Parser("doctor", SAYS, EXAMPLES)
    made.add_settings(SETTINGS_LOOKED_AT)
    made.add_argument("--json", action="store_true", help="tell it for programs")
    return made


def _looked(found: argparse.Namespace, console: Console) -> Iterator[Said]:
    """All that is looked at; what needs the configuration is left out where that is wrong."""
    from mockserver.cli import doctor_network, doctor_project
    from mockserver.core.route import Route
    from mockserver.settings.assemble import edition_of

    yield say("ok", "python", "python", version=platform.python_version(), system=platform.platform(terse=True))
    yield from doctor_project.packages()
    yield from doctor_project.extras()
    try:
        loaded = configuration(found, console)
    except OperatorError as error:
        yield say("wrong", "settings", "configuration-wrong", error=error)
        return
    config = loaded.config
    yield _settings(loaded)
    mock = doctor_network.running(config)
    yield doctor_network.port(config, mock)
    yield from doctor_network.port_file(config)
    yield from doctor_network.proxies(config, console.environ)
    yield from doctor_network.localhost(config)
    try:
        edition = edition_of(config)
    except OperatorError as error:
        yield say("wrong", "profiles", "configuration-wrong", error=error)
    else:
        route = Route(next(iter(edition.models)), next(iter(edition.chips)))
        yield from doctor_network.clients(config, console.environ, route)
    yield from doctor_project.fixtures(config, mock)


def _settings(loaded: Loaded) -> Said:
    origins = sorted({origin for origin in loaded.origins.values() if origin != "default"})
    if not origins:
        return say("ok", "settings", "configuration-default")
    return say("ok", "settings", "configuration", origins=", ".join(origins))
