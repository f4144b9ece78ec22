"""The text-metrics stages: BLEU-4 and ROUGE of generated SQL, by LLaMA-Factory's own prediction.

These compare the text with the gold query's, character by character after LLaMA-Factory's Chinese
word splitting. They say how alike two texts are, not whether the SQL is right; that is what
execution accuracy is for, and the two never share a table.
"""

from __future__ import annotations

from typing import Any

from text2sql.artifacts import QUESTIONS
from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.infer.config import load_infer_config
from text2sql.question import Question, read_questions
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.llamafactory import run_llamafactory
from text2sql.train.stage import model_of

DATASET = "evaluation"
METRICS = ("BLEU-4", "ROUGE-1", "ROUGE-2", "ROUGE-L")  # as LLaMA-Factory names them


def run(job: Job) -> dict[str, Any]:
    """Generate for every evaluation question and score the texts.

    Returns:
        BLEU-4 and ROUGE-1/2/L (per cent) and the number of questions.
    """
    rows = [_row(question) for question in read_questions(job.inputs["data"] / QUESTIONS)]
    write_json(job.output / "evaluation.json", rows)
    columns = {"messages": "conversations", "system": "system"}
    info = {"file_name": "evaluation.json", "formatting": "sharegpt", "columns": columns}
    write_json(job.output / "dataset_info.json", {DATASET: info})
    arguments = {
        "model_name_or_path": str(job.inputs["model"]),
        "stage": "sft",
        "do_predict": True,
        "finetuning_type": "full",
        "template": job.config["template"],
        "dataset_dir": str(job.output),
        "eval_dataset": DATASET,
        "cutoff_len": job.config["max_model_len"],
        "output_dir": str(job.output),
        "overwrite_output_dir": True,
        "preprocessing_num_workers": 1,
        "per_device_eval_batch_size": job.config["batch_size"],
        "predict_with_generate": True,
        "max_new_tokens": job.config["max_new_tokens"],
        "do_sample": False,
        "report_to": "none",
        "seed": job.config["seed"],
    }
    if job.settings["device"] == "cpu":
        arguments["use_cpu"] = True
    if job.config["dtype"] == "bfloat16":
        arguments["bf16"] = True
    run_llamafactory("train", arguments, job.output)
    measured = read_json(job.output / "predict_results.json")
    return {name: measured[f"predict_{name.lower()}"] for name in METRICS} | {
        "questions": len(rows)
    }


def _row(question: Question) -> dict[str, Any]:
    system, user, *begun = question.messages
    if begun:
        raise UserError("text metrics need prompts that do not begin the answer; not preset p3")
    turns = [{"from": "human", "value": user["content"]}]
    turns.append({"from": "gpt", "value": question.gold})
    return {"conversations": turns, "system": system["content"]}


def _rows(graph: Graph) -> list[str]:
    return [row.name for row in graph.run.rows if row.retrieval is None]


def _stage(graph: Graph, row_name: str) -> Stage:
    """BLEU and ROUGE of a row without retrieval."""
    profile = graph.run.profile
    infer = load_infer_config(profile.infer)
    return Stage(
        f"text-metrics:{row_name}",
        "text-metrics",
        infer.model_dump(mode="json") | {"template": profile.model.template},
        graph.run.folder / "text-metrics" / row_name,
        inputs={
            "model": model_of(graph, graph.run.row(row_name)),
            "data": graph.stage("data"),
        },
        settings=graph.run.settings("train"),
        seed=infer.seed,
    )


KINDS = (
    StageKind(
        "text-metrics",
        "BLEU-4 and ROUGE of every row's answers, by LLaMA-Factory",
        run,
        _stage,
        _rows,
    ),
)
