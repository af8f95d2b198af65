"""What Prometheus is told of a mock, where `--metrics` asks for it: the one user of prometheus-client.

An exchange is counted when it has ended; what is in flight is counted when somebody asks. No label comes from a client:
each has as many values as the edition has chips, HTTP has statuses, and the table has faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.pipeline.faults.table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mockserver.core.exchange import Exchange

NAME: Final = "genstudio_mock"
NONE, SEVERAL, OTHER = "none", "several", "other"
TTFT_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
GAP_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0)


class Metrics:
    """Counters and histograms of one mock.

    Args:
        chips: The chips that are served; a request for another one counts as `other`.
        in_flight: Gives the exchanges that are going on.

    Raises:
        OperatorError: prometheus-client is not installed.
    """

    def __init__(self, chips: Iterable[str], in_flight: Callable[[], Iterable[Exchange]]) -> None:
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
        streams = Gauge(f"{NAME}_open_streams", "Streamed answers that are going on.", registry=own)
        streams.set_function(lambda: sum(one.chat is not None and one.chat.stream for one in in_flight()))

    def count(self, exchange: Exchange) -> None:
        """Take in an exchange that has ended."""
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
        from prometheus_client import generate_latest

        return generate_latest(self._registry)
