"""`make test-clients`: runs all frameworks, and fails where one does otherwise than `docs/clients.md` says.

`--write` writes what came into the table, on both pages; names of frameworks run only these, and leave the rows of the
others alone.
"""

from __future__ import annotations

import sys
import time

from tests import fault_docs
from tests.frameworks.runs import FRAMEWORKS, all_results, rows_of, table
from tests.snippets import ROOT

DOCUMENT = ROOT / "docs" / "clients.md"
CHINESE = ROOT / "docs" / "zh" / "clients.md"


def main(words: list[str]) -> int:
    """Run them; the exit code."""
    began = time.monotonic()
    named = tuple(one for one in FRAMEWORKS if one.title in words or one.versions in words)
    results = all_results(named or FRAMEWORKS)
    text = DOCUMENT.read_text("utf-8")
    print(f"{len(results)} frameworks in {time.monotonic() - began:.0f} s")
    if "--write" in words:
        written = table(results, rows_of(text))
        for document in (DOCUMENT, CHINESE):
            document.write_text(fault_docs.with_table(document.read_text("utf-8"), written), "utf-8")
        return 0
    other = [line for line in (f"| {' | '.join(one)} |" for one in table(results)) if line not in text]
    for line in other:
        print(f"not in {DOCUMENT.name}: {line}")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
