"""Whether a state can be used, asked before anything is served: what is wrong with it is one line at the start."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.core.web_address import without_password
from mockserver.server.state import scripts

if TYPE_CHECKING:
    from mockserver.profile.edition import Edition

log = logging.getLogger("mockserver")

LAYOUT: Final = 1
"""The number of what the keys hold; another one wants keys of its own."""
PREFIX: Final = f"{scripts.NAME}:{LAYOUT}:"
"""What all keys begin with, but for `scripts.SERVED`."""
ANSWER_S: Final = 2.0
"""How long Redis may take for an answer."""


def check(url: str, served: bytes) -> None:
    """Ask for all that will be needed.

    Args:
        url: Of the server.
        served: What `served_by` gives.

    Raises:
        OperatorError: the client is not installed; there is no such server; it refuses what is needed; or mocks that
            serve otherwise use it.
    """
    shown = f"--state {without_password(url)}"
    try:
        import redis
    except ImportError:
        raise OperatorError(f"{shown}: redis is not installed: {to_install('redis')}") from None
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S) as client:
            client.ping()
            client.register_script(scripts.PROBE)(keys=(), args=(PREFIX,))
            with client.pubsub() as listening:
                listening.subscribe(f"{PREFIX}bus")
                listening.get_message(timeout=ANSWER_S)
            theirs = client.get(scripts.SERVED)
            evicting = _evicting(client)
    except (redis.RedisError, OSError, ValueError, TypeError) as error:
        raise OperatorError(f"{shown}: {said(error)}; {_advice(error)}") from None
    if isinstance(theirs, bytes) and theirs != served:
        raise OperatorError(
            f"{shown}: {differing(theirs, served)}; start them alike, or name another number at the URL's end (a mock "
            "that was killed counts for 2 seconds)"
        )
    if evicting:
        log.warning(
            "%s: its maxmemory-policy %s drops keys where memory is short, and with them what tests set up; noeviction "
            "refuses instead", shown, evicting,
        )  # fmt: skip


def served_by(edition: Edition, seed: int) -> bytes:
    """What all that share a state have to have in common; the same bytes where it is the same."""
    made = {"layout": LAYOUT, "edition": edition.name, "seed": seed, "models": sorted(edition.models)}
    return json.dumps(made, separators=(",", ":")).encode()


def differing(theirs: bytes, ours: bytes) -> str:
    """The first thing in which those that use a state differ from this process, with both values."""
    there, here = _facts(theirs), _facts(ours)
    name = next((one for one in here if there.get(one) != here[one]), "layout")
    if name == "models":
        others, own = set(there.get(name) or ()), set(here[name])
        values = f"there alone {_names(others - own)}, here alone {_names(own - others)}"
    else:
        values = f"there {there.get(name)}, here {here[name]}"
    label = "layout of its keys" if name == "layout" else name
    return f"mocks that use it serve otherwise: {label}: {values}"


def said(error: BaseException) -> str:
    """What went wrong, on one line, without the place in a script."""
    text = re.sub(r" script: [0-9a-f]{40}, on @user_script:\d+\.", "", " ".join(f"{error}".split()))
    return text.rstrip(".") or type(error).__name__


def _facts(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _names(models: set[Any]) -> str:
    return ", ".join(sorted(map(str, models))) or "none"


def _evicting(client: Any) -> str:
    """The policy by which it drops keys that have not run out; empty where it drops none, or does not tell."""
    import redis

    try:
        memory = client.info("memory")
    except redis.RedisError:
        return ""
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    return policy if memory.get("maxmemory") and policy != "noeviction" else ""


def _advice(error: BaseException) -> str:
    """What to do about it."""
    from redis import exceptions

    text = str(error)
    if "cluster" in text:
        return "a cluster cannot hold a state; name a server by itself"
    if isinstance(error, exceptions.OutOfMemoryError):
        return "it is full; 512 MiB are enough for a state"
    if isinstance(error, exceptions.ReadOnlyError):
        return "name the server that it copies"
    if isinstance(error, exceptions.NoPermissionError) or "The user executing the script" in text:
        return f"its user needs ~{scripts.NAME}:* &{scripts.NAME}:* +@all -@admin -@dangerous"
    if isinstance(error, exceptions.AuthenticationError):
        return "give redis://USER:PASSWORD@HOST, or :PASSWORD@ for the default user"
    return "name a Redis or Valkey server that answers"
