"""genstudio-mock: GenStudio's M×N chat endpoint on a laptop and in CI.

What is public is listed here, and imported from here: `from mockserver import MockServer`. Users may also rely on the
command, on the pytest plugin's fixtures, options and markers, on the control API and on the forms of files. All else,
the modules behind these names first, may change with any release.

Nothing is imported before it is asked for, so `import mockserver` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers take it; `typing` itself would cost more than all the rest of this file
if TYPE_CHECKING:  # the same as `_PLACES`, for type checkers and editors; a test holds them together
    import typing

    from mockserver.contract.cases import Phase
    from mockserver.contract.fuzz import Failure, Fuzzed, FuzzOptions, find_bug, find_bugs
    from mockserver.contract.http_client import UnreachableError
    from mockserver.contract.library import Target, assert_clause, check, edition_of
    from mockserver.contract.result import Budget, Result
    from mockserver.core.errors import OperatorError
    from mockserver.pipeline.faults.content import (
        BlockedAt,
        DropDone,
        DropField,
        DuplicateFrame,
        ErrorFrame,
        MalformedFrame,
        RateLimit,
        Reorder,
        SetHeader,
        Status,
        TruncatedJson,
        WrongContentType,
    )
    from mockserver.pipeline.faults.fault import Fault
    from mockserver.pipeline.faults.timing import (
        Bandwidth,
        FirstTokenDelay,
        Heartbeat,
        Latency,
        Pace,
        SlowClose,
        Stall,
        Timeout,
    )
    from mockserver.pipeline.faults.transport import BadChunkedFraming, Cut, EmptyBody, LimitData, ResetPeer, Slicer
    from mockserver.pipeline.pace import PaceSettings
    from mockserver.pipeline.read import Carried
    from mockserver.profile.edition import Edition
    from mockserver.server.verdict import ClientFinding
    from mockserver.settings.config import Config
    from mockserver.testing.client_saw import ClientSawError, NothingAskedError, SilentEmptyError, WrongTextError
    from mockserver.testing.client_verdict import ClientVerdict
    from mockserver.testing.control_client import MockError, ServedEdition
    from mockserver.testing.mock_server import MockServer, asgi_app
    from mockserver.testing.running_mock import RunningMock
    from mockserver.testing.seen_exchange import SeenExchange
    from mockserver.testing.session import Session, SessionClock

__version__ = "0.2.0"

__all__ = [  # noqa: RUF022 - in the order of the headings
    # a mock, and a test's handle on it
    "MockServer", "RunningMock", "Session", "SessionClock", "asgi_app",
    # what a session hands out
    "Carried", "ClientFinding", "ClientVerdict", "SeenExchange", "ServedEdition",
    # what is raised
    "ClientSawError", "MockError", "NothingAskedError", "OperatorError", "SilentEmptyError", "UnreachableError",
    "WrongTextError",
    # faults, as `Session.arm` takes them
    "BadChunkedFraming", "Bandwidth", "BlockedAt", "Cut", "DropDone", "DropField", "DuplicateFrame", "EmptyBody",
    "ErrorFrame", "Fault", "FirstTokenDelay", "Heartbeat", "Latency", "LimitData", "MalformedFrame", "Pace",
    "RateLimit", "Reorder", "ResetPeer", "SetHeader", "Slicer", "SlowClose", "Stall", "Status", "Timeout",
    "TruncatedJson", "WrongContentType",
    # the contract and the search for a client's bug
    "Budget", "Edition", "Failure", "FuzzOptions", "Fuzzed", "Phase", "Result", "Target", "assert_clause", "check",
    "edition_of", "find_bug", "find_bugs",
    # settings as values
    "Config", "PaceSettings",
]  # fmt: skip

_PLACES: typing.Final = {
    "contract.cases": "Phase",
    "contract.fuzz": "Failure FuzzOptions Fuzzed find_bug find_bugs",
    "contract.library": "Target assert_clause check edition_of",
    "contract.result": "Budget Result",
    "contract.http_client": "UnreachableError",
    "core.errors": "OperatorError",
    "pipeline.faults.content": "BlockedAt DropDone DropField DuplicateFrame ErrorFrame MalformedFrame RateLimit "
    "Reorder SetHeader Status TruncatedJson WrongContentType",
    "pipeline.faults.fault": "Fault",
    "pipeline.faults.timing": "Bandwidth FirstTokenDelay Heartbeat Latency Pace SlowClose Stall Timeout",
    "pipeline.faults.transport": "BadChunkedFraming Cut EmptyBody LimitData ResetPeer Slicer",
    "profile.edition": "Edition",
    "pipeline.pace": "PaceSettings",
    "pipeline.read": "Carried",
    "server.verdict": "ClientFinding",
    "settings.config": "Config",
    "testing.client_saw": "ClientSawError NothingAskedError SilentEmptyError WrongTextError",
    "testing.client_verdict": "ClientVerdict",
    "testing.control_client": "MockError ServedEdition",
    "testing.mock_server": "MockServer asgi_app",
    "testing.running_mock": "RunningMock",
    "testing.seen_exchange": "SeenExchange",
    "testing.session": "Session SessionClock",
}
"""In which module of the package each public name is found."""


if not TYPE_CHECKING:  # to a type checker a module with `__getattr__` has every name

    def __getattr__(name: str) -> typing.Any:
        """A public name, imported now.

        Raises:
            AttributeError: it is no public name; the text has the nearest ones.
            ImportError: it needs a package that is not installed.
        """
        from importlib import import_module

        module = next((module for module, names in _PLACES.items() if name in names.split()), None)
        if module is None:
            from mockserver.core.errors import suggestion

            raise AttributeError(f"mockserver has no {name!r}; {suggestion(name, __all__)}")
        try:
            globals()[name] = found = getattr(import_module(f"mockserver.{module}"), name)
        except ModuleNotFoundError as missing:
            what = f"mockserver.{name} needs {missing.name}, which is not installed here"
            raise ImportError(f"{what}; docs/testing.md tells what works without", name=missing.name) from None
        return found


def __dir__() -> list[str]:
    """What is public, beside what every module has."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
