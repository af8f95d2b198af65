"""A request's head: the key, the model and the chip, the content type, and which style of answer is wanted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import Refusal, nearest, shown, suggestion
from mockserver.core.exchange import ANSWER_STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.pipeline.request.rules import RequestRules


STYLE_HEADER = b"x-mock-answer"
LIKE_ENOUGH: Final = 0.7
MOST_LISTED: Final = 12


def asked_style(headers: Mapping[bytes, bytes]) -> str | None:
    """The style of answer that `X-Mock-Answer` asks for; None where the header is absent."""
    sent = headers.get(STYLE_HEADER)
    if sent is None:
        return None
    style = sent.decode("latin-1").strip()
    if style not in ANSWER_STYLES:
        allowed = ", ".join(ANSWER_STYLES)
        raise Refusal(
            "unknown-quirk", f"X-Mock-Answer: {shown(style)} is not a style; allowed: {allowed}", param="X-Mock-Answer"
        )
    return style


def check_key(headers: Mapping[bytes, bytes], keys: frozenset[str] | None) -> None:
    """Refuse a request whose `Authorization` is missing, malformed or holds a key that is not good."""
    value = headers.get(b"authorization", b"")
    if keys is None and value.startswith(b"Bearer ") and len(value) > 7 and b" " not in value[7:]:
        return
    scheme, _, key = value.partition(b" ")
    key = key.strip()
    if not value:
        raise Refusal("missing-key", 'no Authorization header; send "Authorization: Bearer <key>"')
    if scheme.lower() != b"bearer" or not key or b" " in key:
        raise Refusal("malformed-key", 'Authorization is not of the form "Bearer <key>"')
    if keys is not None and key.decode("latin-1") not in keys:
        raise Refusal("wrong-key", "this key is not among those given by --api-key")


def check_combination(
    model: str, chip: str, catalogue: Mapping[str, frozenset[str]], *, overrides: str | None = None
) -> None:
    """Refuse a model or a chip that the edition does not serve, or not together.

    Args:
        model: The model.
        chip: The chip.
        catalogue: Model to the chips that serve it.
        overrides: The path's model where the body's overrides it; empty where there is none, None for the path's own.
    """
    served = catalogue.get(model)
    if served is None:
        near = nearest(model, catalogue, likeness=LIKE_ENOUGH)
        if near:
            hint = f"did you mean {', '.join(near)}?"
        elif len(catalogue) <= MOST_LISTED:
            hint = f"known: {', '.join(catalogue)}"
        else:
            hint = f"{len(catalogue)} models are; genstudio-mock profiles --models lists them, --model NAME adds one"
        if overrides is None:
            raise Refusal("unknown-model", f"model {shown(model)} is not served here; {hint}")
        also = f", and it overrides the path's; null or {shown(overrides)} takes that one" if overrides else ""
        raise Refusal("unknown-model", f"model: {shown(model)} is not served here{also}; {hint}", param="model")
    if chip not in served:
        chips = sorted(set().union(*catalogue.values()))
        if chip in chips:
            raise Refusal(
                "unknown-combination",
                f"model {model} is not served on chip {chip}; it is on {', '.join(sorted(served))}",
            )
        raise Refusal("unknown-chip", f"chip {shown(chip)} is not served here; {suggestion(chip, chips)}")


def check_content_type(headers: Mapping[bytes, bytes], rules: RequestRules) -> None:
    """Refuse other content types than the edition's; none at all is let in."""
    if of_another_type(headers, rules) and "wrong-content-type" not in rules.lets_in:
        raise Refusal(
            "wrong-content-type",
            f"Content-Type: {shown(_kind(headers[b'content-type']))} is not read here; "
            f"allowed: {', '.join(rules.content_types)}",
            param="Content-Type",
        )


def of_another_type(headers: Mapping[bytes, bytes], rules: RequestRules) -> bool:
    """Whether a content type is told that is none of the edition's."""
    sent = headers.get(b"content-type")
    return sent is not None and _kind(sent) not in rules.content_types


@lru_cache(maxsize=64)
def _kind(sent: bytes) -> str:
    """A content type without its parameters."""
    return sent.split(b";", 1)[0].strip().lower().decode("latin-1")
