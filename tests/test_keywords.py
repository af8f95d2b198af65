"""The settings as keywords of `MockServer` and `asgi_app`: held to the table, and each of them acts or is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import httpx
import pytest

from mockserver.core.errors import OperatorError
from mockserver.pipeline.pace import PaceSettings
from mockserver.profile.edition_file import Moderation
from mockserver.settings.config import SETTINGS, Config
from mockserver.settings.keywords import SERVE_ALONE, AppKeywords, Keywords, config_of
from mockserver.settings.private import private
from mockserver.testing.mock_server import MockServer, asgi_app

NAMES = {
    "Path": Path, "Sequence": Sequence, "Mapping": Mapping, "PaceSettings": PaceSettings, "Moderation": Moderation
}  # fmt: skip
IN_TABLE = get_type_hints(Config, localns=NAMES)
KEYWORDS = get_type_hints(Keywords, localns=NAMES)


def test_every_setting_is_a_keyword_or_says_why_not() -> None:
    """A new row of the table is one here too."""
    lacking = set(SETTINGS) - set(KEYWORDS) - set(SERVE_ALONE)

    assert not lacking, (
        f"settings/keywords.py lacks {', '.join(sorted(lacking))}: add it with its type to AppKeywords, or to Keywords "
        "where only a mock that listens has it, or to SERVE_ALONE with the reason why a program has no use for it"
    )
    assert not set(KEYWORDS) & set(SERVE_ALONE)
    assert not {*KEYWORDS, *SERVE_ALONE} - set(SETTINGS), "settings/keywords.py names what is no setting"


def taken(hint: Any) -> Any:
    """What a program may give for a value of the table: paths and figures also as text, a table as one of TOML's."""
    if hint is Path:
        return Path | str
    if hint is Moderation:
        return Mapping[str, Any] | Moderation
    if get_origin(hint) is tuple:
        return GenericAlias(Sequence, (taken(get_args(hint)[0]),))
    if get_origin(hint) in {Union, UnionType}:
        given = [one for one in get_args(hint) if one is not type(None)]
        if len(given) == 1:
            return taken(given[0])
        return reduce(or_, (str if get_origin(one) is Literal else one for one in given))
    return hint


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_takes_what_its_row_takes(name: str) -> None:
    """The type that a checker sees follows from the table's."""
    expected = taken(IN_TABLE[name])

    assert KEYWORDS[name] == expected, f"settings/keywords.py: give {name} the type {expected}"


FOLDER = Path(__file__).parent
GIVEN: dict[str, list[tuple[Any, Any]]] = {
    "host": [("::1", "::1")],
    "port": [(0, 0), ("8000", 8000)],
    "tls": [("self-signed", "self-signed")],
    "tls_ca": [(FOLDER, FOLDER), (str(FOLDER), FOLDER)],
    "tls_name": [(["a", "b"], ("a", "b"))],
    "tls_cert": [(FOLDER, FOLDER), (str(FOLDER), FOLDER)],
    "tls_key": [(FOLDER, FOLDER), (str(FOLDER), FOLDER)],
    "edition": [("2025-reference", "2025-reference")],
    "profiles": [([FOLDER], (FOLDER,)), ([str(FOLDER)], (FOLDER,))],
    "fixtures": [((FOLDER, str(FOLDER)), (FOLDER, FOLDER))],
    "model": [(["a", "b"], ("a", "b"))],
    "strict": [(True, True)],
    "strict_requests": [(True, True)],
    "match_on": [(["dialogue", "tools"], ("dialogue", "tools")), ("tools,headers:X-A", ("tools", "headers:x-a"))],
    "pace": [
        ("profile", "profile"),
        ("first_token_ms=5,jitter=1", PaceSettings(5, 0, 1)),
        (PaceSettings(5), PaceSettings(5)),
    ],
    "replay": [("regenerate", "regenerate")],
    "speed": [(10, 10.0), (0.5, 0.5)],
    "seed": [(7, 7)],
    "answer_tokens": [("100-200", "100-200"), ("64", "64")],
    "clock": [("real", "real")],
    "api_key": [(["sk-a"], ("sk-a",))],
    "moderation": [
        ({"input_words": ["x"]}, Moderation(input_words=("x",))),
        (Moderation(after_pieces=2), Moderation(after_pieces=2)),
    ],
    "control": [(False, False)],
    "metrics": [(True, True)],
    "ui": [(False, False)],
    "control_token": [("token", "token")],
    "grace_seconds": [(1, 1.0)],
    "state": [("redis://localhost:6379/1", "redis://localhost:6379/1")],
    "state_ttl": [(60, 60.0)],
}
"""What a program gives, and the value in the configuration that it becomes."""


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_becomes_its_setting(name: str) -> None:
    """Text and values are read as the table says; the other settings stay."""
    assert name in GIVEN, f"add {name} to the table of this test"
    for given, value in GIVEN[name]:
        assert config_of({name: given}) == replace(private(Config()), **{name: value})


