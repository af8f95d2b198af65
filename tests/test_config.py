"""The configuration: precedence, what each setting allows, and the text of each complaint."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from mockserver.core.errors import OperatorError
from mockserver.pipeline.pace import PaceSettings
from mockserver.settings.config import SETTINGS, Config, load, masked, schema
from mockserver.settings.private import private

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults_come_from_the_table(tmp_path: Path) -> None:
    """Nothing set: every value is its default and says so."""
    loaded = load({}, {}, cwd=tmp_path)

    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}


def test_precedence(tmp_path: Path) -> None:
    """A flag counts before a variable, a variable before the file, the file before the default."""
    (tmp_path / "genstudio-mock.toml").write_text("port = 1\nseed = 1\nhost = '::1'\n", "utf-8")

    loaded = load({"port": "3"}, {"GENSTUDIO_MOCK_PORT": "2", "GENSTUDIO_MOCK_SEED": "2"}, cwd=tmp_path)

    assert (loaded.config.port, loaded.config.seed, loaded.config.host, loaded.config.pace) == (3, 2, "::1", "off")
    assert [loaded.origins[name] for name in ("port", "seed", "host", "pace")] == [
        "--port",
        "GENSTUDIO_MOCK_SEED",
        str(tmp_path / "genstudio-mock.toml"),
        "default",
    ]


def test_a_flag_can_take_back_what_the_file_switched_on(tmp_path: Path) -> None:
    """`--no-strict` counts before `strict = true`."""
    (tmp_path / "genstudio-mock.toml").write_text("strict = true\n", "utf-8")

    assert load({}, {}, cwd=tmp_path).config.strict
    assert not load({"strict": False}, {}, cwd=tmp_path).config.strict


def test_pyproject_counts_where_there_is_no_file_of_our_own(tmp_path: Path) -> None:
    """`[tool.genstudio-mock]` is read; genstudio-mock.toml beside it counts instead."""
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n[tool.genstudio-mock]\nport = 5\n", "utf-8")
    assert load({}, {}, cwd=tmp_path).config.port == 5

    (tmp_path / "genstudio-mock.toml").write_text("port = 6\n", "utf-8")
    assert load({}, {}, cwd=tmp_path).config.port == 6


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "tool = 3\n"], ids=["empty", "other", "no-table"])
def test_a_pyproject_without_our_table_is_no_configuration(tmp_path: Path, text: str) -> None:
    """Another tool's pyproject.toml changes nothing."""
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")

    assert load({}, {}, cwd=tmp_path).config == Config()


def test_a_named_file_counts_alone(tmp_path: Path) -> None:
    """`--config` counts before `GENSTUDIO_MOCK_CONFIG`, and that before the working directory's file."""
    for name, port in (("genstudio-mock.toml", 1), ("a.toml", 2), ("b.toml", 3)):
        (tmp_path / name).write_text(f"port = {port}\n", "utf-8")
    environ = {"GENSTUDIO_MOCK_CONFIG": "a.toml"}

    assert load({}, environ, cwd=tmp_path).config.port == 2
    assert load({}, environ, file="b.toml", cwd=tmp_path).config.port == 3


def test_paths_of_a_file_start_beside_it(tmp_path: Path) -> None:
    """A configuration file in another directory names its fixtures from there; a flag's path starts where we are."""
    (tmp_path / "conf" / "answers").mkdir(parents=True)
    (tmp_path / "conf" / "a.toml").write_text("fixtures = ['answers']\nport_file = 'p'\n", "utf-8")

    config = load({"uds": "s"}, {}, file="conf/a.toml", cwd=tmp_path).config

    assert config.fixtures == (tmp_path / "conf" / "answers",)
    assert config.port_file == tmp_path / "conf" / "p"
    assert config.uds == tmp_path / "s"


