"""What Prometheus is told of a mock, where `--metrics` asks for it: the one user of prometheus-client.

An exchange is counted when it has ended. No label comes from a client: each has as many values as the edition has
chips, HTTP has statuses, and the table has faults. Where several processes share a port, each tells of all.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.files.atomic import temporary
from mockserver.pipeline.faults.table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mockserver.core.exchange import Exchange

NAME: Final = "genstudio_mock"
SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable in which prometheus-client looks, when it is imported, for the folder that processes share."""
NONE, SEVERAL, OTHER = "none", "several", "other"
TTFT_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
GAP_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0)


@contextlib.contextmanager
def shared_figures() -> Iterator[Path]:
    """A folder in which the processes that are forked in the block keep their figures; it goes with the block.

    Raises:
        OperatorError: it cannot be made.
    """
    with contextlib.ExitStack() as held:
        with temporary("--metrics"):
            name = held.enter_context(tempfile.TemporaryDirectory(prefix="genstudio-mock-", ignore_cleanup_errors=True))
        os.environ[SHARED] = name
        held.callback(os.environ.pop, SHARED, None)
        yield Path(name)


class Metrics:
    """Counters and histograms of one mock.

    Args:
        chips: The chips that are served; a request for another one counts as `other`.
        shared: Where the processes of the mock keep them, from `shared_figures`; None for one process.

    Raises:
        OperatorError: prometheus-client is not installed.
    """

    def __init__(self, chips: Iterable[str], shared: Path | None = None) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ModuleNotFoundError:
            raise OperatorError(f"--metrics: prometheus-client is not installed; {to_install('metrics')}") from None
        self._chips = frozenset(chips)
        self._registry = own = CollectorRegistry()
        self._exchanges = Counter(
            f"{NAME}_exchanges", "Exchanges that have ended.", ("chip", "status", "ending", "fault"), registry=own
        )
        self._faults = Counter(f"{NAME}_faults", "Faults that acted.", ("chip", "fault"), registry=own)
        self._ttft = Histogram(
            f"{NAME}_time_to_first_token_seconds", "From the beginning of a streamed answer to its first write.",
            ("chip",), buckets=TTFT_SECONDS, registry=own,
        )  # fmt: skip
        self._gaps = Histogram(
            f"{NAME}_gap_seconds", "Between two writes of a streamed answer.",
            ("chip",), buckets=GAP_SECONDS, registry=own,
        )  # fmt: skip
        self._streams = Gauge(
            f"{NAME}_open_streams", "Streamed answers that are going on.", registry=own, multiprocess_mode="livesum"
        )
        self._open: set[int] = set()
        self._shared = shared

    def open(self, exchange: Exchange) -> None:
        """Take in what is answered to an exchange, also where that is decided again."""
        if exchange.chat is not None and exchange.chat.stream:
            self._open.add(id(exchange))
            self._streams.set(len(self._open))

    def count(self, exchange: Exchange) -> None:
        """Take in an exchange that has ended."""
        if id(exchange) in self._open:
            self._open.remove(id(exchange))
            self._streams.set(len(self._open))
        chat, plan = exchange.chat, exchange.plan
        chip = NONE if chat is None else chat.chip if chat.chip in self._chips else OTHER
        status = str(plan.status) if plan is not None and 100 <= plan.status <= 599 else NONE
        faults = [name if name in FAULTS else OTHER for name in exchange.faults]
        fault = NONE if not faults else faults[0] if len(set(faults)) == 1 else SEVERAL
        self._exchanges.labels(chip, status, exchange.ending.value, fault).inc()
        for name in faults:
            self._faults.labels(chip, name).inc()
        writes = exchange.writes
        if chat is None or not chat.stream or not writes:
            return
        self._ttft.labels(chip).observe(writes[0] / 1000)
        observe, before = self._gaps.labels(chip).observe, writes[0]
        for at_ms in writes[2::2]:
            observe((at_ms - before) / 1000)
            before = at_ms

    def text(self) -> bytes:
        """All of it in Prometheus' text form, version 0.0.4."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if self._shared is None:
            return generate_latest(self._registry)
        of_all = CollectorRegistry()
        MultiProcessCollector(of_all, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(of_all)

    def forget(self, process: int) -> None:
        """Take the open streams of a process that has ended out; what it counted stays."""
        from prometheus_client.multiprocess import mark_process_dead

        if self._shared is not None:
            mark_process_dead(process, str(self._shared))  # type: ignore[no-untyped-call]
