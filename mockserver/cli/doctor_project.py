"""What `doctor` sees of the installation and of a project: versions, extras, fixtures that never match."""

from __future__ import annotations

import re
import time
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any, Final

from mockserver import __version__
from mockserver.cli.doctor_messages import say
from mockserver.cli.doctor_network import asked
from mockserver.core.extras import EXTRAS, to_install

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.cli.doctor_messages import Said
    from mockserver.cli.doctor_network import Running
    from mockserver.settings.config import Config
    from mockserver.sources.fixtures import Fixtures

_NEED: Final = re.compile(r"([\w-]+)(?:\[.*?\])?>=([\d.]+)(.*)")
MOST_SHOWN: Final = 8
"""Fixtures that are named one by one: it is one screen."""


def packages() -> Iterator[Said]:
    """Whether what the mock stands on is there, and new enough."""
    try:
        needs = [one for one in requires("genstudio-mock") or () if "extra ==" not in one]
    except PackageNotFoundError:  # it runs from its folder, and nobody says what it needs
        return
    good = []
    for need, (name, least, marker) in ((one, found.groups()) for one in needs if (found := _NEED.match(one))):
        short = need.partition(";")[0].strip()
        have = _version(name)
        if have and _numbers(have) >= _numbers(least):
            good.append(f"{name} {have}")
        elif have:
            yield say("wrong", "packages", "package-old", name=name, version=have, least=least, needs=short)
        elif not marker.strip():  # with a condition it may not be meant for this system
            yield say("wrong", "packages", "package-missing", name=name, needs=short)
    yield say("ok", "packages", "packages", version=__version__, packages=", ".join(good))
    yield from _uvicorn()


def _uvicorn() -> Iterator[Said]:
    try:
        from mockserver.server.uvicorn_fit import KNOWN, connection_class
    except ImportError:
        return
    if connection_class() is None:
        yield say("wrong", "packages", "uvicorn-unfit", version=_version("uvicorn"), known=KNOWN.rpartition(" ")[2])


def extras() -> Iterator[Said]:
    """Which extras are there; none of them is needed."""
    missing = {name: [one for one in needs if not _version(one.partition(">")[0])] for name, needs in EXTRAS.items()}
    lacking = {name: needs for name, needs in missing.items() if needs}
    for name, needs in lacking.items():
        yield say("note", "extras", "extra-missing", name=name, packages=", ".join(needs), install=to_install(name))
    if not lacking:
        yield say("ok", "extras", "extras", names=", ".join(EXTRAS))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", text)[:3])


def fixtures(config: Config, mock: Running | None) -> Iterator[Said]:
    """Which of the operator's fixtures cannot match, and which have not matched the mock that runs."""
    from mockserver.sources.fixtures import Fixtures

    if not config.fixtures:
        yield say("ok", "fixtures", "fixtures-none")
        return
    read = Fixtures(config.fixtures)
    told = read.refresh(time.time())
    broken = list(read.broken.values())
    yield from _some([say("wrong", "fixtures", "fixture-broken", error=one) for one in broken])
    hidden = dict(_hidden(read))
    yield from _some(
        [say("wrong", "fixtures", "fixture-hidden", path=one, other=other) for one, other in hidden.items()]
    )
    yield from _some([say("note", "fixtures", "fixture-broken", error=one) for one in told if one not in broken])
    names = [one.name for one in read if one.name not in hidden]
    requests, used = (0, set[str]()) if mock is None else _used(mock, config)
    if mock is None or not requests:
        yield say("ok", "fixtures", "fixtures-unasked", total=len(names))
        return
    unused = [one for one in names if one not in used]
    yield say("ok", "fixtures", "fixtures-used", used=len(names) - len(unused), total=len(names))
    yield from _some(
        [say("note", "fixtures", "fixture-unused", path=one, requests=requests, url=mock.url) for one in unused]
    )


def _hidden(read: Fixtures) -> Iterator[tuple[str, str]]:
    """Fixtures that ask what one before them asks, so that nothing is left for them; each with that one."""
    first: dict[Any, str] = {}
    for one in read:
        same = (one.model, one.chip, repr(one.file.match))
        if same in first and not _ends(read, first[same]):
            yield one.name, first[same]
        first.setdefault(same, one.name)


def _ends(read: Fixtures, name: str) -> bool:
    """Whether a fixture expires, so that another one has its turn one day."""
    return any(one.file.expires is not None for one in read if one.name == name)


def _used(mock: Running, config: Config) -> tuple[int, set[str]]:
    """How many requests a mock remembers, and the names of the fixtures that answered some."""
    token = {"X-Mock-Token": config.control_token} if config.control_token else {}
    requests, used = 0, set()
    for namespace in _rows(mock, "/_mock/namespaces", token):
        for one in _rows(mock, "/_mock/exchanges", {**token, "X-Mock-Namespace": str(namespace.get("name"))}):
            requests += 1
            kind, _, name = str(one.get("source")).partition(":")
            if kind == "fixture":
                used.add(name)
    return requests, used


def _rows(mock: Running, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    try:
        _, found = asked(mock.host, mock.port, path, headers)
    except OSError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _some(said: Sequence[Said]) -> Iterator[Said]:
    """The first of some lines, and how many more there are."""
    yield from said[:MOST_SHOWN]
    if len(said) > MOST_SHOWN:
        yield say(said[0].weight, said[0].about, "fixtures-more", count=len(said) - MOST_SHOWN)
