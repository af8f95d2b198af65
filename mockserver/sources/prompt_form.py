"""The form that a prompt asks of its answer in words: a document of a JSON Schema, dspy's fields, or a block of code.

Where the system's messages or the last message of the user ask for none that is known, an answer stays prose.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.core.exchange import texts_of
from mockserver.core.immutable import immutable
from mockserver.sources.prompt_schema import last_schema, schema_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_READ_FOR_WORDS: Final = 20_000
"""Characters of a message that are read for words, from its beginning and from its end."""
_FENCE: Final = r"(?:```|code[ -]?(?:block|fence|snippet)|markdown (?:code|block|fenc|snippet)|fenced|代码块)"
_WANTS_FENCE: Final = (
    r"(?i)(?:within|inside|\bin\b|wrap\w*|includ\w*|enclos\w*|surround\w*|between|\bbe\b|\bas\b|with|use|using|用|放在|包裹)"
    r"[^.。\n{}]{0,60}" + _FENCE
)
_NO_FENCE: Final = (
    r"(?i)(?:\bnot\b|\bno\b|n't|without|never|avoid|omit|不要|不用|无需|请勿|不得)[^.。\n{}]{0,60}" + _FENCE
)
_DSPY: Final = "Your output fields are:\n"
_DSPY_FIELD: Final = r"(?m)^\d+\. `(\w+)` \((.+?)\):"
_DSPY_NOTE: Final = r"\{%s\}\s+# note: the value you produce must adhere to the JSON schema: "
_DSPY_COMPLETED: Final = "[[ ## completed ## ]]"
_NAMED_TYPES: Final[dict[str, dict[str, Any]]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "NoneType": {"type": "null"},
    "None": {"type": "null"},
}
_CODE_TAGS: Final = (("<code>", "</code>"), ("```python", "```"), ("```py", "```"))


@immutable(frozen=True, slots=True)
class PromptForm:
    """The form that a prompt asks for.

    Attributes:
        schema: The JSON Schema of what is said; None where that is prose.
        style: How it is written: `json`, the same `fenced`, dspy's `fields`, or `code` that calls `final_answer`.
        tags: What opens and what closes a block of code.
    """

    schema: Mapping[str, Any] | None
    style: Literal["json", "fenced", "fields", "code"]
    tags: tuple[str, str] = ("```json", "```")

    def written(self, value: Any) -> str:
        """A value of the schema, or prose where there is none, as the prompt asks for it."""
        if self.style == "fields":
            parts = [f"[[ ## {name} ## ]]\n{_plain(one)}" for name, one in value.items()]
            return "\n\n".join([*parts, _DSPY_COMPLETED])
        text = json.dumps(value, ensure_ascii=False, indent=2 if self.style == "fenced" else None)
        if self.style == "json":
            return text
        if self.style == "code":
            text = f"final_answer({text})"
        block = f"{self.tags[0]}\n{text}\n{self.tags[1]}"
        return f"Thought: I can give the final answer.\n{block}" if self.style == "code" else block


def find(messages: Sequence[Mapping[str, Any]], *, bare: bool) -> PromptForm | None:
    """The form that a dialogue asks for in words; None where it asks for prose, or cannot be understood.

    Args:
        messages: The dialogue.
        bare: Whether `response_format` asks for JSON, so that no fence may stand around it.
    """
    texts = _instructions(messages)
    if not may_ask(texts):
        return None
    for text in texts:
        form = _dspy(text) or _code(text)
        if form is not None:
            return form
    for text in texts:
        schema = last_schema(text)
        if schema is not None:
            return PromptForm(schema, "fenced" if not bare and _wants_fence(texts) else "json")
    return None


def may_ask(texts: Sequence[str]) -> bool:
    """Whether texts may ask for a form; what does not is nearly all, and seen at once."""
    told = "\n".join(texts)
    return "{" in told or "final_answer" in told


def _instructions(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts that tell the form of an answer: the last message of the user, then the system's, last first."""
    told: list[Mapping[str, Any]] = []
    user: Mapping[str, Any] | None = None
    for one in reversed(messages):
        role = one.get("role", "user")
        if role == "system":
            told.append(one)
        elif user is None and role == "user":
            user = one
    if user is not None:
        told.insert(0, user)
    return [content if type(content := one.get("content")) is str else "\n".join(texts_of(one)) for one in told]


def _wants_fence(texts: Sequence[str]) -> bool:
    """Whether words ask for a fence; of a text that also forbids one, the answer has none."""
    read = [text if len(text) <= _READ_FOR_WORDS else text[:10_000] + text[-10_000:] for text in texts]
    return any(re.search(_WANTS_FENCE, text) for text in read) and not any(re.search(_NO_FENCE, text) for text in read)


def _code(text: str) -> PromptForm | None:
    """What smolagents' CodeAgent asks for: a block of code that calls `final_answer`."""
    if "final_answer(" not in text or "Thought:" not in text:
        return None
    for opening, closing in _CODE_TAGS:
        if opening in text:
            return PromptForm(None, "code", (opening, closing))
    return None


def _dspy(text: str) -> PromptForm | None:
    """What dspy's adapters ask for: the list of fields with their types, in its own markers or as a JSON object."""
    _, told, rest = text[:_READ_FOR_WORDS].partition(_DSPY)
    if not told:
        return None
    listed, _, shown = rest.partition("\nAll interactions will be structured")
    fields = re.findall(_DSPY_FIELD, listed)
    if not fields:
        return None
    properties = {name: _of_note(name, shown) or _of_type(kind) for name, kind in fields}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    if _DSPY_COMPLETED in shown:
        return PromptForm(schema, "fields")
    return PromptForm(schema, "json") if "JSON object" in shown else None


def _of_note(name: str, shown: str) -> Mapping[str, Any] | None:
    """The schema that dspy notes beside a field, once more escaped where it stands in JSON."""
    met = re.search(_DSPY_NOTE % re.escape(name), shown)
    if met is None:
        return None
    line = shown[met.end() :].partition("\n")[0]
    try:
        text = json.loads('"' + line[: line.rindex('"')] + '"') if line.startswith('{\\"') else line
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return schema_in(value) if isinstance(value, dict) else None


def _of_type(kind: str) -> dict[str, Any]:
    """The schema of a Python type as dspy writes it; a text for one that is not known."""
    head, _, inner = kind.partition("[")
    if head == "Literal" and inner.endswith("]"):
        try:
            return {"enum": list(ast.literal_eval(f"({inner[:-1]},)"))}
        except (ValueError, SyntaxError):
            return {"type": "string"}
    if head in {"Union", "Optional"}:
        return _of_type(inner.rstrip("]").split(",")[0].strip())
    if head in {"list", "List"} and inner.endswith("]"):
        return {"type": "array", "items": _of_type(inner[:-1]), "minItems": 1}
    return _NAMED_TYPES.get(head.partition("|")[0].strip(), {"type": "string"})


def _plain(value: object) -> str:
    """A value as it stands below one of dspy's markers."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