def test_lists(tmp_path: Path) -> None:
    """A flag is repeated, a variable has commas, a file has an array."""
    environ = {"GENSTUDIO_MOCK_API_KEY": "one, two"}
    (tmp_path / "genstudio-mock.toml").write_text("model = ['m1', 'm2']\n", "utf-8")

    config = load({"api_key": ["a", "b"]}, {}, cwd=tmp_path).config
    assert config.api_key == ("a", "b")
    assert config.model == ("m1", "m2")
    assert load({}, environ, cwd=tmp_path).config.api_key == ("one", "two")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """What `PORT=${PORT:-}` in a compose file leaves behind changes nothing."""
    loaded = load({}, {"GENSTUDIO_MOCK_PORT": "", "GENSTUDIO_MOCK_CONFIG": ""}, cwd=tmp_path)

    assert loaded.config == Config()
    assert loaded.origins["port"] == "default"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("profile", "profile"),
        ("first_token_ms=300", PaceSettings(300, 0, 0)),
        ("first_token_ms=300,inter_token_ms=2.5, jitter=1", PaceSettings(300, 2.5, 1)),
    ],
)
def test_pace(tmp_path: Path, text: str, value: object) -> None:
    """Pace is a word or figures, and is shown as it is written."""
    config = load({"pace": text}, {}, cwd=tmp_path).config

    assert config.pace == value
    again = load({"pace": SETTINGS["pace"].show(config.pace)}, {}, cwd=tmp_path).config
    assert again.pace == value


PACES = (
    "off, profile, recorded, or first_token_ms=NUMBER,inter_token_ms=NUMBER,jitter=NUMBER with at least one of "
    "the three, 0 or more, jitter at most 1"
)
WRONG_FLAGS: list[tuple[str, Any, str]] = [
    ("port", "x", "--port: 'x' is not allowed; allowed: an integer from 0 to 65535"),
    ("port", "65536", "--port: '65536' is not allowed; allowed: an integer from 0 to 65535"),
    ("port", "-1", "--port: '-1' is not allowed; allowed: an integer from 0 to 65535"),
    ("seed", "1.5", "--seed: '1.5' is not allowed; allowed: an integer from 0 to 4294967295"),
    ("host", "", "--host: '' is not allowed; allowed: text that is not empty"),
    ("grace_seconds", "inf", "--grace-seconds: 'inf' is not allowed; allowed: a number of seconds, 0 or more"),
    ("grace_seconds", "-1", "--grace-seconds: '-1' is not allowed; allowed: a number of seconds, 0 or more"),
    ("clock", "cuckoo", "--clock: 'cuckoo' is not allowed; allowed: fixed, real"),
    ("log_level", "loud", "--log-level: 'loud' is not allowed; allowed: debug, info, warning, error"),
    ("fixtures", ["nowhere"], "--fixtures: 'nowhere' is not allowed; allowed: an existing directory"),
    ("model", ["a/b"], "--model: 'a/b' is not allowed; allowed: letters, digits, dots, dashes and underscores"),
    ("pace", "fast", f"--pace: 'fast' is not allowed; allowed: {PACES}"),
    ("pace", "jitter=2", f"--pace: 'jitter=2' is not allowed; allowed: {PACES}"),
    ("pace", "first_token_ms=nan", f"--pace: 'first_token_ms=nan' is not allowed; allowed: {PACES}"),
    ("pace", "jitter=1,jitter=0", f"--pace: 'jitter=1,jitter=0' is not allowed; allowed: {PACES}"),
    *(
        (
            "answer_tokens",
            text,
            f"--answer-tokens: {text!r} is not allowed; allowed: MIN-MAX or one number, from 1 to 32768",
        )
        for text in ("", "0", "20-", "9-8", "1-32769", "²")
    ),
    ("api_key", ["鑰匙"], "--api-key: this value is not allowed; allowed: visible ASCII characters without spaces"),
]


@pytest.mark.parametrize(
    ("name", "given", "text"), WRONG_FLAGS, ids=[f"{name}={given}" for name, given, _ in WRONG_FLAGS]
)
def test_wrong_flags(tmp_path: Path, name: str, given: object, text: str) -> None:
    """A complaint names the flag, what was seen (never a secret) and what is allowed."""
    with pytest.raises(OperatorError) as caught:
        load({name: given}, {}, cwd=tmp_path)

    assert str(caught.value) == text


