"""The WebSocket: tokens as the model writes them, then the checked SQL, then the rows."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from text2sql.serve.access import Access, Asker
from text2sql.serve.guard import address
from text2sql.serve.messages import Answer, Ask, Refusal, error_body, invalid
from text2sql.serve.presence import Gone, while_asked
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
    most = service.config.max_waiting_per_client
    async with conversation(socket), read_ahead(socket, most) as inbox:
        asker: Asker | None = None
        while True:
            text = await inbox.next()
            request_id = secrets.token_hex(8)
            try:
                message = parse(text)
                token = message.pop("token", "")
                asker = asker or admit(socket, service.access, token)
                asker = replace(asker, request_id=request_id)
                ask = Ask.model_validate(message)
                await while_asked(_answer(socket, service, ask, asker), inbox.ended.wait())
            except Gone:
                continue  # to the reason why
            except ValidationError as error:
                await _send_error(socket, invalid(error.errors()), request_id)
            except Refusal as refusal:
                if refusal.status_code == 401:
                    raise
                await _send_error(socket, refusal, request_id)


@asynccontextmanager
async def conversation(socket: WebSocket) -> AsyncIterator[None]:
    """Accept a connection; end it where a refusal is raised, or the other side is gone or idle."""
    await socket.accept()
    try:
        yield
    except Refusal as refusal:
        await _send_error(socket, refusal, "")
        await socket.close(POLICY_VIOLATION)
    except (WebSocketDisconnect, RuntimeError):
        return  # the other side is gone; there is nobody to tell
    except (TimeoutError, KeyError):  # idle too long, or not text
        await socket.close(POLICY_VIOLATION)


class Inbox:
    """Messages of a connection that wait for their turn; filled by `read_ahead`.

    `ended` is set when there will be no more.
    """

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._reason: Exception | None = None

    async def fill(self, socket: WebSocket, most: int) -> None:
        """Take in messages until the connection ends or more than `most` of them wait."""
        try:
            text = await socket.receive_text()
            while self._waiting.qsize() < most:
                self._waiting.put_nowait(text)
                text = await socket.receive_text()
            self._reason = Refusal(429, "busy", f"{most} messages of this connection wait already")
        except (WebSocketDisconnect, RuntimeError, KeyError) as error:  # the last: not a text
            self._reason = error
        self.ended.set()
        self._waiting.put_nowait("")  # wakes up who waits for a message

    async def next(self) -> str:
        """Return the next message.

        Raises:
            Exception: what ended the connection, or TimeoutError where nothing came for long.
        """
        async with asyncio.timeout(IDLE_SECONDS):
            text = await self._waiting.get()
        if self._reason:
            raise self._reason
        return text


@asynccontextmanager
async def read_ahead(socket: WebSocket, most: int) -> AsyncIterator[Inbox]:
    """Read messages while others are being answered, so that a connection's end is seen then."""
    inbox = Inbox()
    reading = asyncio.create_task(inbox.fill(socket, most))
    try:
        yield inbox
    finally:
        reading.cancel()


async def receive_text(socket: WebSocket) -> str:
    """Return the next message."""
    async with asyncio.timeout(IDLE_SECONDS):
        return await socket.receive_text()


def parse(text: str) -> dict[str, Any]:
    """Return a message's JSON object; raise Refusal when it is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(422, "invalid_request", "the message is not JSON") from None
    if not isinstance(message, dict):
        raise Refusal(422, "invalid_request", "the message is not a JSON object")
    return message


def admit(socket: WebSocket, access: Access, token: Any) -> Asker:
    """Return who asks; raise Refusal where a token is needed and neither place holds one.

    Args:
        socket: the connection.
        access: who may ask.
        token: of the first message; the headers may hold one, too.
    """
    given = socket.headers.get("authorization") or f"Bearer {token}"
    return access.asker(given, address(socket.scope), "")


async def _send_error(socket: WebSocket, refusal: Refusal, request_id: str) -> None:
    await socket.send_json({"type": "error", **error_body(refusal, request_id)})


async def _answer(socket: WebSocket, service: Service, ask: Ask, asker: Asker) -> None:
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
    try:
        answer = await service.ask(ask, asker, hear, on_sql)
    finally:
        speaking.cancel()
    if answer.result:
        await socket.send_json({"type": "rows", **answer.result.model_dump()})
    await socket.send_json({"type": "done", **answer.model_dump(exclude={"result"})})
