"""A model hub on this machine: what huggingface_hub asks for when it makes and fills a model.

Paths and bodies are those of the hub's own interface (https://huggingface.co/docs/hub/api) and of
Git LFS's batch interface. Large files go by LFS, small ones within the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_stand_in_token"
LARGE = (".safetensors", ".gguf")


class Hub(ThreadingHTTPServer):
    """The server: it holds models by name, each with its files as of the last commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.models: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.objects: dict[str, bytes] = {}
        self.messages: list[str] = []
        self.requests: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        super().__exit__(*args)


def _faults(card: str) -> list[dict[str, str]]:
    """What is wrong with the head of a card."""
    parts = card.split("---\n")
    head = yaml.safe_load(parts[1]) if len(parts) > 2 and not parts[0] else None
    return [] if isinstance(head, dict) else [{"message": "the card has no metadata"}]


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        path, body = self.path, self._body()
        self.server.requests.append(path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer({"error": "Invalid credentials"}, 401)
        elif path == "/api/validate-yaml":
            self._answer({"errors": _faults(json.loads(body)["content"]), "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            self._preupload(found[1], json.loads(body))
        elif found := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._batch(json.loads(body))
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self._commit(found[1], body.decode("utf-8"))
        else:
            self._answer({"error": f"no such path: {path}"}, 404)

    def do_PUT(self) -> None:
        content = self._body()
        self.server.objects[hashlib.sha256(content).hexdigest()] = content
        self._answer({})

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.models:
            self._answer({"error": "exists", "url": f"{self.server.url}/{name}"}, 409)
            return
        self.server.models[name] = {}
        self.server.private[name] = asked["visibility"] == "private"
        self._answer({"url": f"{self.server.url}/{name}"})

    def _preupload(self, name: str, asked: dict[str, Any]) -> None:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in asked["files"]
        ]
        self._answer({"files": modes})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for file in asked["objects"]:
            known = file["oid"] in self.server.objects
            upload = {"upload": {"href": f"{self.server.url}/upload/{file['oid']}"}}
            objects.append(file | ({} if known else {"actions": upload}))
        self._answer({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, lines: str) -> None:
        files = {}
        for line in lines.splitlines():
            value = json.loads(line)["value"]
            match json.loads(line)["key"]:
                case "header":
                    self.server.messages.append(value["summary"])
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.server.objects[value["oid"]]
        self.server.models[name] |= files
        oid = hashlib.sha1(lines.encode("utf-8")).hexdigest()
        self._answer(
            {
                "success": True,
                "commitOid": oid,
                "commitUrl": f"{self.server.url}/{name}/commit/{oid}",
                "hookOutput": "",
            }
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, value: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(value).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
