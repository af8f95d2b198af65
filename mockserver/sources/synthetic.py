"""The synthetic source: an answer for any request, made from the request and a seed.

The same question of the same dialogue gets the same words, on every chip, streamed or not, whatever the temperature;
another `seed` in the request, another seed of the server or another edition gives others. The words do not depend on
whether the extra `tokens` is installed, only their cuts do.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from json.encoder import encode_basestring_ascii as _quoted
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.exchange import ANSWER_STYLES, Answer, Usage
from mockserver.pipeline.limit import bounds, whole
from mockserver.pipeline.structure import PLAIN, SCHEMA_WHERE, structure
from mockserver.sources import next_tool, prompt_form, tokens, toolcalls
from mockserver.sources.dialogue import DialogueSummary
from mockserver.sources.prompt_tokens import PromptCounter
from mockserver.sources.prose import Draw, line_of_thought, opening_text, prose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mockserver.core.exchange import ChatRequest
    from mockserver.pipeline.structure import Structure
    from mockserver.profile.edition import Edition
    from mockserver.profile.edition_file import ModelEntry
    from mockserver.sources.prompt_form import PromptForm
    from mockserver.sources.tokens import Tokenizer

MOST_TOKENS: Final = 32_768
"""The longest text that a request can ask for."""
_QUOTED: Final = 4096
"""Characters of a text that decides by itself; of a longer one its digest does."""
_DIGEST_MARK: Final = "#"
"""Stands before a digest, where a text's quotation mark would stand."""
_MESSAGE: Final = '{{"content": {}, "role": {}}}'.format
_ROLE: Final = itemgetter("role")
_in_order = json.JSONEncoder(sort_keys=True).encode


class Synthetic:
    """Makes answers for one edition.

    Args:
        edition: Its catalogue says which models reason, call functions, and how they count tokens.
        seed: Part of everything derived.
        style: One of `ANSWER_STYLES`: `faker` uses invented names, places and dates, `template` does without,
            `echo` answers the last user message as it is. `X-Mock-Answer` overrides it for one request.
        size: The fewest and the most completion tokens of a text, all alike likely; None has texts of 20 to 200.

    Raises:
        OperatorError: an unknown style, or a vocabulary in the catalogue that is not known.
    """

    def __init__(self, edition: Edition, seed: int, style: str = "faker", size: tuple[int, int] | None = None) -> None:
        if style not in ANSWER_STYLES:
            raise OperatorError(f"answer style: {style!r} is not allowed; allowed: {', '.join(ANSWER_STYLES)}")
        for entry in edition.models.values():
            tokens.check_name(entry.tokenizer, f"{edition.name}: models: {entry.id}")
        self._edition = edition
        self._name = edition.name
        self._not_kept = edition.file.request.not_kept
        self._prompt_tokens = PromptCounter(edition).count
        self._seed = seed
        self._style = style
        self._size = size

    def answer(self, request: ChatRequest) -> Answer:
        """The answer; raises Refusal where the request asks for a form that cannot be had.

        Text ends at `max_tokens`, as the limit stage would cut it: what follows is not made.
        """
        body = request.body
        decides = _written(self._name, self._seed, body.get("seed"), request.model, request.messages, request.texts)
        seed = hashlib.blake2b(decides.encode(), digest_size=16).hexdigest()
        most = bounds(body, self._not_kept)[0] if body.get("stop") is None else None
        size = self._size
        if "ignore_eos" in body or "min_tokens" in body:
            size = size_of(body) or size
        return self._make(request, request.answer_style or self._style, seed, size, most)

    def _make(
        self, request: ChatRequest, style: str, seed: str, size: tuple[int, int] | None, most: int | None
    ) -> Answer:
        body, entry = request.body, self._edition.entry(request.model)
        cut = tokens.ESTIMATOR if entry.tokenizer is None else tokens.tokenizer(entry.tokenizer)
        dialogue = DialogueSummary(request.messages)
        reasoning: tuple[str, ...] = ()
        if entry.reasoning != "never" and reasons(entry, body):
            reasoning = line_of_thought(dialogue, Draw(seed, "reasoning"), cut)
        wanted, form = structure(body), None
        if wanted is not PLAIN or style == "echo" or request.texts is None or prompt_form.may_ask(request.texts):
            formed, form = self._formed(request, wanted, dialogue, style, seed, cut)
            if formed is not None:
                count = formed.usage.completion_tokens + len(reasoning)
                usage = Usage(self._prompt_tokens(request), count, len(reasoning))
                return replace(formed, usage=usage, reasoning=reasoning)
        draw = Draw(seed, "text")
        left = None
        if size is not None:
            exact = draw.below(size[1] - size[0] + 1) + size[0] - 1
            reasoning = reasoning[:exact]
            left = exact - len(reasoning)
        enough = None if most is None or form is not None else most - len(reasoning)
        pieces = prose(dialogue, draw, cut, invented=style == "faker", size=left, enough=enough)
        if form is not None:
            pieces = cut.pieces(form.written("".join(pieces)))
        finish, count = "stop", len(reasoning) + len(pieces) + 1
        if most is not None and count > most:
            reasoning = reasoning[:most]
            pieces = pieces[: most - len(reasoning)]
            finish, count = "length", most
        return Answer(pieces, Usage(self._prompt_tokens(request), count, len(reasoning)), finish, reasoning)

    def _formed(
        self, request: ChatRequest, wanted: Structure, dialogue: DialogueSummary, style: str, seed: str, cut: Tokenizer
    ) -> tuple[Answer | None, PromptForm | None]:
        """Calls, a document or an echo where that is what is wanted; else the form in which prose is."""
        if wanted.functions and not self._edition.entry(request.model).tools:
            raise Refusal("invalid-field", f"tools: model {request.model} does not call functions", param="tools")
        if wanted.functions and not (style == "echo" and wanted.choice == "auto"):
            functions = next_tool.chosen(wanted, request.messages, dialogue.asked)
            if functions:
                calls = toolcalls.calls(functions, _dice(seed, "tools"), cut)
                count = sum(len(one.pieces) for one in calls) + 1
                return Answer((), Usage(0, count), "tool_calls", tool_calls=calls), None
        said = dialogue.asked
        if style != "echo":
            form = None if wanted.schema is not None else prompt_form.find(request.messages, bare=wanted.document)
            document = _document(dialogue, wanted, form, seed)
            if document is None:
                return None, form if form is not None and form.schema is None else None
            said = document
        pieces = cut.pieces(said)
        return Answer(pieces, Usage(0, len(pieces) + 1)), None


