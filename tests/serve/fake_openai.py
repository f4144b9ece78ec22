"""A server that speaks OpenAI's protocol as far as we use it, with answers by model."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


class FakeOpenAI:
    """Answers every question to a model with that model's text.

    `requests` holds the paths and bodies of what came in. A request of a path that is not in
    `endpoints` is answered 404, one with a key that is not in `known_keys` 400, as hosted APIs do.
    While `breaks` is set, connections end in the middle of an answer.

    Args:
        answers: text by model.
        endpoints: paths that are there.
        known_keys: keys that a request may have; None takes all.
        port: port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        answers: Mapping[str, str],
        endpoints: tuple[str, ...] = (COMPLETIONS, CHAT),
        known_keys: frozenset[str] | None = None,
        port: int = 0,
    ) -> None:
        self.answers, self.endpoints, self.known_keys = answers, endpoints, known_keys
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.breaks = False
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                models = [{"id": name, "object": "model"} for name in fake.answers]
                self._send(200, {"object": "list", "data": models})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append((self.path, body))
                if self.path not in fake.endpoints:
                    self._send(404, {"error": {"message": "no such path"}})
                    return
                unknown = set(body) - (fake.known_keys or set(body))
                if unknown:
                    self._send(400, {"error": {"message": f"unknown: {sorted(unknown)}"}})
                    return
                if body["model"] not in fake.answers:
                    self._send(404, {"error": {"message": "no such model"}})
                    return
                text = fake.answers[body["model"]]
                if body.get("stream"):
                    self._stream(text)
                else:
                    self._send(200, self._completion(text, "message", "stop"))

            def _completion(self, text: str, part: str, reason: str | None) -> dict[str, Any]:
                said: dict[str, Any] = {"text": text}
                if self.path == CHAT:
                    said = {part: {"role": "assistant", "content": text}}
                choice = {"index": 0, "finish_reason": reason, **said}
                return {"id": "1", "object": "x", "created": 0, "model": "m", "choices": [choice]}

            def _stream(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                if fake.breaks:  # it promises more than comes
                    self.send_header("Content-Length", "1000000")
                self.end_headers()
                pieces = [(text[:9], None), (text[9:], "stop")]
                pieces = pieces[:1] if fake.breaks else pieces
                for piece, reason in pieces:
                    event = json.dumps(self._completion(piece, "delta", reason))
                    self.wfile.write(f"data: {event}\n\n".encode())
                if not fake.breaks:
                    self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def _send(self, status: int, value: Any) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                length = len(data) + (100 if fake.breaks and self.command == "POST" else 0)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
