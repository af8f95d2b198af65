"""The shipped editions say what the documents say, and files that people write are checked with one-line messages."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.profile import quirks
from mockserver.profile.edition import default_edition, editions, load_edition
from mockserver.profile.quirk_families import FAMILIES
from tests.conftest import EDITIONS, load

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = shipped("profiles")
CHIPS = ("nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5")
ODD = {"chip3", "chip4", "chip5"}


def test_the_shipped_editions() -> None:
    """Two states of the documents, and the field's dialects; the tutorial's is the default."""
    assert editions([SHIPPED]) == {*EDITIONS, "field", "openai"}
    assert default_edition([SHIPPED]) == "2024-tutorial"


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_deviation_has_a_claim(edition: str) -> None:
    """Whatever differs from the standard on a chip is claimed there or by the edition; the claims are all in force."""
    for chip in load(edition).chips.values():
        claimed = {claim.name for claim in chip.claims}
        assert {quirk.name for quirk in quirks.deviations(chip.wire)} <= claimed
        for claim in chip.claims:
            axis, quirk = quirks.find(claim.name)
            assert getattr(getattr(chip.wire, axis.stage), axis.field) == quirk.value


def test_every_setting_of_the_wire_is_a_quirk() -> None:
    """A field of a stage's settings that no axis sets could never be changed, nor claimed."""
    axes = {(axis.stage, axis.field) for axis in quirks.AXES}
    settings = {
        (stage.name, field.name)
        for stage in fields(quirks.STANDARD)
        for field in fields(getattr(quirks.STANDARD, stage.name))
    }

    assert axes | {(family.stage, family.field) for family in FAMILIES} == settings
    for axis in quirks.AXES:
        assert getattr(getattr(quirks.STANDARD, axis.stage), axis.field) == axis.standard.value
        assert len({quirk.value for quirk in axis.quirks}) == len(axis.quirks) >= 2


@pytest.mark.parametrize("name", quirks.EXAMPLES)
def test_a_quirk_with_a_value_is_set_named_and_taken_back(name: str) -> None:
    """It sets its part and no other; the settings name it again; `-` and its standard take it back."""
    axis, quirk = quirks.find(name)
    other = "extra-key=chunk.other:1"

    wire = quirks.changed(quirks.STANDARD, f"{other},{name}")

    assert quirk.says.endswith(".")
    assert {one.name for one in quirks.deviations(wire)} == {other, name}
    assert axis.quirk_of(axis.value_in(wire)) == quirk
    assert quirks.changed(wire, f"-{name},-{other}") == quirks.STANDARD
    assert quirks.changed(wire, f"{axis.standard.name},-{other}") == quirks.STANDARD


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "extra-key=tier:1",
            (
                "due PLACE.NAME:JSON, say extra-key=chunk.service_tier:null; PLACE is one of chunk, body, choice, "
                "body-choice, delta, message, usage; chunk, choice, delta may be those of one moment, as "
                "choice@finish: first, middle, finish, behind"
            ),
        ),
        ("extra-key=delta.content:null", "content is no further key of delta: other quirks decide it"),
        ("extra-key=chunk.x:{", "behind chunk.x: JSON is due, say null, \"\" or [1]; got '{'"),
        ("fixed-key=message.content:null", "message.content holds what is said, which no quirk takes away"),
        (
            "key-order=tier:a+b",
            (
                "due PLACE:NAME+NAME, say key-order=choice:delta+index; PLACE is one of chunk, body, choice, "
                "body-choice, delta, message, usage, and .NAME leads inside"
            ),
        ),
        ("finish-word=stop:a b", "due WORD:OTHER, say finish-word=stop:eos; OTHER has no white space, comma or quote"),
        (
            "id-form=gen-{digits}",
            (
                "due a text, what is drawn in braces, say id-form=gen-{digits:10}; "
                "allowed: uuid, hex, digits, lower, letters, base64, base64url"
            ),
        ),
        ("model-echo=a b", "due a name, say model-echo=models/{model}; {model} stands for the model that answers"),
    ],
    ids=["place", "own", "json", "said", "order", "word", "id", "model"],
)
def test_a_value_that_is_none_says_what_is_due(name: str, says: str) -> None:
    """The message names the quirk and its form."""
    with pytest.raises(quirks.UnknownQuirkError) as caught:
        quirks.find(name)

    assert str(caught.value) == f"quirk {name!r}: {says}"


