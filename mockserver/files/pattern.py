r"""Users' regular expressions, in one syntax and in linear time, whoever searches.

The syntax is RE2's: no look-around, no back-references; `\d`, `\w`, `\s` and `\b` are ASCII's (`\B` is not). A text is
searched by the engine that comes with pydantic, Rust's, which never goes back and limits an expression to 10 MiB. It
tells whether and not where, so masks over bytes have another: RE2 where it is installed (the extra `re2`), else
Python's `re`, which does go back and is given only expressions whose work at one place of the data has a bound.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from pydantic_core import SchemaError, SchemaValidator

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install

MASK_LENGTH: Final = 500
"""Characters of an expression for a mask, where Python's `re` searches."""
MASK_WAYS: Final = 5_000
"""Ways in which such an expression may be tried at one place of the data: the product of its choices."""
RE2_BYTES: Final = 1 << 20
_IN_ASCII: Final = {
    "d": "[0-9]", "D": "[^0-9]", "w": "[0-9A-Za-z_]", "W": "[^0-9A-Za-z_]", "s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]",
    "<": "<", ">": ">",
}  # fmt: skip
_ESCAPE: Final = r"\\(?:[pPxu]\{[^}]*\}|0[0-7]{0,2}|.)"
_CLASS: Final = rf"\[\^?\]?(?:{_ESCAPE}|\[:\^?\w+:\]|[^\]\\])*\]"
_OF_RE2: Final = re.compile(rf"{_ESCAPE}|{_CLASS}|\{{(?![0-9]+(?:,[0-9]*)?\}})", re.DOTALL)
_OF_CLASS: Final = re.compile(rf"{_ESCAPE}|\[:\^?\w+:\]|\A-|--|[\[&~]", re.DOTALL)
_OF_MASK: Final = re.compile(rf"{_ESCAPE}|{_CLASS}|\(\?(?:P<\w+>|[^:)]*)|\{{[0-9,]+\}}|.", re.DOTALL)
_GROUP: Final = re.compile(r"\(\?(?:P<\w+>|[ims]*)")


class PatternError(ValueError):
    """What is no expression in this syntax; the text is the reason."""


class TextPattern:
    """An expression that is searched for in texts.

    Args:
        text: The expression, in RE2's syntax.

    Raises:
        PatternError: it is none, or too large.
    """

    __slots__ = ("_validator",)

    def __init__(self, text: str) -> None:
        try:
            self._validator = SchemaValidator(
                {"type": "str", "pattern": _in_rust(text), "regex_engine": "rust-regex", "strict": True}
            )
        except SchemaError as error:
            reason = str(error).splitlines()[-1].strip().removeprefix("SchemaError: ").removeprefix("error: ")
            raise PatternError(reason[:1].lower() + reason[1:].removesuffix(".")) from None

    def found_in(self, text: str, /) -> bool:
        """Whether it is found; takes time that is linear in the text."""
        return self._validator.isinstance_python(text)


class Mask(Protocol):
    """An expression whose matches in bytes are masked."""

    def spans(self, data: bytes, /) -> list[tuple[int, int]]:
        """Where its matches begin and end."""


class _Re2Mask:
    """A mask by RE2."""

    def __init__(self, text: str) -> None:
        import re2

        options = re2.Options()
        options.max_mem = RE2_BYTES
        options.log_errors = False
        try:
            self._pattern = re2.compile(text.encode(), options)
        except re2.error as error:
            reason = error.args[0] if error.args else error
            raise PatternError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None

    def spans(self, data: bytes, /) -> list[tuple[int, int]]:
        return [found.span() for found in self._pattern.finditer(data)]


class _BoundedMask:
    """A mask by Python's `re`, over the text that the bytes are."""

    def __init__(self, text: str) -> None:
        trouble = _unbounded(text)
        try:
            self._pattern = re.compile("" if trouble else text, re.ASCII)
        except re.error as error:
            trouble = f"Python's re does not take it: {error}"
        if trouble:
            raise PatternError(f"{trouble}; google-re2 takes it: {to_install('re2')}")

    def spans(self, data: bytes, /) -> list[tuple[int, int]]:
        text = data.decode("utf-8", "surrogateescape")
        spans, seen, at = [], 0, 0
        for found in self._pattern.finditer(text):
            start, end = found.span()
            first = at + _bytes(text[seen:start])
            seen, at = end, first + _bytes(text[start:end])
            spans.append((first, at))
        return spans


def compile_pattern(text: str, where: str) -> TextPattern:
    """An expression to be searched for in texts; raises OperatorError, which begins with `where`."""
    try:
        return TextPattern(text)
    except PatternError as error:
        raise OperatorError(
            f"{where}: {text!r} is not a regular expression in RE2's syntax: {error} "
            "(no look-around, no back-references)"
        ) from None


def compile_mask(text: str, where: str) -> Mask:
    """An expression whose matches in bytes are masked; raises OperatorError, which begins with `where`."""
    compile_pattern(text, where)
    try:
        try:
            return _Re2Mask(text)
        except ImportError:
            return _BoundedMask(text)
    except PatternError as error:
        raise OperatorError(f"{where}: {text!r}: {error}") from None


def _in_rust(text: str) -> str:
    r"""RE2's syntax in that of Rust's crate, which has Unicode's `\d`, and sets in classes."""
    return _OF_RE2.sub(_rewritten, text)


def _rewritten(found: re.Match[str]) -> str:
    word = found[0]
    if word[0] == "[":
        opened = 2 if word.startswith("[^") else 1
        return word[:opened] + _OF_CLASS.sub(_rewritten_in_class, word[opened:-1]) + "]"
    return {"{": r"\{", r"\b": r"(?-u:\b)"}.get(word) or _escape(word)


def _rewritten_in_class(found: re.Match[str]) -> str:
    word = found[0]
    if word.startswith("[:"):
        return word
    return r"-\-" if word == "--" else _escape(word) if word[0] == "\\" else "\\" + word


def _escape(word: str) -> str:
    if word[1] == "0":
        return rf"\x{{{int(word[1:], 8):x}}}"
    return _IN_ASCII.get(word[1:], word)


def _unbounded(text: str) -> str:
    """Why the time that `re` takes at one place of the data has no small bound; empty where it has."""
    if len(text) > MASK_LENGTH:
        return f"it is longer than {MASK_LENGTH} characters"
    ways, depth, before = 1, 0, ""
    for part in _OF_MASK.findall(text):
        if part in {"*", "+"} or part.endswith(",}"):
            return f"its repeat {part} has no upper bound, as {{1,64}} has"
        if part.startswith("(?") and not _GROUP.fullmatch(part):
            return f"it has a group that begins with {part}"
        if _is_count(part):
            if before == ")":
                return f"its repeat {part} is one of a group"
            low, _, high = part[1:-1].partition(",")
            ways *= int(high or low) - int(low or 0) + 1
        elif (part == "?" and not _is_count(before)) or (part == "|" and depth):
            ways *= 2
        if ways > MASK_WAYS:
            return f"its choices multiply to more than {MASK_WAYS} ways"
        depth += (part[0] == "(") - (part == ")")
        before = part
    return ""


def _is_count(part: str) -> bool:
    return len(part) > 1 and part[0] == "{"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