WRONG_VARIABLES = [
    (
        "GENSTUDIO_MOCK_PROT",
        (
            "GENSTUDIO_MOCK_PROT: unknown variable; "
            "did you mean GENSTUDIO_MOCK_PORT, GENSTUDIO_MOCK_HOST, GENSTUDIO_MOCK_TLS?"
        ),
    ),
    ("GENSTUDIO_MOCK_PORT", "GENSTUDIO_MOCK_PORT: 'many' is not allowed; allowed: an integer from 0 to 65535"),
    ("GENSTUDIO_MOCK_STRICT", "GENSTUDIO_MOCK_STRICT: 'many' is not allowed; allowed: true or false"),
]


@pytest.mark.parametrize(("name", "text"), WRONG_VARIABLES, ids=[name for name, _ in WRONG_VARIABLES])
def test_wrong_variables(tmp_path: Path, name: str, text: str) -> None:
    """A complaint names the variable; one of ours that is unknown is a complaint too."""
    with pytest.raises(OperatorError) as caught:
        load({}, {name: "many", "OTHER": "many"}, cwd=tmp_path)

    assert str(caught.value) == text


def test_the_table_moderation_has_no_variable(tmp_path: Path) -> None:
    """What only a file can hold is unknown in the environment."""
    with pytest.raises(OperatorError, match="GENSTUDIO_MOCK_MODERATION: unknown variable"):
        load({}, {"GENSTUDIO_MOCK_MODERATION": "x"}, cwd=tmp_path)


WRONG_FILES = [
    ("prot = 1", "prot: unknown key; did you mean port, profiles, host?"),
    ("log-level = 'info'", "log-level: unknown key; did you mean log_level?"),
    ("port = '80'", "port: '80' is not allowed; allowed: an integer from 0 to 65535"),
    ("port = true", "port: true is not allowed; allowed: an integer from 0 to 65535"),
    ("clock = ['real']", 'clock: ["real"] is not allowed; allowed: fixed, real'),
    ("strict = 1", "strict: 1 is not allowed; allowed: true or false"),
    ("model = 'm'", "model: 'm' is not allowed; allowed: a list"),
    ("api_key = 'sk-secret'", "api_key: this value is not allowed; allowed: a list"),
    ("moderation = 1", "moderation: 1 is not allowed; allowed: a table"),
    ("moderation.input_words = 'a'", "moderation: input_words: 'a' is not allowed; allowed: a list"),
    (
        "moderation.input_word = []",
        "moderation: input_word: unknown key; did you mean input_words, output_words, input_patterns?",
    ),
    (
        "moderation.after_pieces = -1",
        "moderation: after_pieces: -1 is not allowed; allowed: greater than or equal to 0",
    ),
    ('host = "a\\u0000b"', "host: 'a\\x00b' is not allowed; allowed: text that is not empty"),
]


@pytest.mark.parametrize(("line", "text"), WRONG_FILES, ids=[line for line, _ in WRONG_FILES])
def test_wrong_files(tmp_path: Path, line: str, text: str) -> None:
    """A complaint names the file and the key."""
    path = tmp_path / "genstudio-mock.toml"
    path.write_text(f"{line}\n", "utf-8")

    with pytest.raises(OperatorError) as caught:
        load({}, {}, cwd=tmp_path)

    assert str(caught.value) == f"{path}: {text}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a directory, broken TOML and a table of the wrong kind are one line each."""
    (tmp_path / "bad.toml").write_text("port = \n", "utf-8")
    (tmp_path / "deep.toml").write_text(f"x = {'[' * 5000}", "utf-8")
    (tmp_path / "long.toml").write_text(f"x = {'1' * 5000}", "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool]\ngenstudio-mock = 1\n", "utf-8")
    starts = {
        "none.toml": "none.toml: no such file",
        ".": "cannot be read: ",
        "deep.toml": "deep.toml: not TOML: nested too deeply",
        "long.toml": "long.toml: not TOML: Exceeds the limit",
        "bad.toml": "bad.toml: not TOML: Invalid value (at line 1, column 8)",
        "pyproject.toml": "pyproject.toml: tool.genstudio-mock: 1 is not allowed; allowed: a table of settings",
    }
    for name, text in starts.items():
        with pytest.raises(OperatorError) as caught:
            load({}, {}, file=name, cwd=tmp_path)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    """PowerShell 5 writes a byte order mark for UTF-8, and UTF-16 with `>`: the one is read, the other is named."""
    path = tmp_path / "genstudio-mock.toml"
    path.write_bytes("port = 9\r\n".encode("utf-8-sig"))
    assert load({}, {}, cwd=tmp_path).config.port == 9

    path.write_bytes("port = 9\r\n".encode("utf-16"))
    with pytest.raises(OperatorError) as caught:
        load({}, {}, cwd=tmp_path)
    assert str(caught.value) == (
        f"{path}: not UTF-8: it is UTF-16, as PowerShell's > writes it; save the file as UTF-8"
    )