def test_commas_inside_a_value_part_no_quirks() -> None:
    """The header's commas stand between quirks, not in an object, a list or a text."""
    value = 'extra-key=chunk.a:{"x":[1,2],"y":"a,\\"b"}'

    assert list(quirks.words(f"no-done, {value},-sse")) == ["no-done", value, "-sse"]


def test_quirk_names_are_unique() -> None:
    """The table is read by name."""
    assert len(quirks.QUIRKS) == sum(len(axis.quirks) for axis in quirks.AXES)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_documented_chips(edition: str) -> None:
    """Seven chip types, in the order of the documents, in both states."""
    assert tuple(load(edition).chips) == CHIPS


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("chip", CHIPS)
def test_who_streams_how(edition: str, chip: str) -> None:
    """2024: chip3 to chip5 stream bare lines without [DONE]; both: object and created only in their last chunk."""
    wire = load(edition).chips[chip].wire
    bare = edition == "2024-tutorial" and chip in ODD
    late = "last" if chip in ODD else "every"

    assert (wire.frame.framing, wire.frame.done) == (("json-lines", False) if bare else ("sse", True))
    assert (wire.shape.object, wire.shape.created) == (late, late)
    assert (wire.shape.id, wire.shape.model, wire.shape.usage) == ("every", "every", "last")


@pytest.mark.parametrize(
    ("edition", "order", "id_form"),
    [("2024-tutorial", "total-second", "chatcmpl-22"), ("2025-reference", "total-last", "hex-32")],
)
def test_what_the_samples_show(edition: str, order: str, id_form: str) -> None:
    """Order of the keys in usage, and the form of ids, on every chip."""
    for chip in load(edition).chips.values():
        assert chip.wire.chunk.usage_order == order
        assert chip.wire.head.id_form == id_form


def test_the_references_catalogue() -> None:
    """The 33 ids of the enumeration of late 2025 are documented; further ones may be served with another claim."""
    documented = {entry.id for entry in load("2025-reference").models.values() if entry.claim == "documented"}
    listed = """
        deepseek-r1-distill-qwen-32b deepseek-r1 deepseek-v3 deepseek-v3.1 deepseek-v3.1-terminus deepseek-v3.2-exp
        glm-4.5 glm-4.6 glm-4.5-air megrez-3b-instruct kimi-k2-instruct qwen3-8b qwen3-14b qwen3-32b qwen3-30b-a3b
        glm-4.5v qwen3-235b-a22b qwen3-235b-a22b-instruct-2507 qwen3-vl-235b-a22b-instruct qwen3-vl-235b-a22b-thinking
        qwen3-coder-480b-a35b-instruct qwen3-next-80b-a3b-instruct qwen3-next-80b-a3b-thinking ernie-4.5-21b-a3b
        ernie-4.5-300b-a47b qwen2.5-7b-instruct qwen2.5-14b-instruct qwen2.5-32b-instruct qwen2.5-72b-instruct
        qwen2.5-vl-7b-instruct qwen2.5-vl-72b-instruct qwq-32b step3"""
    enumerated = listed.split()

    assert len(enumerated) == 33
    assert set(enumerated) <= documented


def test_the_tutorials_models() -> None:
    """The two models of the tutorial's examples."""
    models = load("2024-tutorial").models

    assert {name for name, entry in models.items() if entry.claim == "documented"} >= {
        "mt-infini-3b",
        "qwen1.5-72b-chat",
    }


def test_what_later_papers_name_is_assumed_for_the_tutorial() -> None:
    """Models that first stand in a list of mid 2025 are served, and nobody claims that they were seen in 2024."""
    models = load("2024-tutorial").models

    assert {name for name, entry in models.items() if entry.claim == "assumed"} == {
        "llama-3-infini-8b-instruct",
        "qwen2-7b-instruct",
        "qwen2.5-14b-instruct",
        "qwen2.5-32b-instruct",
    }


def test_the_tutorial_documents_stream() -> None:
    """Both forms of the single turn are printed; no other field but model and messages is."""
    fields_of = load("2024-tutorial").file.request.fields

    assert {name for name, rule in fields_of.items() if rule.claim == "documented"} == {"stream"}


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_catalogued_model_is_served_on_every_chip(edition: str) -> None:
    """Which runs where is not public, so the claim is assumed."""
    shipped_edition = load(edition)

    assert shipped_edition.file.matrix.claim == "assumed"
    assert set(shipped_edition.catalogue.values()) == {frozenset(CHIPS)}


