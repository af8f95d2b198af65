"""A package whose own `__init__` runs only when something asks for a name in it; its modules come without it."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def late_package(name: str, homes: Mapping[str, str]) -> None:
    """Let the modules of a package be imported without its `__init__`, which runs when another name is asked for.

    For a process of our own only. `import uvicorn` brings its command line, its supervisors and what those import,
    and a server needs none of it.

    Args:
        name: A package without a dot in its name. One that was imported, or is not installed, stays as it is.
        homes: Names of the package that its modules ask for, and the module that each is from.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def found(asked: str) -> Any:
        if asked in homes:
            return getattr(import_module(homes[asked]), asked)
        if "__getattr__" in vars(package):
            del package.__getattr__
            loader.exec_module(package)
        return getattr(package, asked)

    package.__getattr__ = found  # type: ignore[method-assign]
    sys.modules[name] = package
