"""The real frameworks on CPU with a tiny Qwen3: every way of training, and that they agree."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ZERO2 = "configs/deepspeed/zero2.json"
ZERO3 = "configs/deepspeed/zero3.json"
AUTOTP = "configs/deepspeed/zero2_autotp2.json"
TWO = {"backend": "deepspeed", "processes": 2}
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def alone(tiny: Any, recipe: Any, train: Run, tmp_path_factory: Any) -> Any:
    """Full fine-tuning in one process, which the others are held against."""
    return train(tmp_path_factory.mktemp("alone"), recipe(), tiny.inputs)


def largest_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    assert ours.keys() == theirs.keys()
    return max((ours[name].float() - theirs[name].float()).abs().max().item() for name in ours)


def test_full_learns_and_leaves_a_loss_curve(alone: Any) -> None:
    assert alone.details["steps"] == 12
    assert alone.losses[-1] < alone.losses[0] - 0.5
    assert (alone.output / "training_loss.png").stat().st_size > 1000


def test_golden_losses(alone: Any, repository: Path) -> None:
    golden = json.loads((repository / "tests/train/golden_losses.json").read_text())
    assert alone.losses == pytest.approx(golden["full"], abs=2e-3)


def test_same_seed_same_losses(
    tiny: Any, recipe: Any, run_stage: Run, alone: Any, tmp_path: Path
) -> None:
    """This one through the stage's own launch, in processes of their own."""
    again = run_stage(tmp_path, recipe(), tiny.inputs)
    assert again.losses == alone.losses
    assert largest_difference(again.weights(), alone.weights()) == 0.0


@pytest.mark.parametrize("config", [ZERO2, ZERO3], ids=["zero2", "zero3"])
def test_zero_on_two_processes_equals_one(
    tiny: Any, recipe: Any, train: Run, alone: Any, tmp_path: Path, config: str
) -> None:
    """Two rows on each of two processes are the four rows of one."""
    keys = {"deepspeed": config, "per_device_train_batch_size": 2}
    sharded = train(tmp_path, recipe(launch=TWO, **keys), tiny.inputs)
    assert sharded.losses == pytest.approx(alone.losses, abs=1e-3)
    assert largest_difference(sharded.weights(), alone.weights()) < 2e-3


def test_autotp_on_two_processes_equals_one(
    tiny: Any, recipe: Any, train: Run, alone: Any, tmp_path: Path
) -> None:
    split = train(tmp_path, recipe(launch=TWO, deepspeed=AUTOTP), tiny.inputs)
    assert split.losses == pytest.approx(alone.losses, abs=1e-3)
    assert largest_difference(split.weights(), alone.weights()) < 2e-3


