"""A tiny Qwen3 with a small tokenizer of its kind, rows of the sample data, and the train stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from tiny_models import save_wide_qwen3

ROOT = Path(__file__).resolve().parents[2]
HELPERS = ROOT / "tests" / "helpers"
# Megatron's fused kernels exist for CUDA only.
WITHOUT_KERNELS = {
    "transformer_impl": "local",
    "bias_activation_fusion": False,
    "apply_rope_fusion": False,
    "dataloader_pin_memory": False,
}
RUN_STAGE = """
import importlib, json, sys
from pathlib import Path
from text2sql.errors import UserError
from text2sql.stage import Stage
from text2sql.progress import Progress
from text2sql.stage import Job
module, kind, config, inputs, output = sys.argv[1:6]
output = Path(output)
stage = Stage(kind + ":tiny", kind, json.loads(config), output, settings={"device": "cpu"})
inputs = {name: Path(path) for name, path in json.loads(inputs).items()}
try:
    details = importlib.import_module(module).run(Job(stage, inputs, output, Progress(output)))
except UserError as error:
    sys.exit(f"UserError: {error}")
print(json.dumps(details))
"""


@dataclass(frozen=True)
class Tiny:
    """Folders of the model and of its data stage."""

    model: Path
    data: Path

    @property
    def inputs(self) -> dict[str, Path]:
        """As the train stage gets them."""
        return {"model": self.model, "data": self.data}


@dataclass(frozen=True)
class Trained:
    """What a run of a stage left."""

    output: Path
    details: dict[str, Any]
    text: str

    @property
    def losses(self) -> list[float]:
        """Loss of every logged step."""
        lines = (self.output / "trainer_log.jsonl").read_text(encoding="utf-8").splitlines()
        return [row["loss"] for line in lines if (row := json.loads(line)).get("loss") is not None]

    def weights(self) -> dict[str, Any]:
        """All tensors that were saved."""
        from safetensors.torch import load_file

        found: dict[str, Any] = {}
        for path in sorted(self.output.glob("*.safetensors")):
            found |= load_file(path)
        # DeepSpeed also writes the output layer where it is the embedding.
        head = found.pop("lm_head.weight", None)
        embedding = found.get("model.embed_tokens.weight")
        if head is not None and not (embedding is not None and head.equal(embedding)):
            found["lm_head.weight"] = head
        return found


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data stage's output for 64 rows and 64 questions of the sample set, short schemas."""
    from text2sql.config import load_config
    from text2sql.data.config import DataConfig
    from text2sql.data.prepare import prepare

    folder = tmp_path_factory.mktemp("data")
    before = os.environ.get("TEXT2SQL_BUILD")
    os.environ["TEXT2SQL_BUILD"] = str(tmp_path_factory.mktemp("build"))
    try:
        path = ROOT / "configs" / "data" / "sample.yaml"
        prepare(
            load_config(path, DataConfig).model_copy(update={"schema_budget": 160, "samples": 0}),
            folder,
            64,
        )
    finally:
        del os.environ["TEXT2SQL_BUILD"]
        if before is not None:
            os.environ["TEXT2SQL_BUILD"] = before
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A tiny Qwen3, tied embeddings, and its data."""
    folder = tmp_path_factory.mktemp("qwen3")
    return Tiny(save_wide_qwen3(folder, tiny_data / "train.json"), tiny_data)


@pytest.fixture(scope="session")
def tiny_untied(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The same with an output layer of its own."""
    folder = tmp_path_factory.mktemp("qwen3-untied")
    return Tiny(save_wide_qwen3(folder, tiny_data / "train.json", tied=False), tiny_data)


def make_recipe(method: str = "full", launch: dict[str, Any] | None = None, **keys: Any) -> Any:
    """A stage config of 12 steps of 4 rows in float32."""
    defaults: dict[str, Any] = {
        "finetuning_type": "full" if method == "full" else "lora",
        "cutoff_len": 512,
        "per_device_train_batch_size": 4,
        "max_steps": 12,
        "learning_rate": 1.0e-3,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_shuffling": True,
        "disable_gradient_checkpointing": True,
        "preprocessing_num_workers": 1,
        "seed": 42,
    }
    if launch and launch["backend"] == "megatron":
        defaults |= WITHOUT_KERNELS
    if method != "full":
        defaults |= {"lora_rank": 8, "lora_target": "all", "lora_dropout": 0.0}
    return {
        "method": method,
        "template": "qwen3_nothink",
        "launch": launch or {},
        "llamafactory": defaults | keys,
    }


@pytest.fixture(scope="session")
def without_kernels() -> dict[str, Any]:
    """The keys with which Megatron trains on a CPU."""
    return WITHOUT_KERNELS


@pytest.fixture(scope="session")
def recipe() -> Callable[..., dict[str, Any]]:
    """Makes a training stage's config; see `make_recipe`."""
    return make_recipe


