"""`genstudio-mock schema`: JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mockserver.cli.arguments import Parser
from mockserver.core.errors import OperatorError, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Print the JSON Schema of a file that people write: profile (a chip's TOML file), edition
(edition.toml), fixture (an answer's JSON file), exchange (a recording, or one written by hand) or
config (genstudio-mock.toml)."""
EXAMPLES = (("genstudio-mock schema profile > profile.schema.json", "for an editor that knows schemas"),)


ID: Final = "urn:genstudio-mock:schema:"
"""What a schema's name follows in its `$id`: a name and no address, since nobody publishes them at one."""


def run(argv: Sequence[str], console: Console) -> int:
    """Print one schema."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    known = f"known: {', '.join(SCHEMAS)}"
    if len(found.words) != 1:
        raise OperatorError(f"{used.prog}: {len(found.words)} names given; allowed: one; {known}")
    name = found.words[0]
    if name not in SCHEMAS:
        raise OperatorError(f"{used.prog}: unknown schema {name!r}; {suggestion(name, SCHEMAS)}")
    console.print(as_file(name).rstrip("\n"))
    return 0


def parser() -> Parser:
    """The parser of `schema`."""
    made = Parser("schema", SAYS, EXAMPLES)
    made.add_argument("words", nargs="*", metavar="|".join(SCHEMAS), help="kind of file")
    return made


def schema(name: str) -> dict[str, Any]:
    """The schema of that name as a JSON object."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{ID}{name}", **SCHEMAS[name]()}


def as_file(name: str) -> str:
    """The schema of that name as its file holds it."""
    return json.dumps(schema(name), ensure_ascii=False, indent=2) + "\n"


def _profile() -> dict[str, Any]:
    from mockserver.core.checking import checks
    from mockserver.profile.edition_file import ChipFile

    return _with_quirk_names(checks(ChipFile).json_schema())


def _edition() -> dict[str, Any]:
    from mockserver.core.checking import checks
    from mockserver.profile.edition_file import ERROR_KINDS, EditionFile

    made = _with_quirk_names(checks(EditionFile).json_schema())
    made["properties"]["errors"] |= {"propertyNames": {"enum": list(ERROR_KINDS)}, "required": list(ERROR_KINDS)}
    return made


def _fixture() -> dict[str, Any]:
    from mockserver.sources.fixture_file import fixture_schema

    return fixture_schema()


def _exchange() -> dict[str, Any]:
    from mockserver.files import exchange_file as parts
    from mockserver.sources.described import with_sentences

    made = parts.ExchangeFile.model_json_schema()
    with_sentences(made, (parts.ExchangeFile, parts.RequestPart, parts.ResponsePart, parts.Provenance, parts.Judged))
    for name, sentence in {"at_ms": "Milliseconds after the request; never falling.", "data": "The bytes."}.items():
        made["$defs"]["Send"]["properties"][name]["description"] = sentence
    return {**made, "title": "An exchange file of genstudio-mock"}


def _config() -> dict[str, Any]:
    from mockserver.settings import config

    return config.schema()


def _with_quirk_names(made: dict[str, Any]) -> dict[str, Any]:
    """The schema with the table's names, and those of the families, as the only ones for a quirk."""
    from mockserver.profile.quirk_families import FAMILIES
    from mockserver.profile.quirks import QUIRKS

    valued = f"^({'|'.join(family.name for family in FAMILIES)})=."
    made["$defs"]["QuirkClaim"]["properties"]["name"]["anyOf"] = [{"enum": list(QUIRKS)}, {"pattern": valued}]
    return made


SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "profile": _profile,
    "edition": _edition,
    "fixture": _fixture,
    "exchange": _exchange,
    "config": _config,
}