@pytest.mark.parametrize(
    ("edition", "model", "required", "stop"),
    [
        ("2024-tutorial", "path", False, "string-or-strings"),
        ("2025-reference", "body", True, "strings"),
    ],
)
def test_the_documented_rules_of_the_body(edition: str, model: str, required: bool, stop: str) -> None:
    """Ranges of the reference; which model answers; whether stop may be a string."""
    rules = load(edition).file.request
    ranges: dict[str, object] = {name: (rule.minimum, rule.maximum) for name, rule in rules.fields.items()}

    assert rules.model == model
    assert rules.model_required == required
    assert rules.fields["stop"].type == stop
    assert ranges["temperature"] == (0, 2)
    assert ranges["top_p"] == (0, 1)
    assert ranges["n"] == (1, 1)
    assert ranges["max_tokens"] == (1, None)
    assert ranges["presence_penalty"] == ranges["frequency_penalty"] == (-2, 2)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_two_public_error_codes(edition: str) -> None:
    """60000 and 10009, with their words, are the only codes that were ever seen."""
    errors = load(edition).file.errors

    for kind in ("missing-key", "malformed-key"):
        assert (errors[kind].status, errors[kind].code, errors[kind].message) == (
            401,
            60000,
            "Wrong Bearer Token or Token is nil",
        )
    assert (errors["wrong-key"].status, errors["wrong-key"].code, errors["wrong-key"].message) == (
        401,
        10009,
        "请使用正确的api key进行请求",
    )
    assert {kind for kind, row in errors.items() if row.claim != "assumed"} == {
        "missing-key",
        "malformed-key",
        "wrong-key",
    }
    assert {row.status for row in errors.values()} == {400, 401, 402, 404, 405, 408, 413, 429, 431, 500, 503}


# --- files that people write --------------------------------------------------------------------------------------

LATENCY = '\n[latency]\nfirst_token_ms = 1\ninter_token_ms = 1\nclaim = "assumed"\nsource = "test"\n'


def chip_file(root: Path, text: str, name: str = "chip3", edition: str = "2024-tutorial") -> Path:
    """Write one chip's file into a root of the operator's own."""
    path = root / edition / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def quirk(name: str, **more: str) -> str:
    """One quirk of a chip file, as text."""
    rows = {"name": name, "claim": "observed", "source": "test", **more}
    return "[[quirks]]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())


def test_one_chips_file_overlays_the_shipped_edition(tmp_path: Path) -> None:
    """A root with a single chip's file changes that chip alone."""
    chip_file(tmp_path, 'summary = "ours"\n' + quirk("bom") + LATENCY)

    edition = load_edition("2024-tutorial", [tmp_path, SHIPPED])

    assert edition.chips["chip3"].summary == "ours"
    assert edition.chips["chip3"].wire.frame.bom
    assert edition.chips["chip3"].wire.frame.framing == "sse"
    assert edition.chips["chip4"] == load("2024-tutorial").chips["chip4"]


def test_a_further_file_is_a_further_chip(tmp_path: Path) -> None:
    """It comes after the documented ones and serves every model."""
    chip_file(tmp_path, 'summary = "new"\n' + LATENCY, "chip6")

    edition = load_edition("2024-tutorial", [tmp_path, SHIPPED])

    assert list(edition.chips) == [*CHIPS, "chip6"]
    assert "chip6" in edition.catalogue["mt-infini-3b"]


def test_a_further_model_is_served_on_every_chip() -> None:
    """A model that `--model` names is served on every chip."""
    edition = load_edition("2024-tutorial", [SHIPPED], extra_models=["my-model"])

    assert edition.catalogue["my-model"] == frozenset(CHIPS)
    assert edition.models["my-model"].source == "added by the operator"


