"""The commands about files: `profiles`, `validate` and `schema`."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest

from mockserver.cli.schema import SCHEMAS, schema
from mockserver.profile import quirks
from mockserver.settings.assemble import edition_of
from mockserver.settings.config import Config
from tests.command import EDITIONS, ROOT, called

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty directory, so that no configuration of this checkout is read."""
    monkeypatch.chdir(tmp_path)


class TestProfiles:
    """`profiles`."""

    def test_the_matrix(self) -> None:
        """Every edition, and for each quirk the chips that have it, with the letter of the claim."""
        code, out, err = called("profiles")

        assert (code, err) == (0, "")
        assert all(f"{name}  " in out for name in EDITIONS)
        rows = [line.split() for line in out.splitlines()]
        assert ["json-lines", ".", ".", ".", ".", "D", "D", "D"] in rows
        assert ["type-json", ".", ".", ".", ".", "A", "A", "A"] in rows
        assert "D documented, O observed, A assumed" in out

    def test_one_edition(self) -> None:
        """`--edition` shows only that one."""
        _, out, _ = called("profiles", "--edition", "2025-reference")

        assert "2025-reference" in out
        assert "2024-tutorial" not in out

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_a_chip(self, edition: str) -> None:
        """Each claim of a chip comes with its sentence and source, and a stream that was really made."""
        name, chip = list(edition_of(Config(edition=edition)).chips.items())[:5][-1]
        code, out, err = called("profiles", "show", name, "--edition", edition)
        flat = " ".join(out.split())

        assert (code, err) == (0, "")
        for claim in chip.claims:
            assert f"{claim.name} {quirks.find(claim.name)[1].says} {claim.claim}: {claim.source}" in flat
        assert "HTTP/1.1 200" in out
        assert '"finish_reason":' in out

    def test_the_stream_of_a_chip_is_that_of_the_pipeline(self) -> None:
        """The last line on the wire is the last frame, whole."""
        _, out, _ = called("profiles", "show", "chip3")
        last = json.loads(out.splitlines()[-1])

        assert last["object"] == "chat.completion.chunk"
        assert last["usage"] == {"prompt_tokens": 22, "total_tokens": 40, "completion_tokens": 18}

    def test_the_words_may_stand_after_the_flags(self) -> None:
        """Flags may come between the words."""
        assert called("profiles", "show", "--edition", EDITIONS[0], "chip3")[0] == 0

    def test_quirks(self) -> None:
        """Every quirk is listed, the standard of each axis marked."""
        _, out, _ = called("profiles", "--quirks")

        for axis in quirks.AXES:
            assert f"{axis.stage}.{axis.field}\n  * {axis.standard.name} " in out
            assert all(f"\n    {quirk.name} " in out for quirk in axis.quirks[1:])

    def test_models(self) -> None:
        """Every model of the catalogue is listed with how it is known; one of ours too."""
        _, out, _ = called("profiles", "--models", "--model", "my-model")

        assert all(f"{name} " in out for name in edition_of(Config()).models)
        assert re.search(r"^my-model +- +never +assumed: added by the operator$", out, re.MULTILINE)

    def test_profiles_of_ones_own(self, tmp_path: Path) -> None:
        """A directory of one's own that holds one chip's file counts before the shipped one."""
        shipped = (ROOT / "profiles" / "2024-tutorial" / "chip1.toml").read_text("utf-8")
        (tmp_path / "mine" / "2024-tutorial").mkdir(parents=True)
        quirk = '[[quirks]]\nname = "crlf"\nclaim = "observed"\nsource = "seen"\n'
        own = shipped.replace("[latency]", f"{quirk}[latency]")
        (tmp_path / "mine" / "2024-tutorial" / "chip1.toml").write_text(own, "utf-8")
        _, out, _ = called("profiles", "--profiles", "mine")

        assert ["crlf", ".", ".", "O", ".", ".", ".", "."] in [line.split() for line in out.splitlines()]