def test_a_pattern_of_the_text_review_is_checked_when_it_is_read(tmp_path: Path) -> None:
    """A regular expression outside of the syntax is found with file and key."""
    path = tmp_path / "genstudio-mock.toml"
    path.write_text("[moderation]\ninput_patterns = ['(?=x)']\n", "utf-8")

    with pytest.raises(OperatorError) as caught:
        load({}, {}, cwd=tmp_path)

    assert str(caught.value).startswith(f"{path}: moderation: input_patterns: '(?=x)' is not a regular expression")


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("sk-abcdef12", "***12 (11 characters)"), ("abcd", "*** (4 characters)"), ("x", "*** (1 characters)")],
)
def test_secrets_are_masked(secret: str, shown: str) -> None:
    """Of a key only the last two characters and the length are shown; of a very short one only the length."""
    assert masked(secret) == shown


AGREED = [
    ("port = 0\nmodel = ['m']\nstrict = true\ngrace_seconds = 1\n[moderation]\ninput_words = ['x']", True),
    ("", True),
    ("prot = 1", False),
    ("port = '1'", False),
    ("port = 65536", False),
    ("model = 'm'", False),
    ("model = ['a/b']", False),
    ("clock = 'cuckoo'", False),
    ("grace_seconds = -1", False),
    ("moderation.input_word = []", False),
]


@pytest.mark.parametrize(("text", "good"), AGREED, ids=[text for text, _ in AGREED])
def test_the_schema_agrees_with_the_reader(tmp_path: Path, text: str, good: bool) -> None:
    """What the reader takes, the schema takes; what one refuses, the other does."""
    (tmp_path / "genstudio-mock.toml").write_text(text, "utf-8")
    validator = jsonschema_rs.validator_for(json.dumps(schema()))

    assert validator.is_valid(tomllib.loads(text)) is good
    if good:
        load({}, {}, cwd=tmp_path)
    else:
        with pytest.raises(OperatorError):
            load({}, {}, cwd=tmp_path)


def test_the_table_has_one_row_for_each_setting() -> None:
    """Every row can be named in a flag and a variable, says what it is, and its default is one it allows."""
    for name, row in SETTINGS.items():
        assert row.flag == f"--{name.replace('_', '-')}"
        assert row.variable == f"GENSTUDIO_MOCK_{name.upper()}"
        assert row.says, name
        assert row.metavar or row.file_only or isinstance(row.default, bool), name


def test_a_private_mock_answers_the_same_elsewhere(tmp_path: Path) -> None:
    """What a configuration says of answers stays; where it listens, whom it lets in and how it ends does not."""
    listening = {
        "host": "::1", "port": 9000, "uds": tmp_path, "port_file": tmp_path, "api_key": ("sk-a",), "control": False,
        "control_token": "t", "grace_seconds": 9.0, "tls": "self-signed", "tls_ca": tmp_path, "tls_cert": tmp_path,
        "tls_key": tmp_path, "tls_name": ("a",),
    }  # fmt: skip
    answers = {"edition": "2025-reference", "fixtures": (tmp_path,), "strict": True, "pace": "profile", "seed": 3}

    made = private(Config(**{**listening, **answers}))  # type: ignore[arg-type]

    assert made == Config(**{**answers, "port": 0, "grace_seconds": 0.0})  # type: ignore[arg-type]
