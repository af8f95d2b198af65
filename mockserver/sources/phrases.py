"""The sentences that synthetic answers are made of, in Chinese and in English.

Every sentence stands on its own feet, so that any selection in order makes sense. Braces are filled in: `{quote}`, what
was asked; `{name}`, `{colleague}`, `{company}`, `{city}`, `{town}`, `{date}`, invented people, places and days.
"""

from __future__ import annotations

import re
from typing import Final

from mockserver.core.immutable import immutable
from mockserver.sources import tokens

_SEARCHED = 4000  # characters that are looked at for the language and the quotation


@immutable(frozen=True, slots=True, eq=False)  # equal is the same object, so that it is quick to look up by
class Language:
    """What is said in one language.

    Attributes:
        code: ISO 639-1.
        locale: The invented material's locale.
        gap: What stands between two sentences.
        quote_length: The most characters of a quotation.
        openings: First sentences; each says that the answer is synthetic.
        openings_without: The same where nothing was asked.
        turn: For a dialogue with earlier questions: `{turn}` is the number of this one, `{earlier}` the first.
        media: For images and videos: `{media}` is their number.
        tool: The answer to a tool's result, `{result}`.
        story: An example with invented material; the first sentence introduces it.
        advice: Sentences without material.
        closings: Last sentences.
        reasoning: A line of thought; the first and the last stay.
    """

    code: str
    locale: str
    gap: str
    quote_length: int
    openings: tuple[str, ...]
    openings_without: tuple[str, ...]
    turn: str
    media: str
    tool: tuple[str, ...]
    story: tuple[str, ...]
    advice: tuple[str, ...]
    closings: tuple[str, ...]
    reasoning: tuple[str, ...]


CHINESE: Final = Language(
    code="zh",
    locale="zh_CN",
    gap="",
    quote_length=24,
    openings=(
        "关于“{quote}”，以下是模拟服务合成的回答。",
        "您问的是“{quote}”，这里给出一份合成的回答。",
        "对于“{quote}”这个问题，模拟服务合成了下面的内容。",
        "您好！您提到了“{quote}”，下面是一段合成的文字。",
    ),
    openings_without=("您好！这是一段由模拟服务合成的回答。", "您好！以下内容由模拟服务合成，供测试使用。"),
    turn="这是我们的第{turn}轮对话，最初您问的是“{earlier}”。",
    media="您一共附上了{media}份图片或视频，模拟服务不会识别其中的内容。",
    tool=(
        "工具返回的结果是“{result}”，以下说明由模拟服务合成。",
        "根据工具的结果“{result}”，模拟服务合成了下面的回答。",
        "已经收到工具的结果“{result}”，下面是一段合成的文字。",
    ),
    story=(
        "先看一个虚构的例子：{name}在{city}的{company}工作，从{date}起负责一个相关的项目。",
        "项目开始时，团队收集了{count}份记录，其中大约{percent}%与这个问题直接有关。",
        "{name}把问题分成{few}个步骤，再和同事逐一核对结果。",
        "第一步用了{days}天，主要是整理资料和确认目标。",
        "第二步由{colleague}负责，重点是比较不同方案的成本和风险。",
        "后来，{town}的一家客户也参与了测试，并且提出了{few}条建议。",
        "最后，{company}把结论写成一份{pages}页的报告，交给了{town}的同事。",
        "从这个例子可以看到，先明确目标再安排步骤，往往比直接动手更省时间。",
    ),
    advice=(
        "首先，应当弄清楚问题的目的，以及希望得到什么样的结果。",
        "其次，可以把已知的条件逐一列出，看看还需要哪些信息。",
        "然后，把大的问题拆成小的步骤，每完成一步就检查一次。",
        "如果有多种方案，可以从成本、时间和风险三个方面进行比较。",
        "遇到不确定的地方，最好先做一个简单的试验，再决定下一步。",
        "需要注意的是，不同的情况有不同的要求，不能一概而论。",
        "通常，一份清楚的记录比好的记忆力更可靠。",
        "另外，可以请有经验的朋友看一看，他们往往能发现被忽略的细节。",
        "总之，先易后难、边做边改，是比较稳妥的方法。",
    ),
    closings=(
        "您想先了解哪一部分？",
        "如果还有其他问题，请继续提问。",
        "希望以上内容对您有所帮助！",
        "需要更详细的说明吗？",
    ),
    reasoning=(
        "用户问的是“{quote}”，先确认对方想知道什么。",
        "这个问题可以从目的、条件和步骤三个方面来看。",
        "先回忆相关的知识，再判断哪些内容最有用。",
        "直接给出结论可能不够清楚，最好结合一个例子。",
        "例子不能太复杂，否则会影响理解。",
        "还要检查一下前后是否一致，有没有遗漏的条件。",
        "如果信息不够，应该说明假设，而不是随意猜测。",
        "回答的语言要和提问一致，语气保持礼貌。",
        "思路已经清楚，可以开始回答了。",
    ),
)

