"""What voting, a repair turn and a grammar are worth, and what they cost, on one GGUF model.

Usage: python benchmarks/decoding.py MODEL.gguf DATA --databases FOLDER --template smollm2 \\
           --output result.json

DATA is the folder of a data stage. Each way answers the same questions with the same engine class;
reported are execution accuracy, queries that fail to run, tokens read and written, seconds of
processor time. The result is what docs/inference.md shows (make results).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from common import surroundings
from test_suite_sql_eval.api import evaluate

from text2sql.artifacts import GOLD, PREDICTIONS, QUESTIONS
from text2sql.config import check_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.files import read_json, sha256_file, write_json, write_jsonl
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.config import InferConfig
from text2sql.infer.load import load_engine
from text2sql.infer.predictions import predict, write_predictions
from text2sql.infer.queries import Databases, open_databases
from text2sql.infer.repair import Repairer
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.infer.stage import summarize
from text2sql.prompt import load_template
from text2sql.question import Question, read_questions
from text2sql.report.record import per_cent
from text2sql.sql.statement import one_line

WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "repair": {"decoding": {"repair": True}},
    "grammar": {"decoding": {"grammar": True}},
    "vote of 5": {"temperature": 0.7, "decoding": {"samples": 5}},
}


def measure(
    model: Path,
    way: dict[str, Any],
    questions: list[Question],
    around: Surroundings,
    databases: Databases,
) -> dict[str, Any]:
    """Answer the questions in one way and judge the answers."""
    common = {"engine": "llama.cpp", "max_new_tokens": 128, "max_model_len": 2048}
    config = InferConfig.model_validate(common | way)
    engine = load_engine(model, config, around.template.stop_words, "cpu")
    started = time.process_time()
    answers = sorted(answer(engine, questions, config, around), key=lambda done: done.id)
    predictions = [predict(done, databases) for done in answers]
    seconds = time.process_time() - started
    counts = summarize(answers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts |= write_predictions(folder, predictions)
        gold = ({"db_id": q.db_id, "query": one_line(q.gold)} for q in questions)
        write_jsonl(folder / GOLD, gold)
        report = evaluate(str(folder / GOLD), str(folder / PREDICTIONS), str(databases.folder))
    failed = sum(not databases.run(done.db_id, [done.sql])[0].ok for done in predictions)
    return {
        "execution_accuracy": per_cent(report.scores["all"]["exec"]),
        "outcomes": "".join(str(int(verdict["exec"])) for verdict in report.verdicts),
        "execution_errors": failed,
        "prompt_tokens_read": engine.measurements()["prompt_tokens_read"],
        "completion_tokens": counts["completion_tokens"],
        "cut_off": sum(done.finish_reason == "length" for done in predictions),
        "seconds": round(seconds, 1),
        **{key: counts[key] for key in ("repairs", "samples", "failed_samples") if key in counts},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--databases", type=Path, required=True)
    parser.add_argument("--template", required=True)
    parser.add_argument("--dataset", default="sample", help="name of the data set in the record")
    parser.add_argument("--every", type=int, default=1, help="take every n-th question")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    template = load_template(options.template, options.model)
    questions = read_questions(options.data / QUESTIONS)[:: options.every]
    values = read_json(options.data / "manifest.json")["config"]
    values.pop("limit", None)
    data = check_config(values, DataConfig, "data")
    fitter = SchemaFitter(SchemaTexts(data).schema, data.schema_style, data.system, template)
    results: dict[str, Any] = {}
    with open_databases(options.databases, 10.0) as databases:
        around = Surroundings(template, fitter, Repairer(databases, template).answers)
        for name, way in WAYS.items():
            results[name] = measure(options.model, way, questions, around, databases)
            write_record(options, len(questions), results)
            print(name, results[name], flush=True)


def write_record(options: argparse.Namespace, questions: int, ways: dict[str, Any]) -> None:
    """Write what is known so far."""
    record = {
        "model": options.model.name,
        "model_sha256": sha256_file(options.model),
        "dataset": options.dataset,
        "questions": questions,
        "ways": ways,
    } | surroundings()
    write_json(options.output, record)


if __name__ == "__main__":
    main()
