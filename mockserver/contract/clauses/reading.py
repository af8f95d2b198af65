"""An exchange as the checks look at it: its body read once, as far as it goes, and each value as it came."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from mockserver.core import strict_json
from mockserver.core.exchange import Ending
from mockserver.pipeline.frame import BOM, Done, Json
from mockserver.pipeline.read import ReadBody, choices_in, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mockserver.core.exchange import Exchange
    from mockserver.profile.quirks import Axis

Shown = str | bool | None
"""What an exchange shows of one axis; None where it cannot show it."""
MIXED: Final = "mixed"
"""What is seen of an axis where an exchange shows several of its values."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def one_of(found: Iterable[Shown]) -> Shown:
    """The one value that was found wherever one was: None where none was, `MIXED` where several were."""
    kinds = {one for one in found if one is not None}
    return (kinds.pop() if len(kinds) == 1 else MIXED) if kinds else None


@dataclass(frozen=True)
class Reading:
    """What one exchange says.

    Attributes:
        exchange: The exchange; its plan is what was received.
    """

    exchange: Exchange

    @property
    def status(self) -> int:
        """HTTP status; 0 where nothing came."""
        return self.exchange.plan.status if self.exchange.plan else 0

    @property
    def answered(self) -> bool:
        """Whether its status is that of an answer."""
        return self.status == 200

    @cached_property
    def refused(self) -> bool:
        """Whether it is a refusal: by its status, or under 200 by a whole body that has no choices."""
        return not self.answered or (self.complete and not self.choices and not self.blocked)

    @cached_property
    def headers(self) -> dict[str, str]:
        """Response headers by name in lower case; of equal names the last."""
        plan = self.exchange.plan
        return {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in plan.headers} if plan else {}

    @property
    def error_code(self) -> int | str | None:
        """The number or word at `code` of a body that refuses; None for none."""
        code = self.objects[0].get("code") if self.objects and not self.answered else None
        return code if type(code) in (int, str) else None

    @property
    def coding(self) -> str:
        """The content coding of the body, which no request of the contract asks for; empty for none."""
        coding = self.headers.get("content-encoding", "").strip().lower()
        return "" if coding == "identity" else coding

    @cached_property
    def body(self) -> bytes:
        """All bytes of the body that came."""
        return b"".join(self.exchange.plan.frames) if self.exchange.plan else b""

    @property
    def complete(self) -> bool:
        """Whether the body ended as HTTP wants it."""
        return self.exchange.plan is not None and self.exchange.plan.ending is Ending.COMPLETE

    @cached_property
    def asked(self) -> Json:
        """The request's JSON object; empty where it was none."""
        try:
            asked = strict_json.loads(self.exchange.request.body)
        except ValueError:
            return {}
        return asked if isinstance(asked, dict) else {}

    @property
    def wants_stream(self) -> bool:
        """Whether the request asked for a stream."""
        return self.asked.get("stream") is True

    @property
    def wants_usage(self) -> bool:
        """Whether the request asked for usage in the stream."""
        options = self.asked.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @cached_property
    def _read(self) -> ReadBody:
        found = read(self.body)
        if found.wire_format == "sse" or self.body.removeprefix(BOM).lstrip().startswith(b"{"):
            return found
        why = f"the body is no known format: {self.body[:60]!r}" if self.body else "the body is empty"
        return ReadBody("", (), why)

    @property
    def framing(self) -> str:
        """The wire format of the body, judged by its bytes: `sse`, `json-lines`, `json`, or empty for none of them."""
        return self._read.wire_format

    @property
    def events(self) -> Sequence[Json | Done]:
        """What was read, done markers included, in order."""
        return self._read.events

    @property
    def problem(self) -> str:
        """Why reading stopped; empty where it did not."""
        return self._read.problem

    @cached_property
    def objects(self) -> list[Json]:
        """The JSON objects of the body."""
        return self._read.objects

    @property
    def has_done(self) -> bool:
        """Whether a done marker came."""
        return self._read.done

    @cached_property
    def streamed(self) -> bool:
        """Whether this is a streamed answer with chunks in it."""
        return self.answered and self.wants_stream and self.framing in {"sse", "json-lines"} and bool(self.objects)

    @cached_property
    def whole(self) -> bool:
        """Whether this is a streamed answer that came to its end, can be read and holds no error."""
        return self.streamed and self.complete and not self.problem and not any("error" in one for one in self.objects)

    @property
    def chunks(self) -> list[Json]:
        """The chunks of a streamed answer, else nothing."""
        return self.objects if self.streamed else []

    @property
    def completion(self) -> Json | None:
        """The object of an answer that is not streamed."""
        whole = self.answered and not self.wants_stream and self.framing == "json" and len(self.objects) == 1
        return self.objects[0] if whole else None

    @cached_property
    def choices(self) -> list[tuple[Json, Json]]:
        """Each first choice with the chunk or completion that holds it."""
        return [(one, listed[0]) for one in self.objects if (listed := choices_in(one))]

    @cached_property
    def said(self) -> list[Json]:
        """The deltas, or the one message, in order."""
        found = [choice.get("delta" if self.streamed else "message") for _, choice in self.choices]
        return [one if isinstance(one, dict) else {} for one in found]

    @cached_property
    def text(self) -> str:
        """The whole content."""
        return "".join(one["content"] for one in self.said if isinstance(one.get("content"), str))

    @cached_property
    def finishes(self) -> list[int]:
        """Positions in `choices` of those with a finish reason."""
        return [number for number, (_, choice) in enumerate(self.choices) if choice.get("finish_reason")]

    @property
    def finish_reason(self) -> str | None:
        """The last finish reason."""
        found = [choice["finish_reason"] for _, choice in self.choices if choice.get("finish_reason")]
        return found[-1] if found else None

    @property
    def blocked(self) -> bool:
        """Whether the text review stopped the answer."""
        return self._read.blocked

    @cached_property
    def usages(self) -> list[Json]:
        """Every usage that came and says something, beside the choices or in one of them."""
        places = [*self.objects, *(choice for _, choice in self.choices)]
        return [usage for one in places if isinstance(usage := one.get("usage"), dict) and usage]

    @property
    def usage(self) -> Json:
        """The last usage; empty for none."""
        return self.usages[-1] if self.usages else {}

    @cached_property
    def repeated_key(self) -> str | None:
        """The first key that an object of the body has twice; None for none."""
        seen: list[str] = []

        def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
            made = dict(pairs)
            if len(made) < len(pairs):
                keys = [key for key, _ in pairs]
                seen.append(next(key for key in keys if keys.count(key) > 1))
            return made

        lines = [self.body] if self.framing in {"json", ""} else self.body.splitlines()
        for line in lines:
            with suppress(ValueError, RecursionError):  # what cannot be read breaks other clauses
                json.loads(line.removeprefix(b"data:"), object_pairs_hook=unique)
            if seen:
                return seen[0]
        return None

    @cached_property
    def shown(self) -> dict[tuple[Axis, ...], dict[Axis, Shown]]:
        """What `dialect.observe` found, by the axes that it looked for: sixty clauses ask for the same."""
        return {}

    @cached_property
    def skeleton(self) -> bytes:
        """The body with each JSON string emptied: what is left is structure and white space."""
        return _STRING.sub(b'""', self.body.removeprefix(BOM))
