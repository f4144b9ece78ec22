"""The train-grpo stage: a tuned model's answers are rewarded by executing them, through TRL.

It runs in an environment of its own (`make setup-grpo`): LLaMA-Factory holds TRL at an older one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from test_suite_sql_eval import Settings

from text2sql.artifacts import QUESTIONS, REWARDS
from text2sql.config import check_config
from text2sql.data.prepare import SchemaTexts
from text2sql.data.stage import config_of
from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_jsonl
from text2sql.hardware import give_back_memory
from text2sql.learn.config import GrpoConfig, load_grpo_config
from text2sql.learn.questions import Guard
from text2sql.learn.sample import RECORD
from text2sql.progress import Progress
from text2sql.prompt import load_template, render_text
from text2sql.question import Question, read_questions
from text2sql.sql.reward import SqlReward
from text2sql.stage import ONE, Graph, Job, Stage, StageKind
from text2sql.train.stage import last_checkpoint

ENVIRONMENT = "grpo"
TENTH = 10  # the share of the steps at either end that the summary compares, as its divisor


def run(job: Job) -> dict[str, Any]:
    """Train; leave the model or adapter, and the mean reward of each step.

    Returns:
        Questions, steps, and the mean reward over the first and the last tenth of the steps.

    Raises:
        UserError: a question of an evaluation database is among them, or there is none to learn
            from.
    """
    values = {k: v for k, v in job.config.items() if k not in ("template", "evaluation")}
    config = check_config(values, GrpoConfig, job.stage.name)
    data = config_of(job.stage.inputs["questions"])
    questions = read_questions(job.inputs["questions"] / QUESTIONS)
    Guard(data, SchemaTexts(data)).require(questions)
    if config.learnable:
        questions = learnable(questions, read_jsonl(job.inputs["samples"] / RECORD))
    judging = Settings(
        jobs=job.settings["jobs"],
        plug_value=job.config["evaluation"]["plug_value"],
        keep_distinct=job.config["evaluation"]["keep_distinct"],
        timeout=job.config["evaluation"]["timeout_seconds"],
    )
    template = load_template(job.config["template"], job.inputs["model"])
    rows = [
        {
            "prompt": render_text(each.messages, template),
            "query": each.gold,
            "db_id": each.db_id,
        }
        for each in questions
    ]
    with SqlReward(job.settings["databases"], judging) as reward:
        history = train(
            config, job.inputs["model"], rows, reward, job.output, job.progress, job.settings
        )
    steps = [
        {"step": entry["step"], "reward": entry["reward"], "deviation": entry["reward_std"]}
        for entry in history
        if "reward" in entry
    ]
    write_jsonl(job.output / REWARDS, steps)
    for folder in job.output.glob("checkpoint-*"):
        shutil.rmtree(folder)
    return {"questions": len(rows), **compare_ends([entry["reward"] for entry in steps])}


def learnable(questions: Sequence[Question], record: Iterable[dict[str, Any]]) -> list[Question]:
    """Return the questions of which some sampled answers were right and some wrong.

    Raises:
        UserError: there is none.
    """
    mixed = {row["id"] for row in record if row["chosen"] and row["rejected"]}
    chosen = [each for each in questions if each.id in mixed]
    if not chosen:
        raise UserError(
            "no question was answered both right and wrong, so that there is nothing to learn from;"
            " sample more answers to more questions (the profile's 'learning')"
        )
    return chosen


def compare_ends(rewards: Sequence[float]) -> dict[str, Any]:
    """Return how many steps there were, and the mean reward at either end of them."""
    size = max(1, len(rewards) // TENTH)
    first, last = rewards[:size], rewards[-size:]
    return {
        "steps": len(rewards),
        "first_reward": round(sum(first) / size, 4),
        "last_reward": round(sum(last) / size, 4),
    }


def train(
    config: GrpoConfig,
    model: Path,
    rows: list[dict[str, Any]],
    reward: Any,
    output: Path,
    progress: Progress,
    settings: dict[str, Any],
) -> list[dict[str, Any]]:
    """Train through TRL, from the last checkpoint where there is one.

    Args:
        config: the settings.
        model: Hugging Face folder of the tuned model.
        rows: ``prompt``, ``query`` and ``db_id`` of each question.
        reward: called as TRL calls reward functions.
        output: gets the final model or adapter.
        progress: told the steps done.
        settings: of the machine: ``device``.

    Returns:
        What the trainer logged, an entry a step.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Report(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.update(state.global_step, config.steps, "steps")
            give_back_memory()

    def execution(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        return list(reward(completions, **columns))

    on_cpu = settings["device"] == "cpu"
    arguments = GRPOConfig(
        output_dir=str(output),
        max_steps=config.steps,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.answers_per_step // config.micro_batch,
        num_generations=config.generations,
        max_completion_length=config.max_new_tokens,
        temperature=config.temperature,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant",
        beta=config.beta,
        bf16=config.dtype == "bfloat16",
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        gradient_checkpointing=False,
        logging_steps=1,
        save_steps=config.save_steps,
        save_total_limit=1,
        report_to="none",
        seed=config.seed,
    )
    weights = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    adapter = None
    if config.lora_rank:
        rank = config.lora_rank
        adapter = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
    tokenizer = AutoTokenizer.from_pretrained(model)
    trainer = GRPOTrainer(
        model=weights,
        reward_funcs=execution,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[Report()],
    )
    checkpoint = last_checkpoint(output)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_model(str(output))
    return [dict(entry) for entry in trainer.state.log_history]


def _keys(graph: Graph) -> tuple[str, ...]:
    learning = graph.run.profile.learning
    return ONE if learning and learning.grpo else ()


def _stage(graph: Graph, key: str) -> Stage:
    profile = graph.run.profile
    assert profile.learning is not None and profile.learning.grpo is not None
    config = load_grpo_config(profile.learning.grpo)
    answers, judged = graph.stage("sample-answers"), graph.stage("sample")
    inputs = {"model": answers.inputs["model"], "questions": graph.stage("sample-questions")}
    if config.learnable:
        inputs["samples"] = judged
    keys = {"plug_value", "keep_distinct", "timeout_seconds"}
    return Stage(
        "train-grpo",
        "train-grpo",
        config.model_dump(mode="json")
        | {
            "template": profile.model.template,
            "evaluation": profile.evaluation.model_dump(mode="json", include=keys),
        },
        graph.run.folder / "train" / "grpo",
        inputs=inputs,
        databases=judged.databases,
        settings=graph.run.settings("train") | judged.settings | {"environment": ENVIRONMENT},
        seed=config.seed,
    )


KINDS = (
    StageKind(
        "train-grpo",
        "reinforcement learning with execution as the reward (make setup-grpo first)",
        run,
        _stage,
        _keys,
        code=(f"{__name__}:run", "test_suite_sql_eval"),
    ),
)
