"""What becomes of an exchange that the proxy has seen: redacted, written, and told of in one line."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockserver import __version__
from mockserver.core.errors import OperatorError
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.files.kept_headers import dropped, told_of_dropped
from mockserver.files.secrets import Redactor, Scrubbing, SpelledSecretError
from mockserver.sources.recording_file import recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.core.exchange import ChatRequest, Exchange
    from mockserver.recording.modes import Mode
    from mockserver.recording.store import Store
    from mockserver.recording.upstream_address import HostClass
    from mockserver.sources.recording_file import Recording
    from mockserver.sources.recordings import Recordings


@dataclass
class Recorder:
    """Keeps exchanges as files, and knows those that are there.

    Attributes:
        store: Where files go.
        mode: When the upstream is asked: one of `MODES`.
        recordings: What is there.
        edition: Name of the edition, for the provenance.
        upstream: Class of the upstream's host, for the provenance.
        secrets: Secrets of the whole run: the upstream's key, the proxy's password.
        scrubbing: What the operator wants masked besides.
        tell: Told one line for each exchange.
        pinned: Request headers that recordings are found by, and that are kept therefore.
        now: The time, for the provenance.
    """

    store: Store
    mode: Mode
    recordings: Recordings
    edition: str
    upstream: HostClass
    secrets: frozenset[bytes] = frozenset()
    scrubbing: Scrubbing = field(default_factory=Scrubbing)
    tell: Callable[[str], None] = lambda _line: None
    pinned: frozenset[str] = frozenset()
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def __post_init__(self) -> None:
        self._told_dropped: set[str] = set()
        if self.mode == "once":
            self.mode = "none" if len(self.recordings) else "new-episodes"

    @property
    def offline(self) -> bool:
        """Whether the upstream is never asked."""
        return self.mode == "none"

    def known(self, request: ChatRequest) -> Recording | None:
        """The recording that answers instead of the upstream; where new ones are taken, a recorded fault does not."""
        if self.mode == "all":
            return None
        found = self.recordings.find(request)
        return found if found is not None and (self.offline or found.good) else None

    def keep(self, exchange: Exchange, secrets: set[bytes]) -> None:
        """Write the exchange, unless a secret cannot be got out of it; tell what came of it.

        Nothing is raised: the client's answer does not depend on the disk.
        """
        redactor = Redactor(self.secrets | secrets, self.scrubbing)
        try:
            kept = self.scrubbing.keep_headers
            file = file_of(redactor.exchange(exchange), self._provenance(), kept, self.pinned)
            redactor.check(written(file).encode())
            path = self.store.save(file)
        except (OperatorError, SpelledSecretError) as error:
            self.tell_masked(f"not kept: {error}", secrets)
            return
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become the client's; its text may be secret
            self.tell(f"not kept: genstudio-mock failed: {type(error).__name__}; this is a bug")
            return
        made = recording(path, file) if self.mode != "all" else None  # which never asks for what is recorded
        if made is not None:
            self.recordings.add(made)
        came = file.response
        length = f"{len(came.sends)} chunk{'' if len(came.sends) == 1 else 's'}, {exchange.duration_ms:.0f} ms"
        self.tell(f"kept {path}: {came.status}, {length}, {came.ending}")
        self._tell_dropped(exchange)

    def _tell_dropped(self, exchange: Exchange) -> None:
        """Tell which headers of the answer are not in the file, each name once in a run."""
        headers = exchange.plan.headers if exchange.plan is not None else ()
        new = [name for name in dropped(headers, self.scrubbing.keep_headers) if name not in self._told_dropped]
        if new:
            self._told_dropped.update(new)
            self.tell(told_of_dropped(new))

    def tell_masked(self, line: str, secrets: set[bytes]) -> None:
        """Tell a line that may hold what was asked or answered."""
        redactor = Redactor(self.secrets | secrets, self.scrubbing)
        self.tell(redactor.masked(line.encode("utf-8", "replace")).decode("utf-8", "replace"))

    def _provenance(self) -> Provenance:
        return Provenance(
            recorded_at=self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            edition=self.edition,
            upstream=self.upstream,
            tool=f"genstudio-mock {__version__}",
            body_sha256="",
        )
