"""What every request passes before it reaches the app: who asks, from where, how much."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from text2sql.serve.config import ServeConfig, is_loopback
from text2sql.serve.metrics import Metrics
from text2sql.serve.refusal import Refusal

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
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: Metrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics

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
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = MutableHeaders(scope=message)
                own["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    own[name] = value
                own.setdefault("Cache-Control", "no-store")
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status != 101:
                status = 403
            await send(message)

        try:
            self._admit(scope, headers)
            if scope["type"] == "http":
                receive = await self._body(headers, receive)
            await self._app(scope, receive, answer)
        except Refusal as refusal:
            await _refuse(scope, answer, refusal, request_id)
        except asyncio.CancelledError:
            status = 499  # the client is gone
            raise
        finally:
            self._record(scope, request_id, status, time.monotonic() - started)

    def _admit(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if is_loopback(self._config.host) and not is_loopback(_name(host)):
            message = "the Host header names another machine"
            raise Refusal(421, "wrong_host", message)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refusal(403, "wrong_origin", "pages of other sites may not ask this service")
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
        # A browser cannot set headers of a WebSocket; there the first message brings the token.
        if scope["type"] == "http" and not is_open:
            require_token(self._config, headers.get("authorization", ""))

    async def _body(self, headers: Headers, receive: Receive) -> Receive:
        """Read the whole body, within the limits, and return what hands it on."""
        most = self._config.max_body_bytes
        too_large = Refusal(413, "too_long", f"the request is larger than {most} bytes")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            raise Refusal(408, "timeout", "the request came in too slowly") from None
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = scope.get("route")
        path = getattr(route, "path", None) or "other"  # bounded, whatever is asked for
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        client = scope.get("client")
        fields: dict[str, Any] = {
            "request_id": request_id,
            "method": scope.get("method", "WS"),
            "path": scope["path"][:200],
            "status": status,
            "seconds": round(seconds, 4),
            "client": client[0] if client else None,
        }
        log.info("request", extra={"fields": fields})


def require_token(config: ServeConfig, authorization: str) -> None:
    """Raise Refusal unless an Authorization header holds the service's token, if it has one."""
    if config.token is None:
        return
    kind, _, given = authorization.partition(" ")
    wanted = config.token.get_secret_value().encode()
    if kind.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), wanted):
        message = "this service needs its token: Authorization: Bearer ..."
        raise Refusal(401, "unauthorized", message)


def _name(host: str) -> str:
    """The name in a Host header, its port left out."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


async def _refuse(scope: Scope, send: Send, refusal: Refusal, request_id: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.message[:120]})
        return
    body = json.dumps(refusal.body(request_id)).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= {name.lower(): value for name, value in refusal.headers().items()}
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