class TestValidate:
    """`validate`."""

    def test_what_is_shipped_is_right(self) -> None:
        """Every profile and fixture of ours passes."""
        code, out, err = called("validate", str(ROOT / "profiles"), str(ROOT / "fixtures"))

        assert (code, err) == (0, "")
        assert out.splitlines()[-1].endswith(" files, 0 wrong")

    CHIP = 'summary = "x"\n{}[latency]\nfirst_token_ms = 1\ninter_token_ms = 1\nclaim = "assumed"\nsource = "x"\n'
    QUIRK = '[[quirks]]\nname = "{}"\nclaim = "assumed"\nsource = "x"\n'
    WRONG: list[tuple[str, str, str]] = [  # noqa: RUF012 - a table for the test below
        ("a.json", "{", "not a JSON file: "),
        ("a.json", '{"match": {}, "answer": {"text": "x"}, "sauce": 1}', "sauce: unknown key; did you mean source?"),
        ("2024-tutorial/x.toml", CHIP.format("smmary = 1\n"), "smmary: unknown key; did you mean summary?"),
        (
            "2024-tutorial/x.toml",
            CHIP.format(QUIRK.format("json-line")),
            "quirks[0].name: unknown quirk 'json-line'; did you mean json-lines, ",
        ),
        (
            "2024-tutorial/x.toml",
            CHIP.format(QUIRK.format("lf") + QUIRK.format("crlf")),
            "quirks: lf and crlf exclude each other",
        ),
        ("own/x.toml", CHIP.format(""), "no edition.toml stands beside it"),
        ("genstudio-mock.toml", "prot = 1", "prot: unknown key; did you mean "),
        ("default.toml", "", "edition: missing"),
        ("a.yaml", "", "'.yaml' is not allowed; allowed: .toml, .json"),
    ]

    def test_an_expired_fixture_is_told(self, tmp_path: Path) -> None:
        """A fixture that no longer fits any request is not wrong, but is said to be over."""
        data = '{"match": {}, "answer": {"text": "x"}, "expires": "2024-02-29"}'
        (tmp_path / "a.json").write_text(data, "utf-8")
        code, out, _ = called("validate", "a.json")

        assert code == 0
        assert out.startswith("ok     a.json: expires: 2024-02-29 is over; it no longer fits any request\n")

    @pytest.mark.parametrize(("name", "text", "complaint"), WRONG, ids=[f"{name}: {what}" for name, _, what in WRONG])
    def test_a_wrong_file(self, tmp_path: Path, name: str, text: str, complaint: str) -> None:
        """A wrong file is one line with its name and what is wrong, and exit code 2."""
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        code, out, err = called("validate", name)

        assert (code, err) == (2, "")
        assert out.startswith(f"wrong  {name}: {complaint}")
        assert out.splitlines()[1:] == ["", "1 file, 1 wrong"]

    def test_the_others_are_still_checked(self, tmp_path: Path) -> None:
        """One wrong file does not hide the next."""
        (tmp_path / "a.json").write_text("{", "utf-8")
        (tmp_path / "b.json").write_text('{"match": {}, "answer": {"text": "x"}}', "utf-8")
        code, out, _ = called("validate", ".")

        assert code == 2
        assert "\nok     b.json\n" in out

    def test_a_directory_without_files(self) -> None:
        """Nothing to check is a mistake, not a success."""
        assert called("validate", ".") == (2, "", ".: holds no *.toml and no *.json\n")


class TestSchema:
    """`schema`."""

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_it_is_a_schema(self, name: str) -> None:
        """What is printed is a JSON Schema by its meta-schema."""
        code, out, err = called("schema", name)

        assert (code, err) == (0, "")
        jsonschema_rs.meta.validate(json.loads(out))

    def test_quirk_names_are_an_enumeration(self) -> None:
        """An editor can offer the names of quirks; those with a value fit a pattern."""
        listed, valued = schema("profile")["$defs"]["QuirkClaim"]["properties"]["name"]["anyOf"]

        assert listed == {"enum": list(quirks.QUIRKS)}
        assert all(re.match(valued["pattern"], name) for name in quirks.EXAMPLES)

    @pytest.mark.parametrize(
        ("name", "pattern"), [("profile", "*/*.toml"), ("edition", "*/edition.toml"), ("fixture", "*/*/*.json")]
    )
    def test_what_is_shipped_fits(self, name: str, pattern: str) -> None:
        """Our own files are valid by the schema; with a key too many they are not."""
        validator = jsonschema_rs.validator_for(json.dumps(schema(name)))
        root = ROOT / ("fixtures" if name == "fixture" else "profiles")
        files = [path for path in root.glob(pattern) if name != "profile" or path.name != "edition.toml"]

        assert files
        for path in files:
            text = path.read_text("utf-8")
            data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
            assert [str(error) for error in validator.iter_errors(data)] == []
            assert not validator.is_valid({**data, "sauce": 1})
