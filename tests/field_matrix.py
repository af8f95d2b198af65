"""`make field`: which dialects of the field the Python SDK, LangChain and the Node SDK read, into both READMEs.

Each client asks each chip of the edition for a text with its usage, and for two calls of functions, both as a stream,
by its own helper that puts a stream together. What it gives to its user is compared with what the mock said.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any, Final

from mockserver import MockServer
from tests.in_thread import WAIT_SECONDS
from tests.snippets import ROOT
from tests.third_party import node_programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver import Session

EDITION: Final = "field"
MODEL: Final = "field-model"
NODE_PACKAGE: Final = "openai@7.57.0"
TEXT: Final = "你好，世界。"
USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 7}
CALLS: Final = [{"name": "look", "arguments": {"city": "北京", "days": 3}}, {"name": "now", "arguments": {}}]
NO_PARAMETERS: Final[dict[str, Any]] = {"type": "object", "properties": {}}
TOOLS: Final[list[Any]] = [
    {"type": "function", "function": {"name": one["name"], "description": "x", "parameters": NO_PARAMETERS}}
    for one in CALLS
]
Read = dict[str, Any]
"""What a client gave to its user: `text`, `usage` (the total) and `calls`, or for each the name of what it raised."""
ALL: Final = "reads all"
TRUTH: Final[Read] = {"text": TEXT, "usage": sum(USAGE.values()), "calls": CALLS}


def _asking(word: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": word}], **more}


def _each(text: Callable[[], tuple[str, int | None]], calls: Callable[[], list[Read]]) -> Read:
    """What both questions come to; whatever a client raises is its answer."""
    read: Read = {}
    try:
        read["text"], read["usage"] = text()
    except Exception as error:  # noqa: BLE001 - it is what the matrix tells
        read["text"] = read["usage"] = type(error).__name__
    try:
        read["calls"] = calls()
    except Exception as error:  # noqa: BLE001 - as above
        read["calls"] = type(error).__name__
    return read


def python_sdk(base_url: str, key: str) -> Read:
    """The official Python SDK, by `chat.completions.stream`."""
    from openai import OpenAI

    with OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=20) as client:

        def final(**asked: Any) -> Any:
            with client.chat.completions.stream(**asked) as stream:
                return stream.get_final_completion()

        def text() -> tuple[str, int | None]:
            made = final(**_asking("text", stream_options={"include_usage": True}))
            return made.choices[0].message.content or "", made.usage and made.usage.total_tokens

        def calls() -> list[Read]:
            made = final(**_asking("calls", tools=TOOLS)).choices[0].message.tool_calls or []
            return [{"name": one.function.name, "arguments": _object(one.function.arguments)} for one in made]

        return _each(text, calls)


def langchain(base_url: str, key: str) -> Read:
    """LangChain's `ChatOpenAI`, its chunks added up."""
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    model = ChatOpenAI(model=MODEL, api_key=SecretStr(key), base_url=base_url, max_retries=0, timeout=WAIT_SECONDS)

    def final(word: str, **more: Any) -> Any:
        first, *others = model.stream(word, **more)
        return sum(others, first)

    def text() -> tuple[str, int | None]:
        made = final("text", stream_usage=True)
        return made.content, (made.usage_metadata or {}).get("total_tokens")

    def calls() -> list[Read]:
        return [{"name": one["name"], "arguments": one["args"]} for one in final("calls", tools=TOOLS).tool_calls]

    return _each(text, calls)


def _object(text: str) -> object:
    return json.loads(text) if text else {}


_NODE: Final = """
import OpenAI from "openai";
const { bases, key, text, calls } = JSON.parse(process.env.ASKED);
const result = {};
for (const [chip, baseURL] of Object.entries(bases)) {
  const client = new OpenAI({ apiKey: key, baseURL, maxRetries: 0, timeout: 20000 });
  const read = {};
  try {
    const made = await client.chat.completions.stream(text).finalChatCompletion();
    read.text = made.choices[0].message.content ?? "";
    read.usage = made.usage?.total_tokens ?? null;
  } catch (error) { read.text = read.usage = error.constructor.name; }
  try {
    const made = await client.chat.completions.stream(calls).finalChatCompletion();
    read.calls = (made.choices[0].message.tool_calls ?? []).map(({ function: one }) =>
      ({ name: one.name, arguments: one.arguments ? JSON.parse(one.arguments) : {} }));
  } catch (error) { read.calls = error.constructor.name; }
  result[chip] = read;
}
console.log(JSON.stringify(result));
"""


def node_sdk(bases: dict[str, str], key: str) -> dict[str, Read]:
    """The official Node SDK, by `chat.completions.stream`, on all chips in one process."""
    folder = node_programs("node", NODE_PACKAGE)
    asked = {
        "bases": bases,
        "key": key,
        "text": _asking("text", stream_options={"include_usage": True}),
        "calls": _asking("calls", tools=TOOLS),
    }
    environ = {**os.environ, "ASKED": json.dumps(asked), "NO_PROXY": "*"}
    words = ["node", "--input-type=module", "--eval", _NODE]
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, timeout=300, check=True)
    read: dict[str, Read] = json.loads(done.stdout)
    return read


def script(session: Session) -> None:
    """Say what the mock answers, on every chip."""
    session.answer(pieces=["你好", "，", "世界", "。"], usage=USAGE, contains="text", times=None)
    session.answer(tool_calls=CALLS, contains="calls", times=None)


def cell(read: Read) -> str:
    """What stands in the matrix: `reads all`, or what goes wrong, and how."""
    wrong = []
    for key, due in TRUTH.items():
        if read[key] != due:
            raised = (isinstance(read[key], str) and key != "text") or str(read[key]).endswith("Error")
            lost = read[key] in (None, "", [])
            wrong.append(f"{key} {read[key]}" if raised else f"{key} lost" if lost else f"{key} wrong")
    return ", ".join(wrong) or ALL


def table() -> str:
    """The matrix as Markdown: a row for each dialect that somebody does not read, and one for all others."""
    with MockServer(edition=EDITION) as mock, mock.session() as session:
        script(session)
        bases = {chip: mock.base_url(MODEL, chip) for chip in mock.edition.chips}
        node = node_sdk(bases, session.api_key)
        rows = {
            chip: [python_sdk(url, session.api_key), langchain(url, session.api_key), node[chip]]
            for chip, url in bases.items()
        }
    lines = ["| dialect | Python SDK | LangChain | Node SDK |", "| --- | --- | --- | --- |"]
    cells = {chip: [cell(read) for read in reads] for chip, reads in rows.items()}
    whole = [f"`{chip}`" for chip, told in cells.items() if set(told) == {ALL}]
    lines += [f"| `{chip}` | {' | '.join(told)} |" for chip, told in cells.items() if f"`{chip}`" not in whole]
    lines.append(f"| {', '.join(whole)} | {ALL} | {ALL} | {ALL} |")
    return "\n".join(lines)


def written(document: str, made: str) -> str:
    """A document with the matrix between its marks."""
    marks = re.compile(r"(<!-- make field -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return marks.sub(lambda found: found[1] + made + found[2], document)


def main() -> None:
    """Write it into both READMEs."""
    made = table()
    for name in ("README.md", "README.zh-CN.md"):
        path = ROOT / name
        path.write_text(written(path.read_text("utf-8"), made), "utf-8")
    print(made)


if __name__ == "__main__":
    main()
