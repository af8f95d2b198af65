"""The environment of a pytest that a test starts."""

from __future__ import annotations

from typing import Final

PLUGINS: Final = (
    "mockserver.testing.plugin", "mockserver.contract.pytest_options", "xdist.plugin", "_hypothesis_pytestplugin",
    "pytest_timeout",  # pyproject.toml has its setting
)  # fmt: skip
LEAN: Final = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": ",".join(PLUGINS)}
"""Our plugins and those that our documents speak of: to load all that are installed takes as long as pytest itself.

That ours come by themselves where the package is installed is seen in tests/test_beside_applications.py.
"""
