"""The page's views as one file that needs no server and loads nothing: modules, style and data stand in it."""

from __future__ import annotations

import hashlib
import html
import json
import re
from base64 import b64encode
from functools import cache
from typing import Any, Final

from mockserver.page.files import content

STYLE: Final = "style.css"
ENTRY: Final = "standalone.js"
_IMPORT: Final = re.compile(r'^import (?:\{[^}]*\} from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?function|const|let|class)", re.MULTILINE)


def document(title: str, view: str, data: object, body: str = "") -> str:
    """A whole HTML page.

    Args:
        title: Its title, as text.
        view: What draws it: the name of a view in `standalone.js`.
        data: What is drawn: values of JSON.
        body: HTML that stands before what is drawn, already escaped.
    """
    style, script = content(STYLE).decode(), _script()
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    embedded = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    say = html.escape
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{say(policy)}">'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{say(title)}</title><style>{style}</style></head>"
        f'<body class="standalone{" titled" if body else ""}">{body}'
        f'<main id="main" data-view="{say(view)}"></main>'
        f'<script type="application/json" id="data">{embedded}</script>'
        f'<script type="module">{script}</script></body></html>\n'
    )


def exchange_document(title: str, exchanges: list[dict[str, Any]]) -> str:
    """One or several exchanges, one below the other, each as `page.drawn.drawn` gives it."""
    return document(title, "exchanges", {"exchanges": exchanges})


@cache
def _script() -> str:
    """The modules that the entry needs, in the order in which they need each other, as one.

    Each is imported by name and gives names of its own, so that without those lines they are one module.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        for needed in _IMPORT.findall(content(name).decode()):
            visit(needed)
        if name not in order:
            order.append(name)

    visit(ENTRY)
    parts = [_EXPORT.sub("", _IMPORT.sub("", content(name).decode())) for name in order]
    return "\n".join(parts)


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
