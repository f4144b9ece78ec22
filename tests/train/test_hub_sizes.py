"""A dry run of a model whose YAML gives no sizes asks the hub for its config.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from text2sql.models.hub import hub_config

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "configs" / "models" / "qwen3-1.7b.yaml"
PROFILE = """
model: {folder}/mine.yaml
dataset: sample
infer: greedy_vllm_1gpu
rows: [{{name: lora, label: LoRA, recipe: qwen3-1.7b_lora-all-packed_1gpu}}]
"""


class Hub(BaseHTTPRequestHandler):
    """Has one model, me/mine, with the sizes of Qwen3-1.7B."""

    def do_GET(self) -> None:
        if self.path != "/me/mine/resolve/main/config.json":
            self.send_error(404)
            return
        body = json.dumps(yaml.safe_load(SHIPPED.read_text())["architecture"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def dry_run(folder: Path, hub_id: str, endpoint: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.yaml").write_text(f"path_or_hub_id: {hub_id}\ntemplate: qwen3\n")
    (folder / "profile.yaml").write_text(PROFILE.format(folder=folder))
    command = ["stage", "train-lora", "--profile", str(folder / "profile.yaml"), "--dry-run"]
    return subprocess.run(
        [sys.executable, "-m", "text2sql", *command],
        env=os.environ
        | {
            "HF_ENDPOINT": endpoint,
            "TEXT2SQL_BUILD": str(folder / "build"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "test-suite-sql-eval")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_sizes_come_from_the_hub(tmp_path: Path, endpoint: str) -> None:
    done = dry_run(tmp_path, "me/mine", endpoint)
    assert done.returncode == 0, done.stderr
    assert "1.721e9 parameters" in done.stdout


def test_a_model_that_the_hub_does_not_have_is_one_line(tmp_path: Path, endpoint: str) -> None:
    done = dry_run(tmp_path, "me/other", endpoint)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the size of model 'mine' is not known" in done.stderr


@pytest.mark.parametrize("hub_id", ["./mine", "not a name", ""])
def test_what_is_no_name_on_the_hub_has_no_config_there(hub_id: str) -> None:
    assert hub_config(hub_id, None) is None


def test_offline_the_hub_is_not_asked(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    for offline in (False, True):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        assert (hub_config("me/mine", None) is None) is offline
