"""A real HTTP server with an OpenAI-compatible chat endpoint that answers by a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

PIECE = 40  # characters of a streamed answer that are sent at once
USAGE = {"prompt_tokens": 100, "completion_tokens": 50}


class ScriptedChat(HTTPServer):
    """Answers each request with the next (status, text) of its script; the last one repeats.

    Who asks for a stream gets the text in pieces, with a pause behind each. The text of a refusal
    is its message.
    """

    script: list[tuple[int, str]]
    requests: list[dict[str, Any]]
    pause: float = 0.0

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, ScriptedChat)
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, text = server.script[min(len(server.requests), len(server.script) - 1)]
        server.requests.append(request)
        self.send_response(status)
        self.end_headers()
        for part in _parts(status, text, request.get("stream", False)):
            self.wfile.write(part.encode())
            time.sleep(server.pause)

    def log_message(self, *_: object) -> None:
        pass


def _parts(status: int, text: str, stream: bool) -> list[str]:
    if status != 200:
        return [json.dumps({"error": {"message": text}})]
    if not stream:
        return [json.dumps({"choices": [{"message": {"content": text}}], "usage": USAGE})]
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    choices: list[dict[str, Any]] = [{"delta": {"content": piece}} for piece in pieces]
    choices.append({"delta": {}, "finish_reason": "stop"})
    rows = [*({"choices": [choice]} for choice in choices), {"choices": [], "usage": USAGE}]
    return [f"data: {json.dumps(row)}\n\n" for row in rows]


@contextmanager
def scripted_chat() -> Iterator[ScriptedChat]:
    """Give a server that answers until the end of the block; set its `script` first."""
    made = ScriptedChat(("127.0.0.1", 0), _Handler)
    made.script, made.requests = [], []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()
