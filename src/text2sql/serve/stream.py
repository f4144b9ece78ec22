"""The WebSocket: tokens as the model writes them, then the checked SQL, then the rows."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from text2sql.serve.config import ServeConfig
from text2sql.serve.guard import require_token
from text2sql.serve.messages import Answer, Ask
from text2sql.serve.refusal import Refusal
from text2sql.serve.service import Service

IDLE_SECONDS = 600.0
POLICY_VIOLATION = 1008


async def converse(socket: WebSocket, service: Service) -> None:
    """Answer the questions of one connection, one after another.

    Each message is an `Ask` as JSON, where a token is needed with ``token`` beside it in the first.
    What comes back is one object a message, told apart by ``type``: ``text`` (the answer so far),
    ``sql`` (an `Answer` before anything is run), ``rows`` (its `Rows`), ``done`` (the whole
    `Answer`) or ``error``.
    """
    await socket.accept()
    known = False
    try:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                text = await socket.receive_text()
            request_id = secrets.token_hex(8)
            try:
                message = _parse(text)
                token = message.pop("token", "")
                if not known:
                    authorization = socket.headers.get("authorization") or f"Bearer {token}"
                    require_token(service.config, authorization)
                    known = True
                await _answer(socket, service, _ask(message), request_id)
            except Refusal as refusal:
                await socket.send_json({"type": "error", **refusal.body(request_id)})
                if refusal.status == 401:
                    await socket.close(POLICY_VIOLATION)
                    return
    except (WebSocketDisconnect, RuntimeError):
        return  # the other side is gone; there is nobody to tell
    except (TimeoutError, KeyError):  # idle too long, or not text
        await socket.close(POLICY_VIOLATION)


async def admitted(socket: WebSocket, config: ServeConfig) -> bool:
    """Accept a connection whose first message is ``{"token": ...}``; say whether it may go on."""
    await socket.accept()
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            token = _parse(await socket.receive_text()).get("token", "")
        require_token(config, socket.headers.get("authorization") or f"Bearer {token}")
    except Refusal as refusal:
        await socket.send_json({"type": "error", **refusal.body("")})
        await socket.close(POLICY_VIOLATION)
        return False
    except (WebSocketDisconnect, TimeoutError, KeyError):
        return False
    return True


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(422, "invalid_request", "the message is not JSON") from None
    if not isinstance(message, dict):
        raise Refusal(422, "invalid_request", "the message is not a JSON object")
    return message


def _ask(message: dict[str, Any]) -> Ask:
    try:
        return Ask.model_validate(message)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Refusal(422, "invalid_request", f"{place}: {first['msg']}"[:300]) from None


async def _answer(socket: WebSocket, service: Service, ask: Ask, request_id: str) -> None:
    loop = asyncio.get_running_loop()
    latest: asyncio.Queue[str | None] = asyncio.Queue()

    def hear(text: str) -> None:  # called from the model's thread
        if not loop.is_closed():
            loop.call_soon_threadsafe(latest.put_nowait, text)

    async def pass_on() -> None:
        while (text := await latest.get()) is not None:
            if latest.empty():  # a slow reader gets the newest state, not a backlog
                await socket.send_json({"type": "text", "text": text})

    async def on_sql(answer: Answer) -> None:
        latest.put_nowait(None)
        await speaking
        await socket.send_json({"type": "sql", **answer.model_dump()})

    speaking = asyncio.create_task(pass_on())
    client = socket.client.host if socket.client else ""
    try:
        answer = await service.ask(ask, client, request_id, hear, on_sql)
    finally:
        speaking.cancel()
    if answer.result:
        await socket.send_json({"type": "rows", **answer.result.model_dump()})
    await socket.send_json({"type": "done", **answer.model_dump(exclude={"result"})})
