"""JUnit's form of a report, which CI reads: suites of cases, and in a case what is to be said of it.

XML 1.0 cannot hold every character; a question mark stands for those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Cases = Sequence[tuple[str, str]]
    """The name of each case and its element; empty for a case of which there is nothing to say."""

_COUNTED: Final = {"failures": "<failure", "errors": "<error", "skipped": "<skipped"}


def document(suites: Iterable[tuple[str, Cases]]) -> str:
    """The whole report: each suite's name and its cases."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for suite, cases in suites:
        counts = {what: sum(inner.startswith(start) for _, inner in cases) for what, start in _COUNTED.items()}
        figures = " ".join(f'{what}="{count}"' for what, count in {"tests": len(cases), **counts}.items())
        lines.append(f"<testsuite name={_quoted(suite)} {figures}>")
        lines += [
            f"<testcase classname={_quoted(suite)} name={_quoted(name)}>{inner}</testcase>" for name, inner in cases
        ]
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def element(tag: str, text: str = "", *, message: str = "") -> str:
    """What came of a case: `failure`, `error`, `skipped`, or `system-out` for what is only told."""
    head = f"{tag} message={_quoted(message)}" if message else tag
    return f"<{head}>{escape(_xml_text(text))}</{tag}>" if text else f"<{head}/>"


def _quoted(text: str) -> str:
    return quoteattr(_xml_text(text))


def _xml_text(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold, half a surrogate pair among them."""
    return "".join(one if one in "\t\n" or _may_stand(one) else "?" for one in text)


def _may_stand(one: str) -> bool:
    return one >= " " and one not in "\ufffe\uffff" and not "\ud800" <= one <= "\udfff"
