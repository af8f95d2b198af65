"""What looks like a key, whoever's it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG = rb"[A-Za-z0-9_-]{16,}"
_NAMED = rb"\W{1,8}((?=[a-z_-]*[0-9])[a-z0-9_-]{20,})"  # words alone are how documents write "your key here"
KEY_SHAPES: Final = {
    "an API key (sk-…)": (rb"sk-(?<![A-Za-z0-9]sk-)" + _LONG,),
    "an API key of another service": (
        rb"xai-(?<!\wxai-)" + _LONG,
        rb"pplx-(?<!\wpplx-)" + _LONG,
        rb"r8_(?<!\wr8_)" + _LONG,
        rb"sk_live_(?<!\wsk_live_)" + _LONG,
        rb"rk_live_(?<!\wrk_live_)" + _LONG,
        rb"\.(?<=[0-9a-f]{32}\.)[A-Za-z0-9]{16}\b",
    ),
    "a bearer token": (rb"bearer(?<!\wbearer)\s+[A-Za-z0-9._~+/-]{16,}=*",),
    "a JSON web token": (rb"eyJ(?<!\weyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",),
    "a cloud access key": (
        rb"AKIA(?<!\wAKIA)[0-9A-Z]{16}\b",
        rb"ASIA(?<!\wASIA)[0-9A-Z]{16}\b",
        rb"LTAI(?<!\wLTAI)[0-9A-Za-z]{12,26}\b",
        rb"AIza(?<!\wAIza)[0-9A-Za-z_-]{35}",
    ),
    "an access token of a code host": (
        rb"gh(?<!\wgh)[pousr][_-]" + _LONG,
        rb"github_pat_(?<!\wgithub_pat_)" + _LONG,
        rb"npm_(?<!\wnpm_)[A-Za-z0-9]{36}\b",
        rb"pypi-(?<!\wpypi-)" + _LONG,
        rb"glpat(?<!\wglpat)[_-]" + _LONG,
        rb"hf[_-](?<!\whf[_-])" + _LONG,
        rb"gsk[_-](?<!\wgsk[_-])" + _LONG,
        rb"xox(?<!\wxox)[abprs][_-]" + _LONG,
    ),
    "a key by its name": (
        rb"api(?<!\wapi)[_-]?key" + _NAMED,
        rb"secret[_-]?(?:access[_-]?)?key" + _NAMED,
        rb"access[_-]?token" + _NAMED,
        rb"client[_-]?secret" + _NAMED,
    ),
    "a password": (
        rb"://[^\s/@:\"\\]{1,64}:([^\s/@\"\\*][^\s/@\"\\]{5,63})@",
        rb"authorization\W{1,8}basic\s+([a-z0-9+/]{8,}={0,2})",
    ),
    "a private key": (rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",),
}
"""Expressions that begin with their fixed letters, which makes looking for them ten times as fast.

Where a part is in brackets it alone is the key: what names it is left, since it may be JSON's.
"""
_ANY_CASE = {"a bearer token", "a key by its name", "a password"}
_COMPILED: Final = {kind: tuple(re.compile(one) for one in row) for kind, row in KEY_SHAPES.items()}


def findings(data: bytes) -> Iterator[str]:
    """What in `data` looks like a key, by its kind; the finding itself is not shown."""
    for kind in _COMPILED:
        if any(next(each, None) for each in shaped(kind, data)):
            yield kind


def shaped(kind: str, data: bytes) -> Iterator[Iterator[re.Match[bytes]]]:
    """What in `data` has a key's shape."""
    looked_at = data.lower() if kind in _ANY_CASE else data
    return (shape.finditer(looked_at) for shape in _COMPILED[kind])
