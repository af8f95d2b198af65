"""The configuration: one table of settings, and where each value came from.

`Config` is the table: each of its fields carries a `Setting` with the words people type, what is allowed and what it
does. Flags, variables, files, help, `--print-config` and the JSON Schema are read off it. A value is taken from the
first of: flag, environment, file, default. Nothing heavy is imported here, so that `--help` is quick.
"""

from __future__ import annotations

from dataclasses import field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.core.errors import OperatorError, shown, suggestion
from mockserver.core.immutable import immutable
from mockserver.core.web_address import without_password
from mockserver.settings import value_kinds as kinds
from mockserver.settings.value_kinds import Kind, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mockserver.pipeline.pace import PaceSettings
    from mockserver.profile.edition_file import Moderation

PREFIX: Final = "GENSTUDIO_MOCK_"
FILE_NAME: Final = "genstudio-mock.toml"
PROJECT_FILE_NAME: Final = "pyproject.toml"
TABLE_NAME: Final = "genstudio-mock"
FILE_VARIABLE: Final = PREFIX + "CONFIG"
COMMAND_VARIABLE: Final = PREFIX + "COMMAND"
"""For the pytest plugin alone: the command line of the genstudio-mock that it starts."""
LANGUAGE_VARIABLE: Final = PREFIX + "LANG"
"""For people alone: the language of advice; the locale's where it is not set."""
LANGUAGES: Final = ("en", "zh")
MOST_WORKERS: Final = 256


