"""How much of foreign servers `learn` captures: exchanges that the mock then has in the same form, refusals too."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mockserver.cli import learn as command
from tests.contract_live import serving
from tests.learning import MODEL, TUTORIAL, run
from tests.score import Score
from tests.stand_ins import PATH, STAND_INS, standing_in

OURS: Final = "our own mock, chip3"
REQUESTS: Final = 90
SAID: Final = re.compile(r"(\d+) of (\d+) exchanges? have the same form(?:; differs:\n((?:  .+\n)+))?")
SHOWN: Final = 1


def score() -> Score:
    """Learn each server, and count."""
    rows = []
    same = all_of_them = 0
    for name in (OURS, *STAND_INS):
        with TemporaryDirectory() as folder, ExitStack() as held:
            words = ["--model", MODEL, "--output", folder, "--requests", str(REQUESTS)]
            if name == OURS:
                words += ["--base-url", held.enter_context(serving(TUTORIAL)), "--chip", "chip3"]
            else:
                files = Path(folder) / "server"
                files.mkdir()
                url = held.enter_context(standing_in(name, files))
                words += ["--base-url", url, "--chip", name, "--path-template", PATH]
            code, out, _ = run(command, *words)
        found = SAID.search(out)
        if found is None:
            _, _, faults = out.partition("is not like the recordings:\n")
            assert faults, out
            rows.append((name, "·", "·", "·", f"its own check fails: {_most(faults)}", str(code)))
            continue
        rows.append(
            (name, found[1], found[2], f"{int(found[1]) / int(found[2]):.0%}", _most(found[3] or ""), str(code))
        )
        if name != OURS:
            same, all_of_them = same + int(found[1]), all_of_them + int(found[2])
    share = f"{same / all_of_them:.1%}"
    sentence = f"Of {all_of_them} exchanges with servers of other makers {same} have the same form, {share}."
    return Score(sentence, ("server", "same form", "of", "share", "what differs most", "exit code"), rows)


def _most(listed: str) -> str:
    """The first of what differs, as the command lists it, for a cell of a table."""
    lines = [line.strip().replace("|", "\\|") for line in listed.splitlines()][:SHOWN]
    return "; ".join(lines) or "nothing"
