"""What every request passes before it reaches the app: who asks, from where, how much."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from text2sql.serve.access import Access
from text2sql.serve.config import ServeConfig, is_loopback
from text2sql.serve.messages import Refusal, error_answer, stopping
from text2sql.serve.metrics import Metrics

log = logging.getLogger("text2sql.serve")

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BODY_SECONDS = 15.0
# Pages hold nothing secret; what they show they fetch with the token.
OPEN_PATHS = frozenset({"/", "/results", "/docs", "/healthz"})
OPEN_FOLDER = "/static/"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: request id, allowed host and origin, token, body size, log and metrics.

    A web page of another site must not use a visitor's browser to reach a service on loopback:
    therefore the Host header must name this machine (DNS rebinding), and an Origin must be ours.

    Args:
        app: the app behind it.
        config: address, token and limits.
        metrics: what is counted.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: Metrics, access: Access) -> None:
        self._app, self._config, self._metrics, self._access = app, config, metrics, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status: int | None = None

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = MutableHeaders(scope=message)
                own.update(SECURITY_HEADERS | {"X-Request-ID": request_id})
                own.setdefault("Cache-Control", "no-store")
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status != 101:
                status = 403
            await send(message)

        try:
            self._admit(scope, headers)
            await self._app(scope, self._limited(scope, headers, receive), answer)
        except Refusal as refusal:
            if scope["type"] == "websocket":
                reason = refusal.detail[:120]
                await answer({"type": "websocket.close", "code": 1008, "reason": reason})
            else:
                await error_answer(refusal, request_id)(scope, receive, answer)
        except asyncio.CancelledError:
            # Only the web server cancels: it ends, and its time for what still runs is over.
            if scope["type"] == "websocket" or status is not None:
                raise
            await error_answer(stopping(), request_id)(scope, receive, answer)
        finally:
            self._record(scope, request_id, status or 500, time.monotonic() - started)

    def _admit(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        named = urlsplit(f"//{host}").hostname or ""
        if is_loopback(self._config.host) and not is_loopback(named):
            raise Refusal(421, "wrong_host", "the Host header names another machine")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refusal(403, "wrong_origin", "pages of other sites may not ask this service")
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
        # A browser cannot set headers of a WebSocket; there the first message brings the token.
        if scope["type"] == "http" and not is_open:
            state = scope["state"]
            state["asker"] = self._access.asker(
                headers.get("authorization", ""), address(scope), state["request_id"]
            )

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """Return what receives a request's body, within limits of size and time."""
        if scope["type"] == "websocket":
            return receive
        most = self._config.max_body_bytes
        too_large = Refusal(413, "too_long", f"the request is larger than {most} bytes")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise too_large
        deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        left: int | None = most

        async def receive_part() -> Message:
            nonlocal left
            if left is None:  # all of it is there; what comes now is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Refusal(408, "timeout", "the request came in too slowly") from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise too_large
            if not message.get("more_body"):
                left = None
            return message

        return receive_part

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = scope.get("route")
        path = getattr(route, "path", None) or "other"  # bounded, whatever is asked for
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        fields: dict[str, Any] = {
            "request_id": request_id,
            "method": scope.get("method", "WS"),
            "path": scope["path"][:200],
            "status": status,
            "seconds": round(seconds, 4),
            "client": address(scope),
            "caller": asker.name if (asker := scope["state"].get("asker")) else None,
        }
        log.info("request", extra={"fields": fields})


def address(scope: Scope) -> str:
    """Return the address that a connection comes from."""
    client = scope.get("client")
    return client[0] if client else ""
