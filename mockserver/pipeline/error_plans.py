"""The plans of errors: each refusal in the shape that the edition's `[errors]` table gives its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from mockserver.core.errors import Refusal
from mockserver.pipeline.head import response_headers
from mockserver.pipeline.refuse import own_shape, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.core.exchange import Headers, Plan
    from mockserver.pipeline.edition_rules import EditionRules
    from mockserver.pipeline.refuse import ErrorShape


class ErrorPlans:
    """An edition's errors, with the headers that every answer of the chip carries, or of the default one."""

    def __init__(self, rules: EditionRules) -> None:
        self._rows = rules.errors
        self._kind_of = _usual_kinds({name: row for name, row in rules.errors.items() if ":" not in name})
        self._heads = {chip: wire.head for chip, wire in rules.wires.items()}
        self._further = rules.headers
        self._default_head = self._heads[rules.default_chip]

    def plan(self, refusal: Refusal, entropy: bytes, now_ms: int, chip: str = "", asked: bytes = b"") -> Plan:
        """The plan of a refusal.

        Args:
            refusal: What is refused, and why.
            entropy: As for the head stage.
            now_ms: As for the head stage.
            chip: Who was asked.
            asked: The request's body.
        """
        if refusal.status is not None:
            shape = own_shape(refusal.status, refusal.status if refusal.code is None else refusal.code)
        else:
            at = (f"{refusal.kind}:{refusal.rule}", f"{refusal.kind}:{refusal.param}", refusal.kind)
            shape = next(self._rows[name] for name in at if name in self._rows)
        return refuse(refusal, shape, self._headers(chip, entropy, now_ms), asked)

    def _headers(self, chip: str, entropy: bytes, now_ms: int) -> Headers:
        own = response_headers(self._heads.get(chip, self._default_head), entropy, now_ms)
        return self._further.put(own, "error", entropy)

    def with_status(
        self,
        status: int,
        text: str | None,
        wait_s: float | None,
        entropy: bytes,
        now_ms: int,
        chip: str = "",
        asked: bytes = b"",
    ) -> Plan:
        """An error with any status: the edition's row for that status, or the gateway's shape.

        Args:
            status: From 200 to 599.
            text: The message; None takes the row's, or says that the status was asked for.
            wait_s: Seconds for `Retry-After`, rounded up to whole ones (RFC 9110, 10.2.3), with `retry-after-ms`
                beside it where that loses something; None sends none.
            entropy: As for the head stage.
            now_ms: As for the head stage.
            chip: Who was asked.
            asked: The request's body.
        """
        kind = self._kind_of.get(status, "internal")
        headers = () if wait_s is None else _retry_after(wait_s)
        refusal = Refusal(kind, text or f"status {status} was asked for", headers=headers)
        row = self._rows[kind]
        shape = row if row.status == status else replace(row, status=status)
        if text is not None:
            shape = replace(shape, message=None)
        return refuse(refusal, shape, self._headers(chip, entropy, now_ms), asked)

    def asked_for(self, kind: str) -> Refusal:
        """The refusal that `X-Mock-Error` asks for."""
        if kind in self._rows:
            return Refusal(kind, f"asked for by X-Mock-Error: {kind}")
        known = ", ".join(name for name in self._rows if ":" not in name)
        return Refusal("unknown-quirk", f"X-Mock-Error: {kind!r} is not a kind of error; known: {known}")


def _usual_kinds(rows: Mapping[str, ErrorShape]) -> dict[int, str]:
    """For each status the kind whose family and code most kinds with that status have, the first of them."""
    usual: dict[int, str] = {}
    for status in {row.status for row in rows.values()}:
        forms = Counter((row.family, row.code) for row in rows.values() if row.status == status)
        form = forms.most_common(1)[0][0]
        usual[status] = next(
            name for name, row in rows.items() if (row.status, row.family, row.code) == (status, *form)
        )
    return usual


def _retry_after(wait_s: float) -> Headers:
    whole = (b"retry-after", b"%d" % ceil(wait_s))
    return (whole,) if wait_s == ceil(wait_s) else (whole, (b"retry-after-ms", b"%d" % ceil(wait_s * 1000)))
