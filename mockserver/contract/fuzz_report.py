"""What `fuzz` found, written for people, for CI and for programs. One writer a format; the table ends the file."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract import junit
from mockserver.contract.failure import truth_of
from mockserver.contract.result import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mockserver.contract.failure import Failure
    from mockserver.contract.fuzz import Covered, Fuzzed

WIDTH: Final = 116


@dataclass(frozen=True, slots=True)
class FuzzRun:
    """A run of the fuzzer.

    Attributes:
        chip: The chip.
        edition: Name of the edition.
        found: What came of it.
        saved: Files by the failure that they are of, the stream's first and its test's last.
        served: Where a saved stream is served, as a line for a shell, by the failure.
    """

    chip: str
    edition: str
    found: Fuzzed
    saved: Mapping[int, Sequence[Path]] = field(default_factory=dict)
    served: Mapping[int, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 where a bug was found; what is known to be lost by many is none."""
        return 1 if self.found.failures else 0


def terminal(run: FuzzRun) -> str:
    """Each failure with its bytes and its files, what is known, and what was covered."""
    found = run.found
    parts = [_told(run, one) for one in [*found.failures, *found.known]]
    streams = counted(found.tried, "stream")
    if found.failures:
        several = (
            f"{counted(len(found.failures), 'bug')}, each with its smallest stream; " if len(found.failures) > 1 else ""
        )
        summary = f"{several}{streams} tried"
    else:
        read = "all read rightly" if not found.known else "all read rightly but what is known"
        summary = f"{streams}, {read}"
    if found.known:
        names = [_name(one, "") for one in found.known]
        added, left = ",".join(f"+{name}" for name in names), ",".join(f"-{name}" for name in names)
        summary += f"\nknown ones do not count; --quirks={left} leaves them out, --quirks={added} makes them count"
    return "\n".join([*parts, summary, *covered_lines(found.covered)]) + "\n"


def _told(run: FuzzRun, failure: Failure) -> str:
    brief = [failure.problem, f"known, {failure.known}", *failure.words]
    lines = brief if failure.known else [str(failure)]
    paths = run.saved.get(id(failure))
    if paths:
        lines += [f"saved {', '.join(map(str, paths))}", f"again: pytest {paths[-1]}", f"drawn: {paths[2]}"]
        lines += [f"served: {run.served[id(failure)]}"]
    return "\n".join(lines) + "\n"


def _name(failure: Failure, otherwise: str) -> str:
    """The quirk or form that a failure is about."""
    return failure.stream.quirks[0] if failure.stream.quirks else otherwise


def covered_lines(covered: Covered) -> list[str]:
    """What was tried, in a few lines."""

    def all_of(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{name} {times}" for name, times in counts.items())

    sizes = [
        f"lines up to {covered.longest_line:,} bytes", f"texts up to {covered.longest_text:,} characters",
        f"pauses up to {covered.longest_pause_ms} ms", f"{counted(covered.calls, 'stream')} with calls of functions",
    ]  # fmt: skip
    return [
        *_wrapped(f"forms ({len(covered.forms)}): {all_of(covered.forms)}"),
        *_wrapped(f"ends of writes ({sum(covered.cuts.values()):,}): {all_of(covered.cuts)}"),
        *_wrapped(f"sizes: {', '.join(sizes)}"),
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def as_json(run: FuzzRun) -> str:
    """Everything, for programs."""
    covered = run.found.covered
    data = {
        "chip": run.chip,
        "edition": run.edition,
        "holds": run.exit_code == 0,
        "tried": run.found.tried,
        "failures": [_data(run, one) for one in run.found.failures],
        "known": [_data(run, one) for one in run.found.known],
        "covered": {
            "forms": dict(covered.forms),
            "cuts": dict(covered.cuts),
            "longest_line": covered.longest_line,
            "longest_text": covered.longest_text,
            "longest_pause_ms": covered.longest_pause_ms,
            "with_calls": covered.calls,
        },
    }
    return json.dumps(data, indent=1) + "\n"


def _data(run: FuzzRun, failure: Failure) -> dict[str, Any]:
    return {
        "problem": failure.problem,
        "known": failure.known,
        "words": failure.words,
        "quirks": list(failure.stream.quirks),
        "truth": truth_of(failure.stream),
        "frames": len(failure.stream.frames),
        "writes": [data.hex() for data in failure.writes],
        "pauses_ms": failure.stream.pauses_ms,
        "files": [str(path) for path in run.saved.get(id(failure), ())],
    }


def as_junit(run: FuzzRun) -> str:
    """One suite: a case for each form that was tried, one for each bug; what is known is skipped."""
    found = run.found
    blamed = {_name(one, "") for one in [*found.failures, *found.known]}
    passed = {name: times for name, times in found.covered.forms.items() if name not in blamed}
    cases = [(name, junit.element("system-out", f"{times} streams")) for name, times in passed.items()]
    for failure in found.failures:
        title = "; ".join(failure.words) or "as the chip sends it"
        cases.append((f"bug: {title}", junit.element("failure", _told(run, failure), message=failure.problem)))
    cases += [
        (_name(one, "known"), junit.element("skipped", message=f"known, {one.known}: {one.problem}"))
        for one in found.known
    ]
    return junit.document([(f"fuzz.{run.chip}", cases)])


WRITERS: Final[dict[str, Callable[[FuzzRun], str]]] = {"json": as_json, "junit": as_junit}