def test_without_keywords_it_is_a_private_mock() -> None:
    """A whole configuration is taken as it is; keywords count before it."""
    whole = Config(seed=3, strict=True)

    assert config_of({}) == private(Config())
    assert config_of({}, whole) == whole
    assert config_of({"seed": 4}, whole) == Config(seed=4, strict=True)


PACES = SETTINGS["pace"].kind.allowed
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"seeds": 1}, "seeds: unknown setting; did you mean seed, speed?"),
    ({"fixtures": Path("a")}, "fixtures: 'a' is not allowed; allowed: a list"),
    ({"api_key": "sk-a"}, "api_key: this value is not allowed; allowed: a list"),
    ({"pace": PaceSettings(jitter=2)}, f"pace: {PaceSettings(jitter=2)!r} is not allowed; allowed: {PACES}"),
    ({"pace": PaceSettings(-1)}, f"pace: {PaceSettings(-1)!r} is not allowed; allowed: {PACES}"),
    ({"replay": "anew"}, "replay: 'anew' is not allowed; allowed: exact, regenerate"),
    ({"moderation": "x"}, "moderation: 'x' is not allowed; allowed: a table"),
    ({"moderation": {"words": []}}, "moderation: words: unknown key; did you mean input_words, output_words?"),
    *(
        ({name: "x"}, f"{name}: only genstudio-mock serve has this setting; {reason}")
        for name, reason in SERVE_ALONE.items()
    ),
]


@pytest.mark.parametrize(("settings", "text"), WRONG, ids=[next(iter(settings)) for settings, _ in WRONG])
def test_what_a_program_may_not_give(settings: dict[str, Any], text: str) -> None:
    """One line that names the keyword, and why a setting of `serve` is none."""
    for door in (MockServer, asgi_app):
        with pytest.raises(OperatorError) as caught:
            door(**settings)
        assert str(caught.value) == text


@pytest.mark.parametrize(
    ("door", "keywords"), [(MockServer, Keywords), (asgi_app, AppKeywords)], ids=["MockServer", "asgi_app"]
)
def test_an_unknown_keyword_is_told_those_that_are_known(door: Any, keywords: Any) -> None:
    """Where none is near, all are named in the order of the table."""
    with pytest.raises(OperatorError) as caught:
        door(xyz=1)

    known = ", ".join(name for name in SETTINGS if name in keywords.__optional_keys__)
    assert str(caught.value) == f"xyz: unknown setting; known: {known}"


@pytest.mark.parametrize("name", sorted(Keywords.__optional_keys__ - AppKeywords.__optional_keys__))
def test_what_needs_a_socket_is_refused_without_one(name: str) -> None:
    """An application does not listen; a keyword that could not act is no keyword of it."""
    with pytest.raises(OperatorError) as caught:
        asgi_app(**{name: GIVEN[name][0][0]})

    assert str(caught.value) == f"{name}: only a mock that listens has this setting; MockServer makes one"


def asked(headers: dict[str, str], **settings: Any) -> list[int]:
    """Status of a control request to an application, and of its health."""

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(asgi_app(**settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            return [(await client.get(path)).status_code for path in ("/_mock/exchanges", "/_mock/health")]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("settings", "headers", "statuses"),
    [
        ({}, {}, [200, 200]),
        ({"control": False}, {}, [404, 200]),
        ({"control_token": "t"}, {}, [401, 200]),
        ({"control_token": "t"}, {"X-Mock-Token": "t"}, [200, 200]),
        ({"config": Config(control=False)}, {}, [404, 200]),
    ],
    ids=["open", "no control API", "no token", "token", "configuration"],
)
def test_the_control_api_of_an_application(
    settings: dict[str, Any], headers: dict[str, str], statuses: list[int]
) -> None:
    """`control` and `control_token` act without a socket too."""
    assert asked(headers, **settings) == statuses


@pytest.mark.parametrize(
    ("settings", "headers", "statuses"),
    [
        ({"control": False}, {}, [404, 200]),
        ({"control_token": "t"}, {}, [401, 200]),
        ({"control_token": "t"}, {"X-Mock-Token": "t"}, [200, 200]),
    ],
    ids=["no control API", "no token", "token"],
)
def test_the_control_api_of_a_mock_in_a_thread(
    settings: dict[str, Any], headers: dict[str, str], statuses: list[int]
) -> None:
    """`control` and `control_token` act on the socket of a mock in a thread."""
    with MockServer(**settings) as mock:
        paths = [f"{mock.url}/_mock/exchanges", f"{mock.url}/_mock/health"]
        assert [httpx.get(path, headers=headers, trust_env=False).status_code for path in paths] == statuses
