"""What `doctor` says, in one table: a sentence about what was seen, and behind `→` what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mockserver.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGES: Final[dict[str, str]] = {
    "python": "Python {version} on {system}",
    "packages": "genstudio-mock {version} with {packages}",
    "package-missing": "{name} is not installed → pip install '{needs}'",
    "package-old": "{name} {version} is older than {least} → pip install '{needs}'",
    "uvicorn-unfit": "uvicorn {version} is not as our connection needs it: no faults of network writes → pip install "
    "'uvicorn<={known}'",
    "extras": "all extras are there: {names}",
    "extra-missing": "extra {name} is not installed: {packages} → {install}",
    "configuration": "settings from {origins}",
    "configuration-default": "no settings but the defaults",
    "configuration-wrong": "{error}",
    "port-free": "{host}:{port} is free",
    "port-any": "--port 0 takes a free port",
    "port-mock": "genstudio-mock {version} answers at {url}, edition {edition}",
    "port-taken": "{host}:{port} is taken by {by} → end it, or --port 0 takes a free one",
    "port-refused": "{host}:{port} cannot be had: {error} → another --host or --port",
    "by-unknown": "a program that cannot be named from here",
    "by-http": "{by}, which answers HTTP as {server}",
    "proxy-none": "no proxy is set, or it is passed by for {host}",
    "proxy": "{variables} is set, so clients ask the proxy for {host} → export NO_PROXY={rules} no_proxy={rules}",
    "localhost": "localhost is {addresses}",
    "localhost-ipv6": "localhost is {first} first, where the mock does not listen → write {host} in base URLs",
    "localhost-other": "another program listens at [::1]:{port}, which clients reach that say localhost → write {host} "
    "in base URLs",
    "localhost-none": "localhost does not lead to {host} (it is {addresses}) → write {host} in base URLs",
    "port-file-live": "{path} names port {port}, where somebody answers",
    "port-file-stale": "{path} names port {port}, where nobody answers: it is of an earlier run → rm {path}",
    "port-file-wrong": "{path} holds no port: {held!r} → rm {path}",
    "fixtures-none": "no fixtures of your own are configured → --fixtures DIR",
    "fixtures-used": "{used} of {total} fixtures have answered the mock that runs",
    "fixtures-unasked": "{total} can match; a mock that runs here and was asked could tell which of them do",
    "fixture-broken": "{error}",
    "fixture-hidden": "{path} never matches: {other} asks the same and comes first → remove one, or give it a priority",
    "fixtures-more": "… and {count} more",
    "fixture-unused": "{path} has answered none of {requests} requests → see what they asked: {url}/_mock/ui/",
    "clients-none": "no variables of clients are set; genstudio-mock run sets them for a command",
    "clients": "{names} lead to {url}",
    "client-elsewhere": "{name}={url} does not lead to {host}:{port} → unset it, or genstudio-mock run -- COMMAND",
    "client-dead": "{name}={url}: nobody answers there → start genstudio-mock serve, or unset it",
    "client-path": "{name}={url} has no path of a chip, so {chat} below it is a 404 → {suggestion}",
    "client-wrong": "{name}={url} is no address → {suggestion}",
    "client-key": "{name} is set and OPENAI_API_KEY is not, without which SDKs do not start → export "
    "OPENAI_API_KEY=any-key",
    "summary-good": "nothing stands in the way",
    "summary-bad": "{wrong} in the way",
}

Weight = Literal["ok", "note", "wrong"]
STYLES: Final[Mapping[Weight, str]] = {"ok": "green", "note": "yellow", "wrong": "red"}


@dataclass(frozen=True, slots=True)
class Said:
    """One line.

    Attributes:
        weight: `wrong` is in the way; a `note` may be.
        about: What was looked at, in a word.
        message: Its key in the table of messages.
        values: What the message names.
    """

    weight: Weight
    about: str
    message: str
    values: Mapping[str, object]

    @property
    def text(self) -> str:
        """The sentence, in English, as programs get it."""
        return self.told("en")

    def told(self, language: str) -> str:
        """The sentence in a language: `en` or `zh`."""
        return printable(in_language(self.message, language).format(**self.values))


def in_language(message: str, language: str) -> str:
    """A message's sentence in a language, with the names of its values in braces."""
    if language == "zh":
        from mockserver.cli.doctor_chinese import CHINESE

        return CHINESE[message]
    return MESSAGES[message]


def say(weight: Weight, about: str, message: str, **values: object) -> Said:
    """A line about something."""
    return Said(weight, about, message, values)
