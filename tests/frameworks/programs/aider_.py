import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ASKED, KEY, run

COMMAND = Path(sys.executable).parent / "aider"
COMMAND_SECONDS = 45
QUIET = ["--analytics-disable", "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings"]
KNOWN = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 32768, "max_output_tokens": 4096}


def asked(*flags):
    """The command line, run in an empty folder; the answer is what its history holds below the question."""

    def task(base_url, model):
        with tempfile.TemporaryDirectory() as folder:
            known = Path(folder, "known.json")  # a model that aider does not know it looks up on the web
            known.write_text(json.dumps({f"openai/{model}": KNOWN}), "utf-8")
            words = [COMMAND, "--model", f"openai/{model}", "--openai-api-base", base_url, "--openai-api-key", KEY]
            words += ["--model-metadata-file", known, "--no-git", "--yes-always", "--no-pretty", *QUIET, *flags]
            subprocess.run(
                [*words, "--message", ASKED],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                check=True,
            )
            history = Path(folder, ".aider.chat.history.md").read_text("utf-8").partition(f"#### {ASKED}")[2]
            return "\n".join(line for line in history.splitlines() if not line.startswith(">"))

    return task


run({"text": asked("--no-stream"), "stream": asked("--stream")})
