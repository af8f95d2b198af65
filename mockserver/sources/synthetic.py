"""The synthetic source: an answer for any request, made from the request and a seed. The only user of faker.

The same question of the same dialogue gets the same words, on every chip, streamed or not, whatever the temperature;
another `seed` in the request, another seed of the server or another edition gives others. The words do not depend on
whether the extra `tokens` is installed, only their cuts do.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.exchange import ANSWER_STYLES, Answer, Usage, texts_of
from mockserver.pipeline.structure import SCHEMA_WHERE, structure
from mockserver.sources import next_tool, phrases, prompt_form, tokens, toolcalls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.core.exchange import ChatRequest
    from mockserver.pipeline.structure import Structure
    from mockserver.profile.edition import Edition, ModelEntry
    from mockserver.sources.phrases import Language

SHORTEST, LIKELIEST, LONGEST = 20, 70, 200
"""Tokens of an answer's text: a triangular distribution, met to within a sentence."""
RESULT_LENGTH: Final = 80
KEPT_ANSWERS: Final = 256
_KEPT_REQUEST = 16_384  # characters; answers to longer requests are made anew, so that the memory is bounded
_SHAPING = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "enable_thinking")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Synthetic:
    """Makes answers for one edition.

    Args:
        edition: Its catalogue says which models reason, call functions, and how they count tokens.
        seed: Part of everything derived.
        style: One of `ANSWER_STYLES`: `faker` uses invented names, places and dates, `template` does without,
            `echo` answers the last user message as it is. `X-Mock-Answer` overrides it for one request.

    Raises:
        OperatorError: an unknown style, or a vocabulary in the catalogue that is not known.
    """

    def __init__(self, edition: Edition, seed: int, style: str = "faker") -> None:
        if style not in ANSWER_STYLES:
            raise OperatorError(f"answer style: {style!r} is not allowed; allowed: {', '.join(ANSWER_STYLES)}")
        for entry in edition.models.values():
            tokens.check_name(entry.tokenizer, f"{edition.name}: models: {entry.id}")
        self._edition = edition
        self._seed = seed
        self._style = style
        self._material = Material()
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()

    def answer(self, request: ChatRequest) -> Answer:
        """The answer; raises Refusal where the request asks for a form that cannot be had."""
        style = request.answer_style or self._style
        body = request.body
        asked = json.dumps(
            [self._edition.name, self._seed, body.get("seed"), request.model, request.messages], sort_keys=True
        )
        shaping = json.dumps([style, *map(body.get, _SHAPING)])
        origin = hashlib.blake2b(asked.encode(), digest_size=16)
        seed = origin.hexdigest()
        origin.update(b"\0" + shaping.encode())
        key = origin.digest()
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        made = self._make(request, style, seed)
        if len(asked) + len(shaping) <= _KEPT_REQUEST:
            self._kept[key] = made
            if len(self._kept) > KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return made

    def _make(self, request: ChatRequest, style: str, seed: str) -> Answer:
        entry = self._edition.entry(request.model)
        wanted = structure(request.body)
        if wanted.functions and not entry.tools:
            raise Refusal("invalid-field", f"tools: model {entry.id} does not call functions", param="tools")
        dialogue = DialogueSummary(request.messages)
        cut = tokens.tokenizer(entry.tokenizer)
        reasoning: tuple[str, ...] = ()
        if reasons(entry, request.body):
            reasoning = cut.pieces(line_of_thought(dialogue, _dice(seed, "reasoning")))
        echoes = style == "echo" and wanted.choice == "auto"
        functions = () if echoes else next_tool.chosen(wanted, request.messages, dialogue.asked)
        calls = toolcalls.calls(functions, _dice(seed, "tools"), cut)
        pieces = () if calls else cut.pieces(self._text(request.messages, dialogue, wanted, style, seed))
        size = len(reasoning) + len(pieces) + sum(len(one.pieces) for one in calls)
        usage = Usage(tokens.prompt_tokens(request, self._edition), size + 1, len(reasoning))
        return Answer(pieces, usage, "tool_calls" if calls else "stop", reasoning, calls)

    def _text(
        self,
        messages: Sequence[Mapping[str, Any]],
        dialogue: DialogueSummary,
        wanted: Structure,
        style: str,
        seed: str,
    ) -> str:
        if style == "echo":
            return dialogue.asked
        dice = _dice(seed, "text")
        if wanted.schema is not None:
            return json.dumps(toolcalls.value_for(wanted.schema, dice, SCHEMA_WHERE), ensure_ascii=False)
        form = prompt_form.find(messages, bare=wanted.document)
        if form is not None and form.schema is not None:
            value = toolcalls.value_or_none(form.schema, dice)
            if value is not None:
                return form.written(*value)
        if wanted.document:
            return json.dumps(document(dialogue, dice), ensure_ascii=False)
        said = prose(dialogue, dice, self._material.draw(dialogue.language, dice) if style == "faker" else None)
        return form.written(said) if form is not None and form.schema is None else said


