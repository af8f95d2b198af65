"""Asking a mock and its control API, for tests of what a test author is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from openai import OpenAI

from mockserver.server.control import PREFIX

if TYPE_CHECKING:
    from mockserver.session import Session


def client(session: Session, retries: int = 0, **more: Any) -> OpenAI:
    """The official SDK, pointed at the session."""
    return OpenAI(base_url=session.base_url, api_key=session.api_key, max_retries=retries, **more)


def asked(session: Session, text: str = "你是谁?", *, timeout_s: float = 10, **more: Any) -> httpx.Response:
    """An answer as it is on the wire; `more` are further fields of the body."""
    body = {"messages": [{"role": "user", "content": text}], **more}
    headers = {"Authorization": f"Bearer {session.api_key}"}
    url = f"{session.base_url}/chat/completions"
    return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=timeout_s)


def said(answer: httpx.Response) -> str:
    """The text of an answer that is not streamed."""
    return str(answer.json()["choices"][0]["message"]["content"])


def control(session: Session, method: str, path: str, **more: Any) -> httpx.Response:
    """One request to the control API, as any client sends it."""
    headers = {"authorization": f"Bearer {session.api_key}", "content-type": "application/json"}
    headers |= more.pop("headers", {})
    return httpx.request(method, f"{session.url}{PREFIX}{path}", headers=headers, trust_env=False, **more)
