"""The service's paths: the one place that reads and builds them.

Chat is asked for in three forms: `/maas/{model}/{chip}/chat/completions`, `/maas/v1/chat/completions`, whose model is
the body's, and `/maas/deployment/mif-…/chat/completions` for a model that its owner deployed (overview page of the
API). A slash may follow. Only the first form names a chip; who serves the others decides which chip answers.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

CHAT: Final = "/chat/completions"
"""What clients put behind their base URL."""
_ROOT: Final = "/maas"
_BY_BODY: Final = "v1"
_DEPLOYMENT: Final = "deployment"
_DEPLOYMENT_ID: Final = "mif-"  # a deployment's id always begins so
_PATH: Final = re.compile(f"{_ROOT}/([^/]+)(?:/([^/]+))?{CHAT}/?")
_TWICE: Final = re.compile(f".*?({_ROOT}(?:/.+)?|{CHAT}){_ROOT}/[^/]+/[^/]+{CHAT}")
BASE_TEMPLATE: Final = f"{_ROOT}/{{model}}/{{chip}}"
"""For `filled`: what clients have as the path of their base URL."""
SHOWN_BASE: Final = f"{_ROOT}/<model>/<chip>"
"""The same for messages."""
PATH_TEMPLATE: Final = f"{BASE_TEMPLATE}{CHAT}"
"""For `filled`: the form in which every model and chip can be asked."""
CHAT_PATHS: Final = (
    f"{_ROOT}/{{model}}/{{chiptype}}{CHAT}",
    f"{_ROOT}/{_BY_BODY}{CHAT}",
    f"{_ROOT}/{_DEPLOYMENT}/{{{_DEPLOYMENT_ID}…}}{CHAT}",
)
"""The three forms in the documents' words, for people."""
MODELS_PATH: Final = f"{_ROOT}/{_BY_BODY}/models"


class Route(NamedTuple):
    """Where chat is asked for: model and chip, or a deployment, or neither where the body names the model.

    Attributes:
        model: The path's model; empty in the other two forms.
        chip: The path's chip; empty in the other two forms.
        deployment: The id of a deployment; empty where none is asked.
    """

    model: str = ""
    chip: str = ""
    deployment: str = ""

    @property
    def named(self) -> str:
        """Whom the path names: the model, or the deployment's id; empty where only the body names a model."""
        return self.model or self.deployment

    @property
    def base(self) -> str:
        """The path of a client's base URL, percent-encoded."""
        if self.deployment:
            return f"{_ROOT}/{_DEPLOYMENT}/{_quoted(self.deployment)}"
        return filled(BASE_TEMPLATE, self.model, self.chip) if self.model else f"{_ROOT}/{_BY_BODY}"

    @property
    def path(self) -> str:
        """The path as it stands in a URL, percent-encoded."""
        return self.base + CHAT

    @property
    def readable_path(self) -> str:
        """The path with its names as people write them, where that says the same: in files."""
        path = unquote(self.path)
        return path if parse(path) == self else self.path


def parse(path: str) -> Route | None:
    """The route of a path as it stands in a URL, each name decoded once; None for a path that is no chat's."""
    return _route(path, encoded=True)


def parse_decoded(path: str) -> Route | None:
    """The route of a path that is decoded already, as ASGI servers hand it on: a `%2F` in a name cuts it in two."""
    return _route(path, encoded=False)


def said_twice(path: str) -> str:
    """The part of a path that stands before a whole one of the service, and belongs into it; empty where none does."""
    twice = _TWICE.fullmatch(path)
    return twice[1] if twice else ""


def filled(template: str, model: str, chip: str) -> str:
    """A template with `{model}` and `{chip}` in it as a path, percent-encoded."""
    return template.replace("{model}", _quoted(model)).replace("{chip}", _quoted(chip))


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _route(path: str, *, encoded: bool) -> Route | None:
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    first, second = found.groups()
    if encoded:
        first, second = unquote(first), second and unquote(second)
    if second is None:
        return Route() if first == _BY_BODY else None
    if first == _DEPLOYMENT:
        return Route(deployment=second) if second.startswith(_DEPLOYMENT_ID) else None
    return Route(first, second)
