"""Names of the files that one stage writes and another reads."""

from __future__ import annotations

QUESTIONS = "questions.jsonl"  # data: the evaluation questions, a line each
GOLD = "gold.jsonl"  # data: gold SQL and its database, a line a question
GOLD_FILE = "gold.sql"  # data: the same as the official evaluator reads it, where that can be
TRAINER_LOG = "trainer_log.jsonl"  # training: loss and rate by step
REWARDS = "rewards.jsonl"  # train-grpo: mean reward by step
EXAMPLES = "examples.jsonl"  # retrieve: few-shot examples, a line a question
ANSWERS = "answers.jsonl"  # infer: what the model wrote, a line a question
PREDICTIONS = "predictions.jsonl"  # extract: the SQL of each answer, a line a question
PREDICT_FILE = "predict.txt"  # extract: the same as the official evaluator reads it, if it can
SCORES = "scores.json"  # eval: the evaluator's report
VERDICTS = "verdicts.jsonl"  # eval: a verdict a question
RECORD = "record.json"  # table: all that a results table says and rests on
TABLE = "table.md"  # table: the results table
