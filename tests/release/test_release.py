"""The card of a tuned row comes from the run's record; sending it needs a token and a yes."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from huggingface_hub import constants
from stand_in_hub import TOKEN, Hub
from tiny_models import make_model, make_tokenizer, save

from text2sql.cli import cli
from text2sql.files import write_json
from text2sql.paths import repository_root

PROFILE = "qwen2.5-coder-0.5b"
RECIPE, FULL = f"{PROFILE}_lora_cpu", f"{PROFILE}_full_cpu"
REPOSITORY = "someone/text2sql-0.5b"
# What only a machine of ours could say.
LOCAL = "/somebody/build/models/qwen2.5-coder-0.5b-instruct"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["SELECT count(*) FROM singer WHERE age > 30", "How many singers are older than 30?"]
    tokenizer = make_tokenizer(words, 400, added=("<|im_start|>", "<|im_end|>", "<|endoftext|>"))
    return save(tmp_path_factory.mktemp("model"), make_model("qwen2", tokenizer), tokenizer)


@pytest.fixture
def run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished run: the published record, and weights with the hashes it names."""
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path))
    folder = tmp_path / "runs" / PROFILE / "sample"
    published = repository_root() / "results" / f"{PROFILE}_sample.json"
    record = json.loads(published.read_text(encoding="utf-8"))
    write_json(folder / "table" / "record.json", record)
    for name, place in {
        f"merge:{RECIPE}": folder / "merge" / RECIPE,
        f"train:{RECIPE}": folder / "train" / RECIPE,
        f"train:{FULL}": folder / "train" / FULL,
    }.items():
        if place.parent.name == "merge" or name.endswith("_full_cpu"):
            shutil.copytree(model, place)
        else:
            place.mkdir(parents=True)
            write_json(place / "adapter_config.json", {"base_model_name_or_path": LOCAL, "r": 32})
            (place / "adapter_model.safetensors").write_bytes(b"adapter")
        (place / "README.md").write_text("by another program")
        (place / "stage.log").write_text(LOCAL)
        write_json(place / "manifest.json", record["stages"][name])
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, and somebody who may write there."""
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # The hub's newer way of sending has no interface that a test could stand in for.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def invoke(*options: str) -> Result:
    return CliRunner().invoke(cli, ["release", *options])


def push(*options: str, answer: str | None = None) -> Result:
    given = ["release", "push", "--repo", REPOSITORY, *options]
    return CliRunner().invoke(cli, given, input=answer)


def card(run: Path, row: str = "lora") -> str:
    result = invoke("card", "--row", row)
    assert result.exit_code == 0, result.output
    return (run / "release" / row / "README.md").read_text(encoding="utf-8")


def test_the_card_says_what_the_record_says(run: Path) -> None:
    text = card(run)
    head = yaml.safe_load(text.split("---")[1])
    assert head["base_model"] == "Qwen/Qwen2.5-Coder-0.5B-Instruct"
    assert head["license"] == "apache-2.0" and head["tags"] == ["text-to-sql"]
    record = json.loads((run / "table" / "record.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in record["rows"]}
    assert f"**{rows['lora']['accuracy']['all']:.1f}**" in text
    assert f"{rows['baseline']['accuracy']['all']:.1f}" in text
    assert "Full fine-tuning" not in text
    assert f"{record['stages']['data']['details']['train_rows']:,} training rows" in text
    assert re.search(r"`lora_rank` +\| +32 ", text)
    for part in ("Use", "Data", "Recipe", "Results", "Limits", "Licence"):
        assert f"\n## {part}\n" in text
    assert "13.3 % ± 3.1 of the answers above are wrong, 5.8 % do not run" in text
    assert str(run) not in text and LOCAL not in text


def test_the_example_on_the_card_runs(run: Path, model: Path) -> None:
    program = re.search(r"```python\n(.*?)```", card(run), re.DOTALL)
    assert program
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        exec(program[1].replace("OWNER/NAME", str(model)), {})
    assert written.getvalue()


def test_a_fully_trained_model_has_no_adapter(run: Path) -> None:
    text = card(run, "full")
    assert "adapter" not in text and "`finetuning_type`" in text


def test_what_cannot_have_a_card(run: Path) -> None:
    assert (
        "is the base model itself; tuned rows are: lora, full"
        in invoke("card", "--row", "baseline").output
    )
    manifest = run / "merge" / RECIPE / "manifest.json"
    values = json.loads(manifest.read_text(encoding="utf-8"))
    write_json(manifest, values | {"output_hash": "other"})
    assert "not the model that the record's table was made from" in invoke("card").output
    (run / "table" / "record.json").unlink()
    assert "no such record; run 'make reproduce' first" in invoke("card").output


def test_everything_is_sent_in_one_commit(run: Path, hub: Hub, model: Path) -> None:
    gguf = {"f16": run / "gguf" / "lora" / "F16", "small": run / "gguf" / "lora" / "Q4_K_M"}
    merged = json.loads((run / "merge" / RECIPE / "manifest.json").read_text(encoding="utf-8"))
    write_json(
        gguf["f16"] / "manifest.json",
        {"inputs": {"model": merged["output_hash"]}, "output_hash": "of the f16 file"},
    )
    write_json(
        gguf["small"] / "manifest.json",
        {"inputs": {"gguf": "of the f16 file"}, "output_hash": "of the small file"},
    )
    (gguf["small"] / "model-Q4_K_M.gguf").write_bytes(b"GGUF small")
    (gguf["small"] / "model-Q4_K_M.gguf.Modelfile").write_text("FROM ./model-Q4_K_M.gguf")
    result = push("--yes", "--row", "lora")
    assert result.exit_code == 0, result.output
    assert f"sent: {hub.url}/{REPOSITORY}/commit/" in result.output
    sent = hub.models[REPOSITORY]
    assert hub.messages == ["LoRA (r=32), with its run record"] and hub.private[REPOSITORY]
    assert sent["model.safetensors"] == (model / "model.safetensors").read_bytes()
    assert sent["adapter/adapter_model.safetensors"] == b"adapter"
    adapter = json.loads(sent["adapter/adapter_config.json"])
    assert adapter == {"base_model_name_or_path": "Qwen/Qwen2.5-Coder-0.5B-Instruct", "r": 32}
    assert sent["gguf/model-Q4_K_M.gguf"] == b"GGUF small"
    assert "gguf/model-Q4_K_M.gguf.Modelfile" in sent
    text = sent["README.md"].decode("utf-8")
    assert f'MODEL = "{REPOSITORY}"' in text and "`gguf/model-Q4_K_M.gguf`" in text
    assert json.loads(sent["record.json"])["profile"] == PROFILE
    assert not {"manifest.json", "stage.log"} & set(sent)
    assert not any(LOCAL.encode() in content for content in sent.values())
    uploads = [path for path in hub.requests if path.endswith("/batch")]
    assert uploads and push("--yes", "--row", "lora").exit_code == 0
    assert len(hub.messages) == 2  # into the repository that is there


def test_gguf_files_of_another_model_stay_here(run: Path, hub: Hub) -> None:
    folder = run / "gguf" / "lora" / "Q4_K_M"
    write_json(folder / "manifest.json", {"inputs": {"gguf": "old"}, "output_hash": "x"})
    (folder / "model-Q4_K_M.gguf").write_bytes(b"GGUF")
    assert push("--yes").exit_code == 0
    assert not [path for path in hub.models[REPOSITORY] if "gguf" in path]


def test_nothing_is_sent_without_a_token(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "no token of the hub; set HF_TOKEN" in push("--yes").output
    assert hub.requests == []


def test_nothing_is_sent_without_a_yes(run: Path, hub: Hub) -> None:
    result = push(answer="")
    assert "nobody is here to ask; say yes with YES=1 (--yes)" in result.output
    assert "model.safetensors" in result.output and "a private model" in result.output
    assert hub.requests == []


@pytest.mark.parametrize(("answer", "sent"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_who_is_asked_decides(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: str, sent: bool
) -> None:
    monkeypatch.setattr("text2sql.release.push._is_asked", lambda: True)
    result = push("--public", answer=answer)
    assert bool(hub.models) == sent, result.output
    assert ("nothing was sent" in result.output) == (not sent)
    if sent:
        assert hub.private[REPOSITORY] is False


def test_what_the_hub_refuses_is_one_line(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    result = push("--yes")
    assert result.exit_code == 2 and "not sent (Client error '401" in result.output
    assert hub.models == {}


def test_a_hub_that_goes_away_is_one_line(run: Path, hub: Hub) -> None:
    hub.shutdown()
    hub.server_close()
    assert "not sent (" in push("--yes").output


def test_other_mistakes_are_told_before_anything_is_sent(run: Path, hub: Hub) -> None:
    for name in ("no-owner", "a/b/c", "someone/bad name", ""):
        result = CliRunner().invoke(cli, ["release", "push", "--repo", name, "--yes"])
        assert "as owner/name" in result.output
    path = run / "table" / "record.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    record["stages"]["data"]["git"]["dirty"] = True
    write_json(path, record)
    assert "changes that are not committed" in push("--yes").output
    assert hub.requests == []