@immutable(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: Its name in files and in `Config`.
        kind: What is allowed and how it is read.
        default: Its value where nobody sets it.
        group: The heading under which help lists it.
        says: One sentence for help.
        metavar: What stands for the value in help.
        many: Whether it is a list: a flag that may be repeated, a variable with commas.
        secret: Whether its values are never shown.
        file_only: Whether it has neither flag nor variable.
    """

    name: str
    kind: Kind
    default: Any
    group: str
    says: str
    metavar: str = ""
    many: bool = False
    secret: bool = False
    file_only: bool = False

    @property
    def flag(self) -> str:
        """The flag, with dashes."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    def read(self, value: object, place: Place, *, text: bool) -> Any:
        """A value as it was given, checked.

        Args:
            value: Text, or what a file holds; for a list a list of them.
            place: Where it was given.
            text: Whether it is text that still needs parsing.

        Raises:
            OperatorError: it is not allowed; the text names the place, the value and what is allowed.
        """
        if not self.many:
            return self._read_one(value, place, text=text)
        if not isinstance(value, list):
            raise OperatorError(f"{place.name}: {self._shown(value)} is not allowed; allowed: a list")
        return tuple(self._read_one(one, place, text=text) for one in value)

    def _read_one(self, value: object, place: Place, *, text: bool) -> Any:
        try:
            return self.kind.accept(self.kind.parse(value) if text and isinstance(value, str) else value, place)
        except ValueError:
            seen = self._shown(value)
            raise OperatorError(f"{place.name}: {seen} is not allowed; allowed: {self.kind.allowed}") from None

    def _shown(self, value: object) -> str:
        if self.secret:
            return "this value"
        if isinstance(value, (bool, list, dict)):
            return shown(value)
        return repr(without_password(value) if isinstance(value, str) else value)

    def show(self, value: Any) -> str:
        """A value as `--print-config` shows it: secrets masked, nothing for unset."""
        if value is None or value == ():
            return ""
        says = masked if self.secret else self.kind.show
        return ", ".join(says(one) for one in value) if self.many else says(value)


def masked(secret: str) -> str:
    """A secret's last two characters and its length; nothing of one so short that two characters would tell it."""
    return f"***{secret[-2:] if len(secret) > 4 else ''} ({len(secret)} characters)"


def _row(default: Any, kind: Kind, group: str, says: str, metavar: str = "", **more: bool) -> Any:
    """A field of `Config` with its row; the row's name is the field's."""
    return field(default=default, metadata={"row": (kind, default, group, says, metavar), "more": more})


LISTEN, CONTENT, ANSWERS, LOG = "where it listens", "what it serves", "how it answers", "what it tells"


@immutable(frozen=True, slots=True)
class Config:
    """Every setting of a mock, with its default."""

    host: str = _row("127.0.0.1", kinds.TEXT, LISTEN, "address to listen on", "HOST")
    port: int = _row(8777, kinds.integer(0, 65535), LISTEN, "port to listen on; 0 takes a free one", "PORT")
    uds: Path | None = _row(None, kinds.PATH, LISTEN, "Unix socket to listen on, instead of host and port", "PATH")
    port_file: Path | None = _row(
        None, kinds.PATH, LISTEN, "file that holds the port while connections are accepted", "PATH"
    )
    workers: int = _row(
        1, kinds.integer(1, MOST_WORKERS), LISTEN, "processes that serve the port together, one for each core", "NUMBER"
    )
    state: str | None = _row(
        None, kinds.STATE, LISTEN,
        "Redis or Valkey server that keeps what processes have in common (default: each keeps its own)", "URL",
    )  # fmt: skip
    state_ttl: float = _row(86_400.0, kinds.LIFETIME, LISTEN, "how long the state keeps what nobody touches", "SECONDS")
    tls: Literal["off", "self-signed"] = _row(
        "off", kinds.choice("off", "self-signed"), LISTEN,
        "https with a certificate made at the start, by an authority that --tls-ca holds", "off|self-signed",
    )  # fmt: skip
    tls_ca: Path | None = _row(
        None, kinds.PATH, LISTEN,
        "file that holds the authority of --tls self-signed while it serves (default: a temporary one)", "PATH",
    )  # fmt: skip
    tls_name: tuple[str, ...] = _row(
        (), kinds.TEXT, LISTEN, "further name or address in the certificate of --tls self-signed", "NAME", many=True
    )
    tls_cert: Path | None = _row(None, kinds.PATH, LISTEN, "https with this certificate (PEM, with its chain)", "PATH")
    tls_key: Path | None = _row(
        None, kinds.PATH, LISTEN, "key of --tls-cert, without a passphrase (default: in the same file)", "PATH"
    )
    edition: str | None = _row(
        None, kinds.TEXT, CONTENT, "state of the documents to imitate (default: the profiles' own)", "NAME"
    )
    profiles: tuple[Path, ...] = _row(
        (), kinds.FOLDER, CONTENT, "profile directory; comes before the shipped one", "DIR", many=True
    )
    fixtures: tuple[Path, ...] = _row(
        (), kinds.FOLDER, CONTENT, "fixture directory; comes before the shipped one", "DIR", many=True
    )
    model: tuple[str, ...] = _row((), kinds.MODEL, CONTENT, "further model, served on every chip", "NAME", many=True)
    strict: bool = _row(
        False, kinds.SWITCH, ANSWERS, "refuse a request that no fixture matches; nothing is synthesised"
    )
    strict_requests: bool = _row(
        False, kinds.SWITCH, ANSWERS, "refuse a request that is another one than was recorded, but for who asks"
    )
    match_on: tuple[str, ...] = _row(
        ("dialogue",), kinds.MATCH_ON, ANSWERS,
        "what a recording is found by: dialogue, tools, parameters, headers:NAME, with commas", "WHAT",
    )  # fmt: skip
    pace: Literal["off", "profile", "recorded"] | PaceSettings = _row(
        "off",
        kinds.PACE,
        ANSWERS,
        "off, profile (each chip's own), recorded (recordings' own), or first_token_ms=…,inter_token_ms=…,jitter=…",
        "PACE",
    )
    replay: Literal["exact", "regenerate"] = _row(
        "exact", kinds.choice("exact", "regenerate"), ANSWERS,
        "recordings as the bytes they were, or said anew in the asked chip's wire form", "MODE",
    )  # fmt: skip
    speed: float | None = _row(
        None, kinds.FACTOR, ANSWERS,
        "of the recorded pace, which it asks for: 1 as recorded, 10 ten times as fast, 0 not at all", "FACTOR",
    )  # fmt: skip
    seed: int = _row(0, kinds.integer(0, 2**32 - 1), ANSWERS, "part of all that is synthesised or derived", "NUMBER")
    answer_tokens: str | None = _row(
        None, kinds.SIZE, ANSWERS, "completion tokens of a synthetic text, exactly (default: from 20 to 200)", "MIN-MAX"
    )
    clock: Literal["fixed", "real"] = _row(
        "fixed", kinds.choice("fixed", "real"), ANSWERS,
        "fixed: the same request gets the same id and created; real: a new id, and now (a fixture's own stay)",
        "fixed|real",
    )  # fmt: skip
    api_key: tuple[str, ...] = _row(
        (), kinds.KEY, ANSWERS, "key to let in (default: every key that is not empty)", "KEY", many=True, secret=True
    )
    moderation: Moderation | None = _row(
        None, kinds.MODERATION, ANSWERS, "triggers of the text review, added to the edition's", file_only=True
    )
    control: bool = _row(True, kinds.SWITCH, LISTEN, "serve the control API under /_mock/")
    ui: bool = _row(True, kinds.SWITCH, LISTEN, "serve the inspector, a page for browsers, at /_mock/ui/")
    metrics: bool = _row(False, kinds.SWITCH, LISTEN, "serve figures for Prometheus at /_mock/metrics")
    control_token: str | None = _row(
        None,
        kinds.KEY,
        LISTEN,
        "token of the control API (default: none on loopback, else a new one at each start)",
        "TOKEN",
        secret=True,
    )
    grace_seconds: float = _row(
        5.0, kinds.SECONDS, ANSWERS, "how long answers in flight may go on after Ctrl-C or SIGTERM", "SECONDS"
    )
    log_format: Literal["text", "json"] = _row(
        "text", kinds.choice("text", "json"), LOG, "form of the log and of the ready block", "text|json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _row(
        "info", kinds.choice("debug", "info", "warning", "error"), LOG, "info tells of each request", "LEVEL"
    )


SETTINGS: Final[dict[str, Setting]] = {
    one.name: Setting(one.name, *one.metadata["row"], **one.metadata["more"]) for one in fields(Config)
}


@immutable(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each setting where its value came from: a flag, a variable, a file or `default`."""

    config: Config
    origins: Mapping[str, str]


def load(
    flags: Mapping[str, Any], environ: Mapping[str, str], *, file: str | None = None, cwd: Path = Path()
) -> Loaded:
    """Put the configuration together.

    Args:
        flags: Values of flags by the setting's name, as text, list of texts, or bool; those not given are absent.
        environ: The environment; an empty variable counts as not set.
        file: The configuration file of `--config`; without it that of `GENSTUDIO_MOCK_CONFIG`, then
            `genstudio-mock.toml`, then the table `[tool.genstudio-mock]` of `pyproject.toml`, both in `cwd`.
        cwd: Where relative paths of flags and variables start; those of a file start beside the file.

    Raises:
        OperatorError: something is unknown or not allowed; the text names flag, variable, or file and key.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, "default")
    path, table = _file_table(file or environ.get(FILE_VARIABLE) or None, cwd)
    for name, value in table.items():
        place = Place(f"{path}: {name}", path.parent)
        values[name], origins[name] = _known(name, path).read(value, place, text=False), str(path)
    for variable, text in _variables(environ).items():
        setting = next(one for one in SETTINGS.values() if one.variable == variable)
        given: object = [part.strip() for part in text.split(",")] if setting.many else text
        values[setting.name], origins[setting.name] = setting.read(given, Place(variable, cwd), text=True), variable
    for name, value in flags.items():
        setting = SETTINGS[name]
        values[name], origins[name] = setting.read(value, Place(setting.flag, cwd), text=True), setting.flag
    return Loaded(Config(**values), origins)


def _known(name: str, path: Path) -> Setting:
    """The setting of a file's key."""
    if name not in SETTINGS:
        raise OperatorError(f"{path}: {name}: unknown key; {suggestion(name, SETTINGS)}")
    return SETTINGS[name]


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Our variables that are set, `GENSTUDIO_MOCK_CONFIG` aside."""
    known = [one.variable for one in SETTINGS.values() if not one.file_only]
    others = (FILE_VARIABLE, COMMAND_VARIABLE, LANGUAGE_VARIABLE)
    found = {name: text for name, text in environ.items() if name.startswith(PREFIX) and name not in others}
    for name in found:
        if name not in known:
            raise OperatorError(f"{name}: unknown variable; {suggestion(name, [*known, *others])}")
    if (asked := environ.get(LANGUAGE_VARIABLE)) and asked not in LANGUAGES:
        raise OperatorError(f"{LANGUAGE_VARIABLE}: {asked!r} is not allowed; allowed: {', '.join(LANGUAGES)}")
    return {name: text for name, text in found.items() if text}


def _file_table(named: str | None, cwd: Path) -> tuple[Path, Mapping[str, Any]]:
    """The configuration file that counts, and its settings; an empty table where there is none."""
    from mockserver.files.toml import toml_of

    candidates: Iterable[Path] = (cwd / FILE_NAME, cwd / PROJECT_FILE_NAME)
    path = cwd / named if named else next((one for one in candidates if one.is_file()), None)
    if path is None:
        return cwd, {}
    table: Any = toml_of(path)
    if path.name == PROJECT_FILE_NAME:
        table = table.get("tool", {})
        table = table.get(TABLE_NAME, {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        raise OperatorError(f"{path}: tool.{TABLE_NAME}: {table!r} is not allowed; allowed: a table of settings")
    return path, table


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file."""
    from mockserver.core.checking import checks
    from mockserver.profile.edition_file import Moderation

    properties = {}
    for setting in SETTINGS.values():
        one: dict[str, Any] = dict(setting.kind.schema)
        row = {"type": "array", "items": one} if setting.many else one
        row["description"] = setting.says
        if setting.default not in (None, ()):
            row["default"] = setting.default
        properties[setting.name] = row
    return {
        "title": "Configuration of genstudio-mock",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {"Moderation": checks(Moderation).json_schema()},
    }
