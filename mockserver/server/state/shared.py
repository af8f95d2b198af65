"""Namespaces that several processes have in common, in Redis or Valkey.

Each process has all namespaces in memory, as one process would; they are a copy. Whatever asks or changes a namespace
for which something may be set up does so here, on the copy, and then commits it: Redis takes it only if nobody was
faster (`scripts.COMMIT`), else the copy is made anew and all is decided again. So what holds of one process holds of
many, and a request for which nothing can be set up asks nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from mockserver.pipeline.incoming import FAULT_HEADER
from mockserver.server.namespace import (
    DEFAULT,
    MOST_NAMESPACES,
    Namespaces,
    StateLostError,
    Touches,
)
from mockserver.server.state import scripts
from mockserver.server.state.carrier import JournalCarrier
from mockserver.server.state.check import PREFIX, served_by
from mockserver.server.state.document import NOTHING, named_in, rows_of
from mockserver.server.state.link import UNREADABLE, Link
from mockserver.server.state.shared_calls import DECIDING
from mockserver.server.state.shared_namespace import SharedNamespace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import Edition
    from mockserver.server.namespace import Namespace

T = TypeVar("T")


class SharedNamespaces(Namespaces):
    """All namespaces of the processes that name one state.

    Args:
        url: Of the Redis or Valkey server.
        ttl_s: How long what nobody touches is kept, in seconds.
        edition: What is imitated.
        seed: Part of every exchange's seed.
        forget: Told the name of a namespace that goes.
    """

    shared = True

    def __init__(self, url: str, ttl_s: float, edition: Edition, seed: int, forget: Callable[[str], None]) -> None:
        super().__init__(seed, forget)
        self._edition = edition
        self.link = Link(url, ttl_s, served_by(edition, seed), self._heard, self._learn)
        self._carrier = JournalCarrier(self.link, self._at)
        self.default: SharedNamespace = SharedNamespace(DEFAULT, DEFAULT, f"{seed}:", self.link, self._carrier)
        self._claimed: dict[str, SharedNamespace] = {}  # type: ignore[assignment]  # by digest
        self._keys: dict[str, str] = {}
        self._learning = asyncio.Lock()

    @property
    def current(self) -> bool:  # type: ignore[override]
        """Whether what is known here is what the others know."""
        return self.link.current

    async def open(self) -> None:
        """Connect and learn all; raises StateLostError."""
        await self.link.open()
        self._carrier.open()

    async def close(self) -> None:
        """Send what is left, and disconnect."""
        await self._carrier.close()
        await self.link.close()

    # which namespace

    def of(self, key: str) -> Namespace:
        """The namespace that a request with this API key belongs to."""
        if not key or not self._claimed:
            return self.default
        found = self._claimed.get(digest_of(key))
        return self.default if found is None else self._seeded(found, key)

    async def refreshed(self, key: str) -> Namespace:
        """The same, when what others know is learned; where they cannot be asked, what is known here counts."""
        with contextlib.suppress(StateLostError):
            await self.link.restore()
        return self.of(key)

    def named(self, name: str) -> tuple[str | None, Namespace] | None:
        """The API key, where it was told to this process, and the namespace of a name; None where there is none."""
        if name == DEFAULT:
            return "", self.default
        found = next((one for one in self._claimed.values() if one.name == name), None)
        return None if found is None else (self._keys.get(found.key), found)

    def _seeded(self, namespace: SharedNamespace, key: str) -> SharedNamespace:
        if not namespace.seeded:
            namespace.seed_with(f"{self._seed}:{key}")
            namespace.seeded = True
            self._keys[namespace.key] = key
        return namespace

    async def claimed(self, key: str) -> Namespace:
        """The key's own namespace, made where there is none; all processes know of it then."""
        if not key:
            return self.default
        digest = digest_of(key)
        name, new = await self.link.run(scripts.CLAIM, digest, MOST_NAMESPACES)
        if new or digest not in self._claimed:
            await self._learn_namespaces()
            if new:
                await self.link.tell("changed", namespaces=[digest])
        found = self._claimed.pop(digest, None) or await self._adopt(digest, name.decode())
        self._claimed[digest] = found
        return self._seeded(found, key)

    async def give_up(self, key: str) -> bool:
        """Give a key's namespace up; whether there was one. All processes know of it then."""
        if not key:
            return False
        digest = digest_of(key)
        there = bool(await self.link.run(scripts.RELEASE, digest))
        self._drop(digest)
        if there:
            await self.link.tell("changed", namespaces=[])
        return there

    def _drop(self, digest: str) -> None:
        gone = self._claimed.pop(digest, None)
        self._keys.pop(digest, None)
        if gone is not None:
            gone.journal.begin_again(gone.journal.epoch)
            self._forget(gone.name)

    async def _adopt(self, digest: str, name: str) -> SharedNamespace:
        made = SharedNamespace(name, digest, digest, self.link, self._carrier)
        await self._copy(made)
        return made

    async def _learn_namespaces(self) -> None:
        """Which there are, and copies of those that are new; the longest unasked first."""
        async with self._learning:
            await self._learn_names()

    async def _learn_names(self) -> None:
        names = await self.link.command("HGETALL", f"{PREFIX}names")
        pairs = names.items() if isinstance(names, dict) else zip(names[::2], names[1::2], strict=True)
        known = {digest.decode(): name.decode() for digest, name in pairs}
        asked = [one.decode() for one in await self.link.command("ZRANGE", f"{PREFIX}asked", 0, -1)]
        for digest in [one for one, has in self._claimed.items() if known.get(one) != has.name]:
            self._drop(digest)
        order = [*[one for one in asked if one in known], *(known.keys() - set(asked))]
        for digest in order:
            found = self._claimed.pop(digest, None) or await self._adopt(digest, known[digest])
            self._claimed[digest] = found

    async def _learn(self) -> None:
        """Learn all anew."""
        await self._learn_namespaces()
        for one in (self.default, *list(self._claimed.values())):
            await self._copy(one)

    # what is set up

    def concern(self, namespace: Namespace, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request can be decided only by what is common: not where nothing can be set up for it."""
        return namespace is not self.default or not namespace.is_quiet() or FAULT_HEADER in headers

    async def decide(self, namespace: Namespace, exchange: Exchange, do: Callable[[], Awaitable[T]]) -> T:
        """Number and decide an exchange as if nobody else did meanwhile; raises StateLostError."""
        told = exchange.number

        async def numbered() -> T:
            exchange.number = told or namespace.next("exchange")
            return await do()

        try:
            return await self._change(_shared(namespace), numbered)
        except StateLostError:
            exchange.number = told
            raise

    async def act(self, touches: Touches, namespace: Namespace, do: Callable[[], Awaitable[T]]) -> T:
        """Do what an operation of the control API does, as if nobody else did anything meanwhile."""
        one = _shared(namespace)
        match touches:
            case Touches.SETUP:
                async with one.lock:
                    await self._copy(one)
                    return await do()
            case Touches.JOURNAL:
                await self._carrier.gather(one.journal)
            case Touches.EVERYTHING:
                await self._learn()
                await self._carrier.collect(self._all())
                await self._carrier.count(self._all())
            case Touches.CHANGES:
                return await self._change(one, do, fresh=True)
            case Touches.NOTHING:
                pass
        return await do()

    async def _change(self, one: SharedNamespace, do: Callable[[], Awaitable[T]], *, fresh: bool = False) -> T:
        """Do something to a copy and commit it, again and again until nobody was faster."""
        async with one.lock:
            if fresh:
                await self._copy(one)
            elif self.link.lost is not None:
                raise StateLostError(self.link.lost)
            token = DECIDING.set(one.calls)
            try:
                while True:
                    before = one.rows.keys()
                    made = await do()
                    epoch = os.urandom(6).hex() if one.journal.cleared else ""
                    if await self._committed(one, epoch):
                        break
            except BaseException:
                self._put_back(one)
                raise
            finally:
                DECIDING.reset(token)
        if epoch or before != one.rows.keys():
            await self.link.tell("changed", namespaces=[one.key])
        return made

    async def _committed(self, one: SharedNamespace, epoch: str) -> bool:
        """Commit a copy; False where it was made anew since somebody was faster."""
        version, document, rows = os.urandom(6).hex(), one.document_now(), rows_of(one)
        exchanges = one.numbers.get("exchange", 0)
        come = [part for name in rows.keys() - one.rows.keys() for part in (name, rows[name])]
        gone = one.rows.keys() - rows.keys()
        answer = await self.link.run(
            scripts.COMMIT, one.key, one.version, version, document, exchanges, epoch, *come, "", *gone
        )
        if answer[0] == 0:
            one.journal.cleared = False
            await self._fill(one, *answer[1:])
            return False
        if answer[0] == 1:
            one.version, one.document, one.rows, one.exchanges = version, document, rows, exchanges
            if epoch:
                one.journal.begin_again(epoch)
        return True  # one that was given up meanwhile ends as it is

    def _put_back(self, one: SharedNamespace) -> None:
        """Make a copy again what it was before a change that is not done."""
        one.journal.cleared = False
        one.be(one.version, one.document, one.rows, one.exchanges, self._edition)

    async def _copy(self, one: SharedNamespace) -> None:
        """Make a copy what is so now."""
        tried = None
        while True:
            found = await self.link.command("HMGET", f"{PREFIX}ns:{one.key}", "v", "doc", "n", "epoch")
            version, document, exchanges, epoch = (part or b"" for part in found)
            if version.decode() == one.version or await self._fill(one, version, document, exchanges, epoch):
                return
            if version == tried:
                raise self.link.unreadable(LookupError("what was set up was dropped"))
            tried = version

    async def _fill(
        self, one: SharedNamespace, version: bytes, document: bytes, exchanges: bytes, epoch: bytes
    ) -> bool:
        """Make a copy what is given; False where a row of it was taken out meanwhile: another state has come."""
        document = document or NOTHING
        try:
            names = named_in(document)
        except UNREADABLE as error:
            raise self.link.unreadable(error) from None
        rows = {name: said for name, said in one.rows.items() if name in names}
        missing = sorted(names - rows.keys())
        if missing:
            bodies = await self.link.command("HMGET", f"{PREFIX}rows:{one.key}", *missing)
            if None in bodies:
                return False
            rows |= dict(zip(missing, bodies, strict=True))
        try:
            one.be(version.decode(), document, rows, int(exchanges or b"0"), self._edition)
        except UNREADABLE as error:
            raise self.link.unreadable(error) from None
        if epoch and epoch.decode() != one.journal.epoch:
            one.journal.begin_again(epoch.decode())
        return True

    # what happened

    async def look(self) -> None:
        """Learn what happened in all journals; raises StateLostError."""
        await self._carrier.collect(self._all())
        for one in list(self):
            await self._carrier.pull(_shared(one).journal)

    def _all(self) -> list[str]:
        return [DEFAULT, *self._claimed]

    def _at(self, name: str) -> SharedNamespace | None:
        return self.default if name == DEFAULT else self._claimed.get(name)

    async def _heard(self, told: dict[str, Any]) -> None:
        """What another process tells."""
        match told["do"]:
            case "changed":
                await self._learn_namespaces()
                for one in filter(None, map(self._at, told["namespaces"])):
                    async with one.lock:
                        await self._copy(one)
            case "gather":
                await self._carrier.asked(told["namespaces"], told["watch_s"])
            case "wake":
                if (woken := self._at(told["ns"])) is not None:
                    woken.journal.wake()


def _shared(namespace: Namespace) -> SharedNamespace:
    assert isinstance(namespace, SharedNamespace), "all of them are"  # noqa: S101 - for the type checker
    return namespace


@lru_cache(maxsize=4096)
def digest_of(key: str) -> str:
    """What stands for an API key where others can read."""
    return hashlib.blake2b(key.encode("latin-1", "replace"), digest_size=16, person=b"genstudio-mock").hexdigest()