ENGLISH: Final = Language(
    code="en",
    locale="en_US",
    gap=" ",
    quote_length=60,
    openings=(
        "On “{quote}”, here is an answer made up by a mock service.",
        "You asked about “{quote}”; this is a synthetic reply.",
        "Here is a synthetic answer to “{quote}”.",
        "Thank you for asking “{quote}”. What follows is synthetic text.",
    ),
    openings_without=(
        "Hello! This is a synthetic reply from a mock service.",
        "Hello! What follows is synthetic text.",
    ),
    turn="This is turn {turn} of our conversation; you first asked “{earlier}”.",
    media="Number of images or videos you attached: {media}. A mock service does not look at them.",
    tool=(
        "The tool returned “{result}”; the rest of this reply is synthetic.",
        "According to the tool, the result is “{result}”. What follows is synthetic text.",
        "The tool has answered with “{result}”, and a mock service made up the rest.",
    ),
    story=(
        "Take an invented example: {name} works for {company} in {city} and took over such a project on {date}.",
        "At the start the team gathered {count} records, and about {percent}% of them had to do with this question.",
        "{name} split the problem into {few} steps and checked each result with a colleague.",
        "The first step took {days} days, most of them spent on sorting notes and agreeing on a goal.",
        "{colleague} led the second step and compared the cost and the risk of each option.",
        "Later a customer in {town} joined the tests and made {few} suggestions.",
        "In the end {company} wrote a report of {pages} pages and sent it to the office in {town}.",
        "The example shows that a clear goal and small steps save more time than a quick start.",
    ),
    advice=(
        "First, be clear about the purpose of the question and about the result you hope for.",
        "Next, list what is known, and see what is still missing.",
        "Then break the large problem into small steps, and check each one when it is done.",
        "Where there are several options, compare their cost, their time and their risk.",
        "When something is uncertain, try a simple experiment before you decide.",
        "Keep in mind that different situations call for different answers.",
        "A clear record is usually more reliable than a good memory.",
        "It also helps to ask a friend with experience, who may see what you have missed.",
        "In short, begin with the easy part and improve as you go.",
    ),
    closings=(
        "Which part would you like to look at first?",
        "Feel free to ask another question.",
        "I hope this helps!",
        "Would you like more detail?",
    ),
    reasoning=(
        "The user asks “{quote}”, so the first thing is to see what they want to know.",
        "The question can be read from three sides: the purpose, the conditions and the steps.",
        "Let me recall what is relevant and decide what is most useful.",
        "A bare conclusion may be unclear, so an example would help.",
        "The example should stay simple, or it will distract.",
        "I should also check that everything is consistent and that no condition is missing.",
        "Where information is missing, it is better to state an assumption than to guess.",
        "The reply should be polite and in the language of the question.",
        "The line of thought is clear now, so I can answer.",
    ),
)

# Patterns as text: `re` compiles each when it is first needed and keeps it, which saves their time at the start.
_HAN = "[\u3400-\u9fff\uf900-\ufaff]"
_LATIN_WORD = "[A-Za-z]+"
_GAPS = r"[\s\x00-\x1f\x7f-\x9f]+"
_INVISIBLE = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"


def language_of(text: str) -> Language:
    """Chinese where there are at least as many Chinese characters as words in Latin letters, else English."""
    if text.isascii():  # the usual text; it is known of it already
        return ENGLISH
    head = text[:_SEARCHED]
    if head.isascii():
        return ENGLISH
    chinese = len(re.findall(_HAN, head))
    return CHINESE if chinese and chinese >= len(re.findall(_LATIN_WORD, head)) else ENGLISH


def quotation(text: str, most: int) -> str:
    """The beginning of a text, at most `most` characters, fit to stand between quotation marks on one line."""
    if len(text) <= most and text.isascii() and text.isprintable():
        return " ".join(text.split())
    head = text[:_SEARCHED]
    if head.isascii() and head.isprintable():
        clean = " ".join(head.split())
    else:
        clean = re.sub(_GAPS, " ", re.sub(_INVISIBLE, "", head)).strip().replace("“", "‘").replace("”", "’")
    if len(clean) <= most and len(head) == len(text):
        return clean
    kept = ""
    for piece in tokens.pieces(clean[: most + 20]):
        if len(kept) + len(piece) > most:
            break
        kept += piece
    return kept.rstrip(" ，,、。.；;：:") + "…"