def _written(
    edition: str,
    seed: int,
    wish: object,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    texts: Sequence[str] | None = None,
) -> str:
    """What decides the words, as JSON with its keys in order; the usual message needs no encoder.

    Args:
        edition: The edition's name.
        seed: The server's.
        wish: The request's.
        model: The model that answers.
        messages: The dialogue.
        texts: What its messages say, where each has a role and says one text.
    """
    if len(messages) == 1:
        said = _message(messages[0])
    elif texts is not None and sum(map(len, messages)) == 2 * len(texts) and max(map(len, texts)) <= _QUOTED:
        said = ", ".join(map(_MESSAGE, map(_quoted, texts), map(_quoted, map(_ROLE, messages))))
    else:
        said = ", ".join([_message(one) for one in messages])
    return f"[{_quoted(edition)}, {seed}, {'null' if wish is None else _in_order(wish)}, {_quoted(model)}, [{said}]]"


def _digest(text: str) -> str:
    """A long text by its digest: quoting it takes four times as long, and what is quoted would be digested too."""
    return _DIGEST_MARK + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _message(one: Mapping[str, Any]) -> str:
    if len(one) == 2 and type(content := one.get("content")) is str and type(role := one.get("role")) is str:
        said = _quoted(content) if len(content) <= _QUOTED else _digest(content)
        return f'{{"content": {said}, "role": {_quoted(role)}}}'
    return _in_order(one)


def reasons(entry: ModelEntry, body: Mapping[str, Any]) -> bool:
    """Whether a model reasons before it answers: by its nature, or as `enable_thinking` switches it."""
    if entry.reasoning in {"never", "always"}:
        return entry.reasoning == "always"
    switch = body.get("enable_thinking")
    return switch if isinstance(switch, bool) else entry.reasoning == "on"


def size_of(body: Mapping[str, Any]) -> tuple[int, int] | None:
    """The fewest and the most completion tokens that a request's fields want, as load generators ask servers for them.

    `ignore_eos` with a bound runs past any end, so that the bound cuts; `min_tokens` is met exactly. Neither field is
    the service's; vLLM and SGLang have both. None leaves the length to the source.
    """
    most = bounds(body)[0] if body.get("ignore_eos") is True else None
    size = whole(body.get("min_tokens")) if most is None else most + 1
    return None if size is None else (min(size, MOST_TOKENS),) * 2


def _document(dialogue: DialogueSummary, wanted: Structure, form: PromptForm | None, seed: str) -> str | None:
    """The document that is asked for, by `response_format` or by the prompt's words; None where prose is."""
    if wanted.schema is not None:
        value = toolcalls.value_for(wanted.schema, _dice(seed, "text"), SCHEMA_WHERE)
        return json.dumps(value, ensure_ascii=False)
    if form is not None and form.schema is not None:
        found = toolcalls.value_or_none(form.schema, _dice(seed, "text"))
        if found is not None:
            return form.written(*found)
    return json.dumps(document(dialogue, seed), ensure_ascii=False) if wanted.document else None


def document(dialogue: DialogueSummary, seed: str) -> dict[str, Any]:
    """A small JSON object about the question."""
    dice = _dice(seed, "text")
    return {
        "question": dialogue.quote,
        "language": dialogue.language.code,
        "answer": opening_text(dialogue, Draw(seed, "text")),
        "points": dice.sample(dialogue.language.advice, k=dice.randrange(1, 4)),
        "synthetic": True,
    }


def _dice(seed: str, purpose: str) -> random.Random:
    return random.Random(f"{seed}:{purpose}")  # noqa: S311 - reproducible, not secret