WRONG_CHIPS: dict[str, tuple[str, str]] = {
    "unknown-key": ('summary = "x"\nlatencies = 1' + LATENCY, "latencies: unknown key; did you mean latency?"),
    "unknown-key-inside": (
        'summary = "x"' + LATENCY + "jiter = 0\n",
        "latency.jiter: unknown key; did you mean jitter?",
    ),
    "unknown-key-in-a-quirk": (
        'summary = "x"\n' + quirk("bom", sauce="x") + LATENCY,
        "quirks[0].sauce: unknown key; did you mean source?",
    ),
    "unknown-quirk": (
        'summary = "x"\n' + quirk("no-dome") + LATENCY,
        "quirks[0].name: unknown quirk 'no-dome'; did you mean no-done, no-bom, no-comments?",
    ),
    "quirks-of-one-axis": (
        'summary = "x"\n' + quirk("lf") + quirk("crlf") + LATENCY,
        "quirks: lf and crlf exclude each other",
    ),
    "the-same-quirk-twice": ('summary = "x"\n' + quirk("lf") + quirk("lf") + LATENCY, "quirks: lf stands there twice"),
    "no-source": (
        'summary = "x"\n' + quirk("bom", source="") + LATENCY,
        "quirks[0].source: '' is not allowed; allowed: at least 1 character",
    ),
    "wrong-claim": (
        'summary = "x"\n' + quirk("bom", claim="guessed") + LATENCY,
        "quirks[0].claim: 'guessed' is not allowed; allowed: 'documented', 'observed' or 'assumed'",
    ),
    "missing": ('summary = "x"\n', "latency: missing"),
    "no list": ('summary = "x"\nquirks = 1' + LATENCY, "quirks: 1 is not allowed; allowed: a list"),
    "no table": ('summary = "x"\nlatency = 1', "latency: 1 is not allowed; allowed: a table"),
    "infinite": (
        'summary = "x"' + LATENCY.replace("= 1", "= inf", 1),
        "latency.first_token_ms: inf is not allowed; allowed: a finite number",
    ),
    "negative": (
        'summary = "x"' + LATENCY.replace("= 1", "= -1", 1),
        "latency.first_token_ms: -1 is not allowed; allowed: greater than or equal to 0",
    ),
    "not-toml": ("summary = x", "not TOML: Invalid value (at line 1, column 11)"),
    "nested-too-deeply": ("a = " + "[" * 5000, "not TOML: nested too deeply"),
}


