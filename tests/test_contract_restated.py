"""What is learnt of any stream of the axes is what the stream says, and the rest is named."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from mockserver.contract import learn, restated
from mockserver.core.data import shipped
from mockserver.core.errors import printable
from mockserver.core.exchange import Answer, Exchange, Head, Plan, Request, ToolCall, Usage
from mockserver.pipeline.render import render_body, render_stream
from mockserver.profile import quirks
from mockserver.profile.edition import load_edition
from tests.learning import few, quirk_sets

if TYPE_CHECKING:
    from mockserver.pipeline.wire_settings import WireSettings

EDITION = load_edition("2025-reference", [shipped("profiles")])
CALLS = (ToolCall("call_a", "weather", ('{"city": ', '"北京"', "}")), ToolCall("call_b", "now", ("{}",)))
ANSWERS = (
    Answer(("我是", "一个", "大", "语言", "模型", "。"), Usage(9, 7)),
    Answer(("九", "点", "十一", "更", "小", "，", "所以", "。"), Usage(9, 12, 3), reasoning=("想", "一", "想")),
    Answer((), Usage(9, 8), "tool_calls", tool_calls=CALLS),
    Answer(("我是", "一个", "大", "语言", "模型"), Usage(9, 5), "length"),
)


def exchanges(wire: WireSettings) -> dict[str, Exchange]:
    """Each answer as a server with these settings sends it: streamed with and without usage asked for, and whole."""
    found = {}
    for number, answer in enumerate(ANSWERS):
        head = Head(f"chatcmpl-{number:022}", 1_764_547_200, "m")
        bodies = {
            b'{"model": "m", "stream": true}': render_stream(answer, head, wire, include_usage=False),
            b'{"model": "m", "stream": true, "stream_options": {"include_usage": true}}': render_stream(
                answer, head, wire, include_usage=True
            ),
            b'{"model": "m"}': [render_body(answer, head, wire)],
        }
        for place, (asked, frames) in enumerate(bodies.items()):
            request = Request("POST", "/maas/m/new/chat/completions", {}, asked)
            found[f"{number}-{place}"] = Exchange(request, Plan(200, (), tuple(frames)), frames_sent=len(frames))
    return found


differing: list[int] = []
left: list[int] = []


@few
@given(quirk_sets, st.just(learn.blank(EDITION, "new").wire))
def test_what_is_not_captured_is_named(names: list[str], base: WireSettings) -> None:
    """Under the learnt profile the mock says each answer again; what then differs stands in the notes."""
    came = exchanges(reduce(quirks.changed, names, base))
    learnt = learn.learned(EDITION, "m", "new", came, "2026-11-28")
    wire = reduce(quirks.changed, (claim.name for claim in learnt.file.quirks), base)

    rest = restated.compared(came.values(), wire).differences

    differing.append(len(restated.compared(came.values(), base).differences))
    left.append(len(rest))
    assert [one for one in rest if not any(printable(str(one)) in note for note in learnt.notes)] == []


def test_most_is_captured() -> None:
    """Over the streams above 95 % of what differs from the standard is said by the learnt profiles."""
    test_what_is_not_captured_is_named()

    assert sum(differing) > 0
    assert sum(left) <= 0.05 * sum(differing), f"{sum(left)} of {sum(differing)} are left"


def test_a_difference_is_told_by_its_path() -> None:
    """A key that no quirk can say, and a key in another place, each once, with in how many answers."""
    base = learn.blank(EDITION, "new").wire
    one = exchanges(base)["0-2"]
    assert one.plan is not None
    spoilt = one.plan.frames[0].replace(b'"index":0,', b"").replace(b'"choices"', b'"more":{"a":1},"choices"')
    changed = Exchange(one.request, Plan(200, (), (spoilt,)), frames_sent=1)

    found = restated.compared([changed, one], base)

    assert (found.answers, found.same) == (2, 1)
    assert list(map(str, found.differences)) == [
        'more: recorded {"a": 1}, the mock absent (in 1)',
        "choices[].index: recorded absent, the mock 0 (in 1)",
    ]
