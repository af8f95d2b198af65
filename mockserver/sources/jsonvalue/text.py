"""Plausible words and figures for a property, by its name or its format.

Two tables: `FORMATS` has for each format of JSON Schema what makes a text and what checks one; `HINTS` has for words in
a property's name what a person would expect there, in English and in Chinese.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date, time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from mockserver.core.immutable import immutable
from mockserver.sources.jsonvalue import pattern as patterns

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


@immutable(frozen=True, slots=True)
class Format:
    """One value of `format`.

    Attributes:
        samples: Texts that have it.
        has: Whether a text has it.
        numbered: Where more are needed: a template with a number from 0 to 999 in it.
    """

    samples: tuple[str, ...]
    has: Callable[[str], bool]
    numbered: str

    def texts(self, serial: int) -> list[str]:
        """The samples, or one text for a serial number above 0."""
        number = serial % 1000
        return [self.numbered.format(number, byte=number % 250, minute=number % 60)] if serial else [*self.samples]


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _parsed(parse: Callable[[str], object], pattern: str) -> Callable[[str], bool]:
    """The pattern fits, and the parser raises no ValueError."""
    compiled = re.compile(pattern)

    def has(text: str) -> bool:
        if compiled.fullmatch(text) is None:
            return False
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return has


def _date_time(text: str) -> None:
    date.fromisoformat(text[:10])
    _time(text[11:])


def _time(text: str) -> None:
    time.fromisoformat(text[:8])
    if text[-6] in "+-" and (int(text[-5:-3]) > 23 or int(text[-2:]) > 59):
        raise ValueError(text)


def _base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error


def _regex(text: str) -> bool:
    try:
        patterns.matches(text, "")
    except patterns.PatternBeyondError:
        return False
    return True


_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_URI: Final = r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_IRI: Final = r"[^\s<>\"{}|\\^`\x00-\x1f]*"
_DURATION: Final = (
    r"P(?:[0-9]+W|(?=.)(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T(?=.)(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)"
)
_POINTER: Final = r"(?:/(?:[^~/]|~[01])*)*"
_HEX: Final = "[0-9A-Fa-f]"
_BASE64: Final = Format(("aGVsbG8=", "dGVzdA==", "5L2g5aW9"), _parsed(_base64, "[A-Za-z0-9+/]*=*"), "{:04}")

FORMATS: Final[dict[str, Format]] = {
    "date-time": Format(
        ("2026-03-14T09:30:00Z", "2026-07-01T18:00:00+08:00", "2026-11-22T08:15:30Z"),
        _parsed(_date_time, f"{_DAY}[Tt]{_CLOCK}"),
        "2{:03}-03-14T09:30:00Z",
    ),
    "date": Format(("2026-03-14", "2026-07-01", "2026-11-22"), _parsed(date.fromisoformat, _DAY), "2{:03}-03-14"),
    "time": Format(("09:30:00Z", "18:00:00+08:00", "08:15:30Z"), _parsed(_time, _CLOCK), "09:{minute:02}:00Z"),
    "duration": Format(("PT30M", "P1D", "PT1H30M", "P2W"), _like(_DURATION), "P{}D"),
    "email": Format(("li.hua@example.com", "ada@example.com", "team@example.org"),
        _like(f"{_LOCAL}@{_HOST}"), "user{}@example.com"),
    "idn-email": Format(("li.hua@example.com", "ada@example.com"), _like(rf"[^\s@]+@{_HOST}"), "user{}@example.com"),
    "hostname": Format(("example.com", "api.example.com", "db1.example.org"), _like(_HOST), "db{}.example.org"),
    "idn-hostname": Format(("example.com", "api.example.com"), _like(_HOST), "db{}.example.org"),
    "ipv4": Format(("192.0.2.1", "198.51.100.7", "203.0.113.42"), _parsed(IPv4Address, "[0-9.]+"), "192.0.2.{byte}"),
    "ipv6": Format(("2001:db8::1", "2001:db8::42", "::1"), _parsed(IPv6Address, "[0-9A-Fa-f:.]+"), "2001:db8::{:x}"),
    "uri": Format(
        ("https://example.com/", "https://example.com/docs", "https://example.org/a?page=1"),
        _like(rf"[A-Za-z][A-Za-z0-9+.-]*:{_URI}"),
        "https://example.com/{}",
    ),
    "uri-reference": Format(("/docs/intro", "https://example.com/docs", "#top"), _like(_URI), "/docs/{}"),
    "iri": Format(
        ("https://example.com/文档", "https://example.com/"),
        _like(rf"[A-Za-z][A-Za-z0-9+.-]*:{_IRI}"),
        "https://example.com/文档/{}",
    ),
    "iri-reference": Format(("/文档", "https://example.com/"), _like(_IRI), "/文档/{}"),
    "uuid": Format(
        ("3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b", "9d1f0a2b-7c3e-4b5d-8e6f-1a2b3c4d5e6f"),
        _like(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"),
        "3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f{:04x}",
    ),
    "json-pointer": Format(("/items/0", "/name", ""), _like(_POINTER), "/items/{}"),
    "relative-json-pointer": Format(("0", "1/name"), _like(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"), "{}"),
    "regex": Format(("^[a-z]+$", "^[0-9]{4}$"), _regex, "^item{}$"),
    "byte": _BASE64,
    "base64": _BASE64,
}  # fmt: skip


@immutable(frozen=True, slots=True)
class Hint:
    """What is expected under a name.

    Attributes:
        words: A name that holds one of these words, or (Chinese) one of these texts, is meant.
        english: Texts.
        chinese: Texts where the schema holds Chinese; none means the English ones.
        numbers: From and to, inclusive; None where the name tells nothing about numbers.
    """

    words: tuple[str, ...]
    english: tuple[str, ...] = ()
    chinese: tuple[str, ...] = ()
    numbers: tuple[float, float] | None = None


HINTS: Final[tuple[Hint, ...]] = (
    Hint(("email", "mail", "邮箱"), FORMATS["email"].samples),
    Hint(("url", "uri", "link", "href", "website", "网址", "链接"), FORMATS["uri"].samples),
    Hint(("phone", "mobile", "tel", "电话", "手机"), ("+1 555 0100", "+1 555 0123"), ("13800000000", "13900000000")),
    Hint(("city", "town", "城市"), ("Paris", "London", "Berlin"), ("北京", "上海", "杭州")),
    Hint(("country", "nation", "国家"), ("France", "Japan", "Canada"), ("中国", "法国", "日本")),
    Hint(("province", "state", "region", "省"), ("California", "Bavaria"), ("浙江", "广东")),
    Hint(("location", "place", "destination", "origin", "地点", "位置"),
         ("San Francisco, CA", "Paris, France"), ("北京", "上海浦东")),
    Hint(("address", "street", "地址"), ("1 Main Street", "12 Garden Road"), ("中关村大街1号", "南京路12号")),
    Hint(("unit", "units", "单位"), ("celsius", "fahrenheit"), ("摄氏度", "华氏度")),
    Hint(("language", "lang", "locale", "语言"), ("en", "zh", "fr"), ("中文", "英文")),
    Hint(("currency", "货币"), ("USD", "EUR", "CNY"), ("CNY", "USD")),
    Hint(("datetime", "timestamp"), FORMATS["date-time"].samples, numbers=(1_767_225_600, 1_798_761_600)),
    Hint(("date", "day", "birthday", "deadline", "日期", "生日"), FORMATS["date"].samples, numbers=(1, 28)),
    Hint(("time", "时间"), ("09:30", "18:00"), ("09:30", "18:00"), (1, 60)),
    Hint(("year", "年份"), ("2025", "2026"), numbers=(2020, 2026)),
    Hint(("month", "月份"), ("March", "July"), ("三月", "七月"), (1, 12)),
    Hint(("age", "年龄"), ("30",), numbers=(18, 60)),
    Hint(("price", "cost", "amount", "total", "salary", "价格", "金额"), ("19.90", "99.00"), numbers=(9, 200)),
    Hint(("temperature", "温度"), ("21",), numbers=(0, 1)),
    Hint(("latitude", "lat", "纬度"), ("39.9",), numbers=(20, 50)),
    Hint(("longitude", "lng", "lon", "经度"), ("116.4",), numbers=(70, 120)),
    Hint(("score", "confidence", "probability", "rating", "置信度", "评分"), ("0.9",), numbers=(0, 1)),
    Hint(("percent", "percentage", "百分比"), ("42",), numbers=(1, 99)),
    Hint(("page", "index", "offset", "页码"), ("1",), numbers=(1, 3)),
    Hint(("count", "number", "limit", "quantity", "num", "size", "n", "k", "days", "数量", "人数"),
         ("3",), numbers=(1, 10)),
    Hint(("id", "uuid", "编号"), ("a1b2c3", "item-42", "u-1001"), numbers=(1, 1000)),
    Hint(("title", "subject", "标题"), ("Weekly report", "Project plan"), ("每周报告", "项目计划")),
    Hint(("query", "question", "keyword", "keywords", "search", "q", "查询", "问题", "关键词"),
         ("weather in Paris", "latest news"), ("北京天气", "最新消息")),
    Hint(("description", "summary", "content", "text", "message", "body", "comment", "reason",
          "explanation", "thought", "note", "描述", "摘要", "内容", "理由"),
         ("A short example.", "Everything looks fine."), ("这是一个简短的例子。", "一切正常。")),
    Hint(("expression", "formula", "表达式"), ("2 + 2", "3 * 7")),
    Hint(("sql",), ("SELECT 1",)),
    Hint(("code", "script", "代码"), ("print(42)",)),
    Hint(("path", "file", "filename", "directory", "路径", "文件"), ("notes.txt", "data/report.csv")),
    Hint(("color", "colour", "颜色"), ("blue", "green"), ("蓝色", "绿色")),
    Hint(("tag", "tags", "label", "labels", "category", "type", "kind", "topic", "标签", "类别"),
         ("news", "travel", "music"), ("新闻", "旅行", "音乐")),
    Hint(("company", "organization", "organisation", "公司"), ("Example Ltd",), ("示例公司",)),
    Hint(("name", "author", "user", "username", "person", "姓名", "名字", "名称"),
         ("Ada", "Li Hua", "Grace"), ("李华", "王芳", "张伟")),
)  # fmt: skip
PLAIN: Final = Hint((), ("example", "sample", "alpha", "beta"), ("示例", "样例", "内容"))
KEYS: Final = ("alpha", "beta", "gamma", "delta", "extra")
"""Names for properties that no schema names."""

_CHINESE: Final = re.compile("[\u3400-\u9fff]")
_WORD: Final = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


def is_chinese(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return _CHINESE.search(text) is not None


def hint_for(name: str) -> Hint:
    """The first hint whose word is in the name (`departure_city`, `departureCity`, `出发城市`), or the plain one."""
    words = {word.lower() for word in _WORD.findall(name[:100])}
    words |= {word.removesuffix("s") for word in words}
    for hint in HINTS:
        if any(word in words or (word in name and is_chinese(word)) for word in hint.words):
            return hint
    return PLAIN


def text_for(
    name: str, dice: random.Random, shortest: int, longest: int, *, chinese: bool = False, serial: int = 0
) -> str:
    """A text for a property.

    Args:
        name: The property's name.
        dice: Decides among the texts.
        shortest: Least length in code points.
        longest: Greatest length in code points.
        chinese: Prefer Chinese.
        serial: 0, or a number that makes the text another one.
    """
    hint = hint_for(name)
    texts = (hint.chinese if chinese else ()) or hint.english or PLAIN.english
    fitting = [text for text in texts if shortest <= len(text) <= longest]
    text = dice.choice(fitting or texts)
    if serial:
        mark = str(serial)
        text = f"{text[: max(longest - len(mark) - 1, 0)]} {mark}"[-longest:] if longest else ""
    if len(text) < shortest:
        text = (text + " ") * (shortest // (len(text) + 1) + 1)
        text = text[: shortest - 1] + "."
    return text[:longest]
