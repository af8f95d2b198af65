"""The synthetic source: seeded text for any prompt."""

from __future__ import annotations

import random
import re
from functools import lru_cache

_CJK = re.compile("[\u4e00-\u9fff]")


@lru_cache(maxsize=1024)
def text_for(prompt: str, seed: int) -> str:
    """Readable text in the language of the prompt; the same prompt and seed give the same text."""
    dice = random.Random(f"{seed}:{prompt}")  # noqa: S311 - reproducible, not secret
    chinese = bool(_CJK.search(prompt))
    return _paragraph(dice, chinese)


def _paragraph(dice: random.Random, chinese: bool) -> str:  # noqa: FBT001
    sentences = _CHINESE if chinese else _ENGLISH
    chosen = dice.sample(sentences, k=3)
    return "".join(chosen) if chinese else " ".join(chosen)


_CHINESE = (
    "这是一段由模拟服务合成的回答。",
    "它的内容由问题和种子决定。",
    "同样的请求总会得到同样的文字。",
    "您可以用它检查客户端如何拼接流式内容。",
    "真实的模型会给出不同的说法。",
)
_ENGLISH = (
    "This answer was made by a mock service.",
    "Its words depend on the question and the seed.",
    "The same request always gets the same text.",
    "A real model would say something else.",
)
