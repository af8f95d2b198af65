"""What `make docs` does to the Chinese pages beside building them."""

from __future__ import annotations

import pytest

from tests.site import in_chinese, unbroken


@pytest.mark.parametrize(
    ("text", "built"),
    [
        pytest.param("有何不同，\n又为什么。", "有何不同，又为什么。", id="a-line-goes-on"),
        pytest.param("- 甲\n  乙\n- 丙", "- 甲乙\n- 丙", id="an-item-goes-on"),
        pytest.param("版本\nedition", "版本\nedition", id="a-word-of-letters-keeps-its-space"),
        pytest.param("甲\n\n乙", "甲\n\n乙", id="paragraphs-stay"),
        pytest.param("甲\n\n```text\n乙\n丙\n```\n", "甲\n\n```text\n乙\n丙\n```\n", id="blocks-stay"),
        pytest.param("| 甲 |\n| 乙 |", "| 甲 |\n| 乙 |", id="tables-stay"),
    ],
)
def test_chinese_has_no_space_where_a_line_ends(text: str, built: str) -> None:
    """Browsers show the end of a line as a space, which Chinese does not have."""
    assert unbroken(text) == built


def test_a_chinese_page_says_so() -> None:
    """Once, at its root; what it shows of other pages stays."""
    page = '<html lang="en" class="no-js"><body><code>&lt;html lang="en"</code></body></html>'

    assert in_chinese(page).startswith('<html lang="zh-CN" class="no-js">')
    assert in_chinese(page).count('lang="en"') == 1
