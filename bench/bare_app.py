"""What the start is compared with: the smallest app of Starlette and pydantic that reads a chat and answers it.

Run as `python -m bench.bare_app --port PORT`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


class Message(BaseModel):
    """One message."""

    role: str
    content: str


class Chat(BaseModel):
    """A request."""

    model: str | None
    messages: list[Message]
    stream: bool = False


class Said(BaseModel):
    """An answer."""

    id: str
    model: str | None
    text: str


async def chat(request: Request) -> Response:
    """Say what was asked."""
    asked = Chat.model_validate_json(await request.body())
    said = Said(id="chatcmpl-1", model=asked.model, text=asked.messages[-1].content)
    return Response(said.model_dump_json(), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(Starlette(routes=[Route("/{rest:path}", chat, methods=["POST"])]), port=int(sys.argv[2]))
