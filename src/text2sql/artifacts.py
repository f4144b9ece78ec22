"""Names of the files that one stage writes and another reads."""

from __future__ import annotations

QUESTIONS = "questions.jsonl"  # data: the evaluation questions, a line each
GOLD_FILE = "gold.sql"  # data: gold SQL in the evaluator's form
TRAINER_LOG = "trainer_log.jsonl"  # training: loss and rate by step
EXAMPLES = "examples.jsonl"  # retrieve: few-shot examples, a line a question
ANSWERS = "answers.jsonl"  # infer: what the model wrote, a line a question
PREDICTIONS = "predictions.jsonl"  # extract: the SQL of each answer, a line a question
PREDICT_FILE = "predict.txt"  # extract: SQL in the evaluator's form
SCORES = "scores.json"  # eval: the evaluator's report
VERDICTS = "verdicts.jsonl"  # eval: a verdict a question
RECORD = "record.json"  # table: all that a results table says and rests on
TABLE = "table.md"  # table: the results table
