"""The settings as keywords of a program: `MockServer(seed=1)`, `asgi_app(strict=True)`.

Type checkers want keywords written down, so they stand here beside the table, and a test holds them to it: each
setting of the table is a keyword of the type that its row takes, or `SERVE_ALONE` says why it is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from mockserver.core.errors import OperatorError, suggestion
from mockserver.settings.config import SETTINGS, Config
from mockserver.settings.private import private
from mockserver.settings.value_kinds import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.pipeline.pace import PaceSettings
    from mockserver.profile.edition_file import Moderation


class AppKeywords(TypedDict, total=False):
    """Settings of a mock without a socket; docs/settings.md tells of each."""

    edition: str
    profiles: Sequence[Path | str]
    fixtures: Sequence[Path | str]
    model: Sequence[str]
    strict: bool
    strict_requests: bool
    match_on: Sequence[str]
    pace: str | PaceSettings
    replay: Literal["exact", "regenerate"]
    speed: float
    seed: int
    answer_tokens: str
    clock: Literal["fixed", "real"]
    api_key: Sequence[str]
    moderation: Mapping[str, Any] | Moderation
    control: bool
    ui: bool
    metrics: bool
    control_token: str


class Keywords(AppKeywords, total=False):
    """Settings of a mock that listens; docs/settings.md tells of each."""

    host: str
    port: int
    tls: Literal["off", "self-signed"]
    tls_ca: Path | str
    tls_name: Sequence[str]
    tls_cert: Path | str
    tls_key: Path | str
    grace_seconds: float
    state: str
    state_ttl: float


SERVE_ALONE: Final[Mapping[str, str]] = {
    "uds": "a mock inside a program is reached at its host and port",
    "workers": "a mock inside a program is that one process",
    "port_file": "a program has the port in its mock's url",
    "log_format": "a program's log is its own; a session tells what the mock saw",
    "log_level": "a program's log is its own; a session tells what the mock saw",
}
"""Settings that only `genstudio-mock serve` has, and why a program has no use for them."""


def config_of(
    given: Mapping[str, object], base: Config | None = None, known: frozenset[str] = Keywords.__optional_keys__
) -> Config:
    """A configuration from keywords: no file and no variable counts.

    Args:
        given: The settings by name; text stands for any value, as it does for a flag.
        base: What the others are; None takes the defaults of a private mock: a free port, no grace time.
        known: The keywords that are taken.

    Raises:
        OperatorError: a setting is unknown, has no meaning there, or its value is not allowed.
    """
    values = {}
    for name, value in given.items():
        if name not in known:
            raise OperatorError(f"{name}: {_why_not(name, known)}")
        row = SETTINGS[name]
        many = row.many and isinstance(value, Iterable) and not isinstance(value, str)
        plain: Any = [_text(one) for one in value] if many else _text(value)  # type: ignore[attr-defined]
        values[name] = row.read(plain, Place(name, Path()), text=isinstance(plain, str))
    return replace(private(Config()) if base is None else base, **values)


def _why_not(name: str, known: frozenset[str]) -> str:
    if name in SERVE_ALONE:
        return f"only genstudio-mock serve has this setting; {SERVE_ALONE[name]}"
    if name in Keywords.__optional_keys__:
        return "only a mock that listens has this setting; MockServer makes one"
    return f"unknown setting; {suggestion(name, [one for one in SETTINGS if one in known])}"


def _text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
