"""The line to Redis or Valkey: commands, the leases of the processes that share a state, and what they tell each other.

A process holds a lease and renews it. What it knows of the others' changes counts while the lease lasts; whoever
changes something waits until all that hold one have taken it in, or their leases are over. So a process that hangs or
is cut off delays a change, but never answers by what was before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.web_address import without_password
from mockserver.server.control.request import ControlError
from mockserver.server.namespace import StateLostError
from mockserver.server.state import scripts
from mockserver.server.state.check import ANSWER_S, PREFIX, differing, said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

log = logging.getLogger("mockserver")

LEASE_S: Final = 2.0
RENEW_S: Final = 0.5
UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, ControlError)
"""What comes of a state that another program has written."""


class Link:
    """The connection of one process.

    Args:
        url: Of the server; processes that name the same one share its state.
        ttl_s: How long what nobody touches is kept, in seconds.
        served: What all that name it have to have in common, by `check.served_by`.
        heard: Called with what another process tells, before it is told that this one knows.
        learn: Learns all anew, when it may have missed something.
    """

    def __init__(
        self,
        url: str,
        ttl_s: float,
        served: bytes,
        heard: Callable[[dict[str, Any]], Awaitable[None]],
        learn: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._ttl_ms = max(int(ttl_s * 1000), 1)
        self._served = served
        self._heard = heard
        self._learn = learn
        self._client: Redis | None = None
        self._listening: PubSub | None = None
        self._listener: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._asked = 0
        self._knowing: dict[int, tuple[set[str], asyncio.Event]] = {}
        self._lease_until = 0.0
        self._learning = asyncio.Lock()
        self.member = ""
        self.lost: str | None = None
        self.offset_ms = 0.0

    @property
    def current(self) -> bool:
        """Whether no change can have been missed; also while Redis is lost: nobody waits for this process then."""
        return self.lost is not None or not self._lapsed

    @property
    def _lapsed(self) -> bool:
        return self.lost is not None or time.monotonic() >= self._lease_until

    async def open(self) -> None:
        """Connect and learn all; raises StateLostError."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self.member = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._client = Redis.from_url(
            self._url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=Retry(NoBackoff(), 0)
        )
        self.lost = "not yet connected"
        try:
            await self.restore()
        except StateLostError:
            await self.close()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Give the lease back and disconnect."""
        if self._client is None:
            return
        for task in (self._keeper, self._listener):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        errors = _errors()
        with contextlib.suppress(*errors):
            await self._run(scripts.LEAVE, self.member)
        with contextlib.suppress(*errors):
            if self._listening is not None:
                await self._listening.aclose()  # type: ignore[no-untyped-call]
            await self._client.aclose()
        self._client = None

    async def run(self, script: str, *arguments: str | bytes | float) -> Any:
        """What a script gives; raises StateLostError."""
        given = (PREFIX, self._ttl_ms, *arguments)
        return await self._answer(lambda client: _script(script)(keys=(), args=given, client=client))

    async def command(self, *words: str | bytes | int) -> Any:
        """What a command gives; keys are given without the prefix of `PREFIX`; raises StateLostError."""
        return await self._answer(lambda client: client.execute_command(*words))  # type: ignore[no-untyped-call]

    async def tell(self, do: str, **what: Any) -> None:
        """Tell all others, and wait until they know or have no lease any more; raises StateLostError."""
        self._asked = number = self._asked + 1
        knowing, more = self._knowing[number] = set[str](), asyncio.Event()
        try:
            message = json.dumps({"do": do, "by": self.member, "number": number, **what})
            members = await self.run(scripts.TELL, message)
            now = time.monotonic()
            leases = {
                members[at].decode(): now + int(members[at + 1]) / 1000 for at in range(0, len(members), 2)
            }  # fmt: skip
            leases.pop(self.member, None)
            with contextlib.suppress(TimeoutError):
                while missing := [until for member, until in leases.items() if member not in knowing]:
                    more.clear()
                    async with asyncio.timeout(max(max(missing) - time.monotonic(), 0)):
                        await more.wait()
        finally:
            del self._knowing[number]

    async def restore(self) -> None:
        """Connect where that is lost, renew the lease, and learn all anew where it had run out.

        Raises:
            StateLostError: Redis does not answer.
        """
        async with self._learning:
            try:
                if not await self._tried():
                    await self._tried()  # this process hung: what it waited for is no answer
            except StateLostError:
                raise
            except _errors() as error:
                self._lose(error)
                raise StateLostError(self._why(error)) from None
            if self.lost is not None and self._keeper is not None:
                log.warning("the state at %s is back", without_password(self._url))
            self.lost = None

    async def _tried(self) -> bool:
        """Renew the lease, or learn all anew; False where that failed and the lease ran out meanwhile."""
        lapsed = self._lapsed
        try:
            async with asyncio.timeout(ANSWER_S * 2):
                if lapsed:
                    await self._connect()
                began = time.monotonic()
                if not await self._renewed(began) or lapsed:
                    await self._learn()
                    self._lease_until = began + LEASE_S
        except _errors():
            if lapsed or not self._lapsed:
                raise
            return False
        return True

    async def _connect(self) -> None:
        assert self._client is not None, "it is opened"  # noqa: S101 - for the type checker
        await self._client.connection_pool.disconnect()
        if self._listener is not None:
            self._listener.cancel()
        if self._listening is not None:
            with contextlib.suppress(*_errors()):
                await self._listening.aclose()  # type: ignore[no-untyped-call]
        self._listening = self._client.pubsub()
        channels = (f"{PREFIX}bus", f"{PREFIX}bus:{self.member}")
        await self._listening.subscribe(*channels)
        for _ in channels:
            await self._listening.get_message(timeout=ANSWER_S)
        machine = _machine()
        now_ms = time.monotonic() * 1000
        self.offset_ms = float(await self._run(scripts.CLOCK, machine, now_ms))
        self._listener = asyncio.create_task(self._listen(self._listening))

    async def _renewed(self, now: float) -> bool:
        """Renew the lease in Redis; here it is renewed when that is heard, behind all that was told before."""
        heard = json.dumps({"do": "renewed", "at": now})
        answer = await self._run(scripts.RENEW, self.member, int(LEASE_S * 1000), heard, self._served)
        if isinstance(answer, bytes):
            raise ConnectionRefusedError(differing(answer, self._served))
        return bool(answer)

    async def _run(self, script: str, *arguments: str | bytes | float) -> Any:
        return await _script(script)(keys=(), args=(PREFIX, self._ttl_ms, *arguments), client=self._client)

    async def _answer(self, ask: Callable[[Redis], Awaitable[Any]]) -> Any:
        if self._client is None:
            raise StateLostError(f"the state at {without_password(self._url)} is not open")
        if self.lost is not None and not self._learning.locked():
            raise StateLostError(self.lost)
        try:
            return await ask(self._client)
        except _errors() as error:
            if not self._lapsed:  # else it may have hung: whether the state is lost is seen where the lease is renewed
                self._lose(error)
            raise StateLostError(self._why(error)) from None

    def unreadable(self, error: Exception) -> StateLostError:
        """What is raised where the state holds what another program has written."""
        kind = type(error).__name__
        return StateLostError(
            f"the state at {without_password(self._url)} holds what is not readable here ({kind}); "
            "do other versions of genstudio-mock use it? another number at its end is another state"
        )

    def _why(self, error: BaseException) -> str:
        return f"the state at {without_password(self._url)} is lost: {said(error)}; try again, it comes back by itself"

    def _lose(self, error: BaseException) -> None:
        if self.lost is None:
            log.warning("%s; until then chat goes on, and what needs the state is answered 503", self._why(error))
        self.lost = self._why(error)

    async def _keep(self) -> None:
        """Renew the lease again and again, and come back where Redis was lost."""
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(StateLostError):
                await self.restore()

    async def _listen(self, listening: PubSub) -> None:
        try:
            while True:
                told = await listening.get_message(ignore_subscribe_messages=True, timeout=60)
                if told is not None:
                    await self._take(json.loads(told["data"]))
        except StateLostError:
            return
        except _errors() as error:
            self._lose(error)
        except ValueError as error:
            self._lose(self.unreadable(error))

    async def _take(self, told: dict[str, Any]) -> None:
        if told["do"] == "known":
            knowing, more = self._knowing.get(told["number"], (set(), None))
            knowing.add(told["by"])
            if more is not None:
                more.set()
            return
        if told["do"] == "renewed":
            self._lease_until = max(self._lease_until, told["at"] + LEASE_S)
            return
        if told.get("by") == self.member:
            return
        await self._heard(told)
        if "number" in told:
            known = json.dumps({"do": "known", "by": self.member, "number": told["number"]})
            await self.command("PUBLISH", f"{PREFIX}bus:{told['by']}", known)


@lru_cache(maxsize=1)
def _errors() -> tuple[type[BaseException], ...]:
    import redis

    return redis.RedisError, OSError, TimeoutError


@lru_cache(maxsize=32)
def _script(text: str) -> Any:
    from redis.asyncio import Redis

    return Redis().register_script(text)


def _machine() -> str:
    """What tells a start of this machine from others: since then its monotonic clock runs."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()
    began_h = round((time.time() - time.monotonic()) / 3600)
    return f"{socket.gethostname()}-{began_h}"
