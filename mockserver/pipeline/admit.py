"""Stage `admit`: a request's bytes, path and headers become a `ChatRequest`, or a `Refusal` that names the field.

It comes in two halves, `enter` for the head and `admit_body`, since requests with one head enter alike. The order is
the gateway's: key, path, content type, JSON, fields.

What an edition allows is data (`RequestRules`, read from `edition.toml`); this file, and `request/` beside it for head,
body, messages and fields, hold how a rule is applied. Fields that no rule names are ignored, as the service does,
and listed in `ChatRequest.ignored`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mockserver.core.errors import Refusal, kind_of, shown
from mockserver.core.exchange import ChatRequest
from mockserver.core.immutable import immutable
from mockserver.core.route import Route
from mockserver.pipeline.request.body import Json, parse
from mockserver.pipeline.request.fields import read_field, usual_values
from mockserver.pipeline.request.head import (
    STYLE_HEADER,
    asked_style,
    check_combination,
    check_content_type,
    check_key,
)
from mockserver.pipeline.request.messages import check_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.pipeline.request.rules import RequestRules

_MOST_FIELDS: Final = 32
_MOST_SHAPES: Final = 256


class Shape(NamedTuple):
    """What becomes of the fields that a body has.

    Attributes:
        checked: Those that have a rule; with the types of their usual values, each with the least and the most of it.
        ignored: Those that the edition does not know.
    """

    checked: tuple[tuple[str, Mapping[type, tuple[Any, Any]]], ...]
    ignored: tuple[str, ...]


@immutable(frozen=True, slots=True)
class AdmitSettings:
    """Everything that decides whether a request is let in.

    Attributes:
        rules: The edition's rules for the body.
        catalogue: Model to the chips that serve it.
        keys: The API keys that are good; None lets every non-empty key in.
        shapes: What becomes of the fields that bodies had.
    """

    rules: RequestRules
    catalogue: Mapping[str, frozenset[str]]
    keys: frozenset[str] | None = None
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict, compare=False, repr=False)

    def shape(self, names: tuple[str, ...]) -> Shape:
        """What becomes of the fields of a body, remembered, since a client sends the same fields each time."""
        fields = self.rules.fields
        made = Shape(
            tuple((name, usual_values(fields[name])) for name in names if name in fields),
            tuple(name for name in names if name not in fields and name not in {"model", "messages"}),
        )
        if len(names) <= _MOST_FIELDS:
            if len(self.shapes) >= _MOST_SHAPES:
                self.shapes.clear()
            self.shapes[names] = made
        return made


@immutable(frozen=True, slots=True)
class Entrance:
    """Where a request comes in: what its head decides, the same for every request with that head.

    Attributes:
        path_model: The path's `{model}`; empty where only the body names one; for a deployment its id.
        chip: The path's `{chiptype}`, or the default one where the path has none.
        deployment: Whether `path_model` is the id of a self-deployed model, which no catalogue lists.
        route: Where it was asked for.
    """

    path_model: str
    chip: str
    deployment: bool
    route: Route


def enter(
    path_model: str, chip: str, headers: Mapping[bytes, bytes], settings: AdmitSettings, *, deployment: bool = False
) -> Entrance:
    """Look at what comes before the body: key, path, content type; raises the `Refusal` that the service would answer.

    Args:
        path_model: The path's `{model}`; empty where only the body names one; for a deployment its id.
        chip: The path's `{chiptype}`, or the default one where the path has none.
        headers: Request headers, names in lower case.
        settings: This stage's settings.
        deployment: Whether `path_model` is the id of a self-deployed model, which no catalogue lists.
    """
    lets_in = settings.rules.lets_in
    try:
        check_key(headers, settings.keys)
    except Refusal as refusal:
        if refusal.kind not in lets_in:
            raise
    if path_model and not deployment and not ("unknown-model" in lets_in and path_model not in settings.catalogue):
        check_combination(path_model, chip, settings.catalogue)
    check_content_type(headers, settings.rules)
    route = Route(deployment=path_model) if deployment else Route(path_model, chip) if path_model else Route()
    return Entrance(path_model, chip, deployment, route)


def admit_body(
    entrance: Entrance,
    headers: Mapping[bytes, bytes],
    body: bytes,
    settings: AdmitSettings,
    namespace: str = "",
    query: str = "",
) -> ChatRequest:
    """Let a request in that entered: JSON and fields; raises the `Refusal` that the service would answer.

    Args:
        entrance: What its head decided.
        headers: Request headers, names in lower case.
        body: The whole body.
        settings: This stage's settings.
        namespace: The namespace that the request belongs to.
        query: The query, without its question mark.
    """
    rules = settings.rules
    document = parse(body, headers, rules)
    path_model, deployment = entrance.path_model, entrance.deployment
    model = chosen_model(document, path_model, rules, deployment=deployment)
    if model != path_model and not deployment:
        any_model = "unknown-model" in rules.lets_in
        if not (any_model and model not in settings.catalogue):
            check_combination(model, entrance.chip, settings.catalogue, overrides=path_model)
    messages, texts = check_messages(document, rules)
    names = tuple(document)
    shape = settings.shapes.get(names) or settings.shape(names)
    for name, usual in shape.checked:
        value = document[name]
        ends = usual.get(type(value))
        if ends is None or not ends[0] <= value <= ends[1]:
            taken = read_field(name, value, rules.fields[name])
            if taken is not value:
                document[name] = taken
    stream = document.get("stream") is True
    options = document.get("stream_options") if stream or "stream_options" in document else None
    return ChatRequest(
        model,
        entrance.chip,
        messages,
        stream,
        isinstance(options, dict) and options.get("include_usage") is True,
        document,
        shape.ignored,
        asked_style(headers) if STYLE_HEADER in headers else None,
        namespace,
        entrance.route,
        headers,
        query,
        texts,
    )


def chosen_model(document: Json, path_model: str, rules: RequestRules, *, deployment: bool = False) -> str:
    """The model that answers. The documents contradict each other, so the edition says whether the body overrides.

    Where the path names no model the body must; a deployment answers to its id and to any name.
    """
    if not path_model and not isinstance(document.get("model"), str):
        seen = "missing" if "model" not in document else f"{shown(document['model'])} is not allowed"
        raise Refusal("invalid-field", f"model: {seen}; allowed: a string, for the path names no model", param="model")
    if "model" not in document:
        if rules.model_required and not deployment:
            raise Refusal(
                "invalid-field", "model: missing; allowed: a string, or null for the path's model", param="model"
            )
        return path_model
    model = document["model"]
    if model is not None and not isinstance(model, str):
        raise Refusal(
            "invalid-field", f"model: {shown(model)} is {kind_of(model)}; allowed: a string or null", param="model"
        )
    overrides = deployment or not path_model or rules.model == "body"
    return model if model is not None and overrides else path_model