@pytest.fixture(scope="session")
def start_stage() -> Callable[..., subprocess.Popen[str]]:
    """Start a training stage and return its process, the leader of a process group."""

    def start(output: Path, config: dict[str, Any], inputs: dict[str, Path]) -> Any:
        output.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            stage_command("text2sql.train.stage", "train-full", config, inputs, output),
            env=stage_environment(on_megatron("", config)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


@pytest.fixture(scope="session")
def joining_stage() -> Callable[..., subprocess.Popen[str]]:
    """Start what another node than the first one runs; the caller waits for it."""

    def start(
        output: Path, config: dict[str, Any], inputs: dict[str, Path], **environment: str
    ) -> Any:
        command = stage_command("text2sql.train.stage", "train-full", config, inputs, output)
        command[2] = (
            RUN_STAGE.replace(".run(Job(", ".join(Job(")
            .replace("Progress(output)))", 'Progress(output)), int(os.environ["NODE_RANK"]))')
            .replace("import importlib", "import importlib, os")
        )
        return subprocess.Popen(
            command,
            env=stage_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


class Trainer:
    """Trains as the train stage would, in forks of one process (see programs/train_server.py).

    What this leaves out of the stage, its checks and its launch, tests with `run_stage` go through.
    """

    def __init__(self, **environment: str) -> None:
        self.server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/train/programs/train_server.py")],
            env=stage_environment(
                "USE_MCA" in environment, DISABLE_VERSION_CHECK="1", **environment
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, output: Path, config: dict[str, Any], inputs: dict[str, Path]) -> Trained:
        import yaml

        from text2sql.progress import Progress
        from text2sql.stage import Job, Stage
        from text2sql.train.recipe import recipe_of
        from text2sql.train.stage import arguments_for, last_checkpoint, summarize

        output.mkdir(parents=True, exist_ok=True)
        stage = Stage("train:tiny", "train", config, output, settings={"device": "cpu"})
        job, asked = Job(stage, inputs, output, Progress(output)), recipe_of(config)
        arguments = output / "llamafactory.yaml"
        given = arguments_for(job, asked, last_checkpoint(output))
        arguments.write_text(yaml.safe_dump(given), encoding="utf-8")
        log = output / "stage.log"
        processes = asked.launch.processes
        request = {"arguments": str(arguments), "processes": processes, "log": str(log)}
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        statuses = json.loads(self.server.stdout.readline())
        text = log.read_text(encoding="utf-8", errors="replace")
        assert statuses == [0] * processes, text[-8000:]
        return Trained(output, summarize(output), text)

    def close(self) -> None:
        """End the server."""
        self.server.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def train() -> Iterator[Trainer]:
    """Trains a recipe on CPU with LLaMA-Factory and, where it says so, DeepSpeed."""
    trainer = Trainer()
    yield trainer
    trainer.close()


@pytest.fixture(scope="session")
def train_megatron() -> Iterator[Trainer]:
    """Trains a recipe on CPU with LLaMA-Factory over MCoreAdapter."""
    trainer = Trainer(USE_MCA="1")
    yield trainer
    trainer.close()


def stage_command(
    module: str, kind: str, config: dict[str, Any], inputs: dict[str, Path], output: Path
) -> list[str]:
    """The command that runs a stage in a process of its own."""
    paths = json.dumps({name: str(path) for name, path in inputs.items()})
    return [sys.executable, "-c", RUN_STAGE, module, kind, json.dumps(config), paths, str(output)]


def on_megatron(module: str, config: dict[str, Any]) -> bool:
    """Whether a stage uses megatron-core, which wants CUDA unless a test's shim stands in."""
    return "megatron" in (module.rpartition(".")[2], config.get("launch", {}).get("backend"))


def stage_environment(megatron: bool = False, **more: str) -> dict[str, str]:
    """One thread a process, as the runner sets it, and this checkout's packages."""
    shim = [HELPERS / "without_cuda", HELPERS] if megatron else []
    path = os.pathsep.join(map(str, [*shim, ROOT / "src", ROOT / "test-suite-sql-eval"]))
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    return os.environ | quiet | {"PYTHONPATH": path} | more


def call_stage(
    output: Path,
    config: dict[str, Any],
    inputs: dict[str, Path],
    module: str = "text2sql.train.stage",
    kind: str = "train-full",
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a stage's module as the worker does, to its end."""
    output.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        stage_command(module, kind, config, inputs, output),
        env=stage_environment(on_megatron(module, config), **environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=1000,
    )


@pytest.fixture(scope="session")
def run_stage() -> Callable[..., Trained]:
    """Run a stage by `call_stage`; fails the test when the stage fails."""

    def run(output: Path, *arguments: Any, **options: Any) -> Trained:
        done = call_stage(output, *arguments, **options)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-3000:]
        return Trained(output, json.loads(done.stdout.splitlines()[-1]), done.stdout)

    return run


@pytest.fixture(scope="session")
def failing_stage() -> Callable[..., str]:
    """Run a stage by `call_stage` that is to fail by a UserError; return its one line."""

    def run(*arguments: Any, **options: Any) -> str:
        done = call_stage(*arguments, **options)
        assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("UserError: "), done.stderr[-3000:]
        return lines[0].removeprefix("UserError: ")

    return run
