"""Text for XML, in which not every character may stand."""

from __future__ import annotations


def xml_text(text: str) -> str:
    """The text with a question mark for each character that XML 1.0 cannot hold, half a surrogate pair among them."""
    return "".join(one if one in "\t\n" or _may_stand(one) else "?" for one in text)


def _may_stand(one: str) -> bool:
    return one >= " " and one not in "\ufffe\uffff" and not "\ud800" <= one <= "\udfff"
