"""Where a request's path leads: the maps of `--map FROM=TO`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mockserver.core.errors import OperatorError
from mockserver.core.route import BASE_TEMPLATE

_NAME = re.compile(r"\{(\w+)\}")
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True, slots=True)
class PathMap:
    """One `--map FROM=TO`: paths that begin with FROM begin with TO for the upstream; `{name}` stands for a segment."""

    pattern: re.Pattern[str]
    target: str

    def applied(self, path: str) -> str | None:
        """The upstream's path, or None where the map does not fit."""
        found = self.pattern.match(path)
        if found is None:
            return None
        return _NAME.sub(lambda name: found[name[1]], self.target) + path[found.end() :]


def path_map(text: str) -> PathMap:
    """A map from its text, such as `/maas/{model}/{chip}=/v1`; raises OperatorError."""
    source, equals, target = text.partition("=")
    if not equals or not source.startswith("/") or (target and not target.startswith("/")):
        raise OperatorError(f"--map {text!r}: give FROM=TO, two path prefixes; example: {BASE_TEMPLATE}=/v1")
    placeholders = _NAME.findall(source)
    for name in placeholders:
        if placeholders.count(name) > 1 or not name.isidentifier():
            raise OperatorError(f"--map {text!r}: {{{name}}}: placeholders in FROM are names that differ")
    compiled = re.compile(_PLACEHOLDER.sub(r"(?P<\1>[^/]+)", re.escape(source.rstrip("/"))) + "(?=/|$)")
    for name in _NAME.findall(target):
        if name not in compiled.groupindex:
            known = ", ".join(compiled.groupindex) or "none"
            raise OperatorError(f"--map {text!r}: {{{name}}} is not in FROM; placeholders there: {known}")
    return PathMap(compiled, target.rstrip("/"))
