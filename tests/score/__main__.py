"""Runs the parts of the score, prints each table and writes it into `docs/contract.md`; words name parts."""

from __future__ import annotations

import sys

from tests.score import DOCUMENT, aligned, parts, written


def main(words: list[str]) -> None:
    """Measure what the words name."""
    there = parts()
    unknown = set(words) - there.keys()
    if unknown:
        sys.exit(f"no part {', '.join(sorted(unknown))}; allowed: {', '.join(there)}")
    for name in words or there:
        made = aligned(there[name].score())
        print(f"{name}\n{made}\n", flush=True)
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), name, made), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
