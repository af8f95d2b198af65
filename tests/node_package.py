"""What of the Node package is written by `make tables`: sentences of advice, and the types of the control API."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mockserver.testing.client_saw import ADVICE, NO_REQUEST
from mockserver.testing.language import ADVICE_TABLE, chinese
from mockserver.testing.mock_server import MockServer
from tests.snippets import ROOT
from tests.third_party import node_programs

PACKAGE: Final = ROOT / "clients" / "node"
ADVICE_FILE: Final = PACKAGE / "src" / "advice-table.js"
TYPES_FILE: Final = PACKAGE / "src" / "control.d.ts"
GENERATOR: Final = ("openapi-typescript@7.13.0", "typescript@5.9.3")


def advice_table() -> str:
    """The module of sentences: by wire format, and their Chinese."""
    parts = {"ADVICE": ADVICE, "NO_REQUEST": NO_REQUEST, "CHINESE": chinese(ADVICE_TABLE)}
    rows = [
        f"export const {name} = {json.dumps(value, ensure_ascii=False, indent=2)};\n" for name, value in parts.items()
    ]
    return "// Written by `make tables` from the sentences of the Python package.\n\n" + "\n".join(rows)


def write() -> None:
    """Write both files; the types only where npm is."""
    ADVICE_FILE.write_text(advice_table(), "utf-8")
    if shutil.which("npm"):
        with TemporaryDirectory() as folder:
            TYPES_FILE.write_text(control_types(Path(folder)), "utf-8")


def control_types(folder: Path) -> str:
    """The types of the control API, made from its document; skips a test where npm cannot install the generator."""
    command = node_programs("openapi-typescript", *GENERATOR) / "node_modules" / ".bin" / "openapi-typescript"
    document, made = folder / "openapi.json", folder / "control.d.ts"
    with MockServer() as mock:
        document.write_text(json.dumps(mock.session().call("GET", "/openapi.json")), "utf-8")
    subprocess.run([command, document, "--default-non-nullable", "false", "-o", made], check=True, capture_output=True)
    return made.read_text("utf-8")