@pytest.fixture(params=["ours", "shipped"])
def whose(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the files below `tmp_path` are the operator's own, or those of an installation that somebody edits."""
    if request.param == "shipped":
        monkeypatch.setattr("mockserver.profile.edition.shipped", lambda _: tmp_path)


@pytest.mark.usefixtures("whose")
@pytest.mark.parametrize("case", WRONG_CHIPS)
def test_a_wrong_chip_file_is_one_line(tmp_path: Path, case: str) -> None:
    """A mistake in a chip's file is one line: file, key, what was seen, what is allowed."""
    text, message = WRONG_CHIPS[case]
    path = chip_file(tmp_path, text)

    with pytest.raises(OperatorError) as caught:
        load_edition("2024-tutorial", [tmp_path, SHIPPED])

    assert str(caught.value) == f"{path}: {message}"


def edited(root: Path, *changes: tuple[str, str]) -> Path:
    """The shipped tutorial edition, edited, in a root of the operator's own."""
    text = (SHIPPED / "2024-tutorial" / "edition.toml").read_text("utf-8")
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return chip_file(root, text, "edition")


WRONG_EDITIONS: dict[str, tuple[tuple[str, str], str]] = {
    "unknown-chip-of-a-model": (
        ('id = "mt-infini-3b"\n', 'id = "mt-infini-3b"\nchips = ["nvidia", "chip9"]\n'),
        "models: mt-infini-3b: chip 'chip9' is not one of nvidia, amd, chip1, chip2, chip3, chip4, chip5",
    ),
    "unknown-error-row": (
        ("[errors.rate-limited]\n", "[errors.no-match-at-all]\n"),
        "errors: unknown kind 'no-match-at-all'; did you mean no-match?",
    ),
    "model-twice": (('id = "qwen1.5-72b-chat"', 'id = "mt-infini-3b"'), "models: mt-infini-3b stands there twice"),
    "model-in-capitals": (
        ('id = "mt-infini-3b"', 'id = "MT"'),
        "models[0].id: 'MT' is not allowed; allowed: String should match pattern '^[a-z0-9][a-z0-9._-]*$'",
    ),
    "quirks-of-one-axis": (
        ('name = "usage-total-second"', 'name = "blocked-merged"'),
        "quirks: blocked-merged and blocked-own exclude each other",
    ),
    "type-that-no-header-can-say": (
        ("[moderation]", '[responses]\nbody_type = "应用"\n[moderation]'),
        "responses.body_type: '应用' is not allowed; allowed: characters of Latin-1 on one line",
    ),
    "header-with-a-blank": (
        ("[moderation]", '[responses.headers]\n"x a" = "b"\n[moderation]'),
        "responses.headers.x a: 'x a' is no name of a header; allowed: letters, digits and dashes",
    ),
    "header-of-two-lines": (
        ("[moderation]", '[responses.headers]\nx-a = "a\\r\\nb"\n[moderation]'),
        "responses.headers.x-a: 'a\\r\\nb' is not allowed; allowed: characters of Latin-1 on one line",
    ),
    "type-of-an-error": (
        ("[errors.missing-key]", '[errors.missing-key]\ncontent_type = "a\\n"'),
        "errors.missing-key.content_type: 'a\\n' is not allowed; allowed: characters of Latin-1 on one line",
    ),
    "length-of-an-error": (
        ("[errors.missing-key]", '[errors.missing-key]\nheaders = {content-length = "1"}'),
        (
            "errors.missing-key.headers.content-length: content-length says where the body ends, which is the "
            "server's to say; the faults cut and limit_data lie"
        ),
    ),
    "rule-type": (
        ('type = "boolean"', 'type = "bool"'),
        (
            "request.fields.stream.type: 'bool' is not allowed; allowed: 'number', 'integer', 'boolean', 'string', "
            "'strings', 'string-or-strings', 'array', 'object' or 'any'"
        ),
    ),
    "rule-key": (
        ('type = "boolean"', 'type = "boolean"\nmin = 1'),
        "request.fields.stream.min: unknown key; did you mean minimum?",
    ),
}


@pytest.mark.usefixtures("whose")
@pytest.mark.parametrize("case", WRONG_EDITIONS)
def test_a_wrong_edition_file_is_one_line(tmp_path: Path, case: str) -> None:
    """A mistake in an edition's file is one line: file, key, what was seen, what is allowed."""
    change, message = WRONG_EDITIONS[case]
    path = edited(tmp_path, change)

    with pytest.raises(OperatorError) as caught:
        load_edition("2024-tutorial", [tmp_path, SHIPPED])

    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.usefixtures("whose")
def test_a_missing_error_row_is_named(tmp_path: Path) -> None:
    """Every kind of refusal has a row, so that none can fail for want of one."""
    text = (SHIPPED / "2024-tutorial" / "edition.toml").read_text("utf-8")
    start = text.index("[errors.rate-limited]")
    end = text.index("[errors.", start + 1)
    path = chip_file(tmp_path, text[:start] + text[end:], "edition")

    with pytest.raises(OperatorError) as caught:
        load_edition("2024-tutorial", [tmp_path, SHIPPED])

    assert str(caught.value) == f"{path}: errors: no row for rate-limited"


def test_a_pattern_outside_of_the_syntax_is_one_line(tmp_path: Path) -> None:
    """What takes more than linear time is not in the syntax; the message says so."""
    edited(tmp_path, ("[moderation]\n", '[moderation]\noutput_patterns = ["(?=x)"]\n'))
    edition = load_edition("2024-tutorial", [tmp_path, SHIPPED])

    with pytest.raises(OperatorError) as caught:
        edition.file.moderation.rules("edition.toml: moderation")

    assert str(caught.value) == (
        "edition.toml: moderation: output_patterns: '(?=x)' is not a regular expression in RE2's syntax: "
        "look-around, including look-ahead and look-behind, is not supported (no look-around, no back-references)"
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [("2024-tutorail", "did you mean 2024-tutorial?"), ("x", "known: 2024-tutorial, 2025-reference, field, openai")],
)
def test_an_unknown_edition_is_told_the_known_ones(name: str, near: str) -> None:
    """The message names the roots that were searched."""
    with pytest.raises(OperatorError) as caught:
        load_edition(name, [SHIPPED])

    assert str(caught.value) == f"edition: '{name}' is not in {SHIPPED}; {near}"


def test_a_missing_chip_file_is_named(tmp_path: Path) -> None:
    """An edition of one's own needs a file for each chip that it lists."""
    edited(tmp_path)

    with pytest.raises(OperatorError) as caught:
        load_edition("2024-tutorial", [tmp_path])

    assert str(caught.value) == f"{tmp_path / '2024-tutorial' / 'nvidia.toml'}: no such file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("bom", ("bom",)),
        ("+bom,-sse", ("json-lines", "bom")),
        ("json-lines,sse", ()),
        ("-bom", ()),
        (" , ,bom ,", ("bom",)),
    ],
)
def test_changes_are_read_left_to_right(text: str, expected: tuple[Any, ...]) -> None:
    """`+` or nothing sets a quirk, `-` goes back to the standard; of one axis the last counts."""
    assert tuple(one.name for one in quirks.deviations(quirks.changed(quirks.STANDARD, text))) == expected


@pytest.mark.parametrize("word", ["+-bom", "--bom", "+", "-", "bom+"])
def test_a_malformed_change_is_refused(word: str) -> None:
    """One sign, then a name."""
    with pytest.raises(quirks.UnknownQuirkError):
        quirks.changed(quirks.STANDARD, word)