class DialogueSummary:
    """What a dialogue comes down to for the answer.

    Attributes:
        asked: The text of the last user message; empty where there is none.
        language: Its language.
        quote: Its beginning, fit to be quoted.
        turn: How many user messages there are.
        earlier: The beginning of the first of them.
        media: How many images and videos the last user message has.
        role: The role of the last message.
        result: What a tool returned, where that is the last message; else None.
    """

    def __init__(self, messages: Iterable[Mapping[str, Any]]) -> None:
        turns = list(messages)
        users = [message for message in turns if message.get("role", "user") == "user"]
        last = turns[-1]
        self.asked = "".join(texts_of(users[-1])) if users else ""
        self.language = phrases.language_of(self.asked)
        most = self.language.quote_length
        self.quote = phrases.quotation(self.asked, most)
        self.turn = len(users)
        self.earlier = phrases.quotation("".join(texts_of(users[0])), most) if users else ""
        self.media = tokens.media_parts(users[-1]) if users else 0
        self.role = last.get("role", "user")
        self.result = phrases.quotation("".join(texts_of(last)), RESULT_LENGTH) if self.role == "tool" else None


class Material:
    """Invented names, places and dates; faker is loaded when they are first wanted."""

    def __init__(self) -> None:
        self._makers: dict[str, Any] = {}

    def draw(self, language: Language, dice: random.Random) -> dict[str, str]:
        """The material of one answer."""
        maker = self._makers.get(language.locale)
        if maker is None:
            from faker import Faker

            maker = self._makers[language.locale] = Faker(language.locale)
        maker.seed_instance(dice.getrandbits(64))
        chinese = language is phrases.CHINESE
        place = maker.city_name if chinese else maker.city
        day = maker.date_between(start_date=date(2015, 1, 1), end_date=date(2024, 12, 31))
        return {
            "name": maker.name() if chinese else f"{maker.first_name()} {maker.last_name()}",
            "colleague": maker.name() if chinese else f"{maker.first_name()} {maker.last_name()}",
            "company": maker.company(),
            "city": place(),
            "town": place(),
            "date": f"{day.year}年{day.month}月{day.day}日"
            if chinese
            else f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
            "count": str(dice.randrange(120, 9000)),
            "percent": str(dice.randrange(11, 90)),
            "few": str(dice.randrange(3, 8)),
            "days": str(dice.randrange(3, 28)),
            "pages": str(dice.randrange(8, 60)),
        }


def reasons(entry: ModelEntry, body: Mapping[str, Any]) -> bool:
    """Whether a model reasons before it answers: by its nature, or as `enable_thinking` switches it."""
    if entry.reasoning in {"never", "always"}:
        return entry.reasoning == "always"
    switch = body.get("enable_thinking")
    return switch if isinstance(switch, bool) else entry.reasoning == "on"


def prose(dialogue: DialogueSummary, dice: random.Random, material: Mapping[str, str] | None) -> str:
    """Sentences that make sense one after the other, from about `SHORTEST` to about `LONGEST` tokens.

    The question is quoted, and so is the first question of a dialogue of several; after a tool's result, that is
    quoted instead. Without material, the example is left out.
    """
    language = dialogue.language
    target = dice.triangular(SHORTEST, LONGEST, LIKELIEST)
    opening = [_opening(dialogue, dice)]
    if dialogue.turn > 1:
        opening.append(language.turn.format(turn=dialogue.turn, earlier=dialogue.earlier or "…"))
    if dialogue.media:
        opening.append(language.media.format(media=dialogue.media))
    body: list[str] = []
    closing = dice.choice(language.closings)
    room = target - tokens.ESTIMATOR.count("".join(opening)) - tokens.ESTIMATOR.count(closing)
    told = [sentence.format_map(material) for sentence in _some(language.story, dice)] if material else []
    for sentences in (told, _some(language.advice, dice)):
        for sentence in sentences:
            cost = tokens.ESTIMATOR.count(sentence)
            if cost > room and target - room >= SHORTEST:
                break
            body.append(sentence)
            room -= cost
    parts = [language.gap.join(opening), language.gap.join(body), closing]
    return ("\n\n" if len(body) > 4 else language.gap).join(filter(None, parts))


def _opening(dialogue: DialogueSummary, dice: random.Random) -> str:
    language = dialogue.language
    if dialogue.result is not None:
        return dice.choice(language.tool).format(result=dialogue.result)
    return dice.choice(language.openings if dialogue.quote else language.openings_without).format(quote=dialogue.quote)


def _some(sentences: tuple[str, ...], dice: random.Random) -> list[str]:
    """The first sentence and some of the others, in their order."""
    kept = set(dice.sample(range(1, len(sentences)), k=dice.randrange(len(sentences) // 2, len(sentences))))
    return [sentence for number, sentence in enumerate(sentences) if number == 0 or number in kept]


def line_of_thought(dialogue: DialogueSummary, dice: random.Random) -> str:
    """The text of `reasoning_content`: what is asked, some thoughts on it, the decision to answer."""
    first, *middle, last = dialogue.language.reasoning
    kept = sorted(dice.sample(range(len(middle)), k=dice.randrange(len(middle) + 1)))
    thoughts = [first.format(quote=dialogue.quote or "…"), *(middle[number] for number in kept), last]
    return dialogue.language.gap.join(thoughts)


def document(dialogue: DialogueSummary, dice: random.Random) -> dict[str, Any]:
    """A small JSON object about the question."""
    return {
        "question": dialogue.quote,
        "language": dialogue.language.code,
        "answer": _opening(dialogue, dice),
        "points": dice.sample(dialogue.language.advice, k=dice.randrange(1, 4)),
        "synthetic": True,
    }


def _dice(seed: str, purpose: str) -> random.Random:
    return random.Random(f"{seed}:{purpose}")  # noqa: S311 - reproducible, not secret