def test_two_nodes_train_as_one_machine(
    tiny: Any, recipe: Any, run_stage: Run, joining_stage: Run, alone: Any, tmp_path: Path
) -> None:
    """Two launchers on one machine meet as two nodes do; the second writes no model."""
    launch = {"backend": "deepspeed", "processes": 1}
    config = recipe(launch=launch, deepspeed=ZERO2, per_device_train_batch_size=2, max_steps=4)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    address = {"NNODES": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    second = joining_stage(tmp_path, config, tiny.inputs, NODE_RANK="1", **address)
    first = run_stage(tmp_path, config, tiny.inputs, NODE_RANK="0", **address)
    output, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, output[-3000:]
    assert first.losses == pytest.approx(alone.losses[:4], abs=1e-3)
    assert (tmp_path / "llamafactory-node1.yaml").is_file()


def test_zero3_in_bf16(tiny: Any, recipe: Any, train: Run, alone: Any, tmp_path: Path) -> None:
    """What accelerate does not set up on a CPU, `text2sql.train.entry` does."""
    keys = {"deepspeed": ZERO3, "per_device_train_batch_size": 2, "bf16": True, "max_steps": 4}
    trained = train(tmp_path, recipe(launch=TWO, **keys), tiny.inputs)
    assert trained.losses == pytest.approx(alone.losses[:4], abs=0.05)


def test_lora_trains_only_adapters(
    tiny: Any, recipe: Any, train: Run, tmp_path: Path, repository: Path
) -> None:
    trained = train(tmp_path, recipe("lora"), tiny.inputs)
    golden = json.loads((repository / "tests/train/golden_losses.json").read_text())
    assert trained.losses == pytest.approx(golden["lora"], abs=2e-3)
    assert all("lora_" in name for name in trained.weights())


def test_lora_with_zero3_equals_one_process(
    tiny: Any, recipe: Any, train: Run, tmp_path: Path
) -> None:
    one = train(tmp_path / "one", recipe("lora", max_steps=6), tiny.inputs)
    keys = {"deepspeed": ZERO3, "per_device_train_batch_size": 2, "max_steps": 6}
    two = train(tmp_path / "two", recipe("lora", launch=TWO, **keys), tiny.inputs)
    assert two.losses == pytest.approx(one.losses, abs=1e-3)


def test_qlora_in_four_bits(tiny: Any, recipe: Any, train: Run, tmp_path: Path) -> None:
    keys = {"quantization_bit": 4, "quantization_method": "bnb", "max_steps": 8}
    trained = train(tmp_path, recipe("qlora", **keys), tiny.inputs)
    assert trained.losses[-1] < trained.losses[0]
    assert "4 bit" in trained.text


def test_packing_drops_no_row(tiny: Any, recipe: Any, train: Run, tmp_path: Path) -> None:
    """Sequences that the dry run counts are those LLaMA-Factory makes."""
    from text2sql.train.lengths import measure_lengths, packed_rows

    keys = {"packing": True, "neat_packing": True, "max_steps": -1, "num_train_epochs": 1}
    keys |= {"per_device_train_batch_size": 1}
    trained = train(tmp_path, recipe(**keys), tiny.inputs)
    rows = measure_lengths(tiny.data, "qwen3_nothink", tiny.model).rows
    assert trained.details["steps"] == packed_rows(rows, 511)


def test_early_stopping_stops(tiny: Any, recipe: Any, train: Run, tmp_path: Path) -> None:
    """With a rate of nothing the held-out loss never improves: patience 2 ends it at step 3."""
    keys = {
        "val_size": 0.25,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "per_device_eval_batch_size": 8,
        "save_strategy": "steps",
        "save_steps": 1,
        "save_total_limit": 1,
        "save_only_model": True,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "early_stopping_steps": 2,
        "learning_rate": 0.0,
    }
    trained = train(tmp_path, recipe("lora", **keys), tiny.inputs)
    assert trained.details["steps"] == 3


def test_tensorboard_files_lie_beside_the_output(
    tiny: Any, recipe: Any, run_stage: Run, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not in this environment's lock")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    output = tmp_path / "tiny"
    trained = run_stage(output, recipe(max_steps=2, report_to="tensorboard"), tiny.inputs)
    (events,) = (tmp_path / "tiny.tensorboard").rglob("events.out.tfevents.*")
    assert not list(output.rglob("events.out.tfevents.*"))
    read = EventAccumulator(str(events))
    read.Reload()
    assert [e.value for e in read.Scalars("train/loss")] == pytest.approx(trained.losses, rel=1e-5)


def test_swanlab_files_lie_beside_the_output(
    tiny: Any, recipe: Any, run_stage: Run, tmp_path: Path
) -> None:
    pytest.importorskip("swanlab", reason="swanlab is not installed (it is in no lock file)")
    keys = {"use_swanlab": True, "swanlab_mode": "local", "swanlab_project": "owls"}
    run_stage(tmp_path / "tiny", recipe(max_steps=2, **keys), tiny.inputs)
    assert list((tmp_path / "tiny.swanlab").rglob("*.swanlab"))
