"""The train-examples stage: training prompts that show solved questions, as evaluation's may do."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import Any

from text2sql.artifacts import EXAMPLES
from text2sql.data.choose import RejectFile, chosen_rows
from text2sql.data.config import DataConfig, DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, names_of_row, skeleton
from text2sql.data.prepare import SchemaTexts, evaluation_rows, training_messages, training_rows
from text2sql.data.rows import Row
from text2sql.data.stage import data_config
from text2sql.data.values import schema_texts
from text2sql.data.writers import write_training
from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.paths import shown
from text2sql.prompt import Example, Message, Template, fit_examples, load_template, render_reply
from text2sql.rag.config import RetrievalConfig, load_retrieval_config
from text2sql.rag.mask import mask_question
from text2sql.rag.retrieve import REPORT, describe, search_for, write_examples
from text2sql.rag.search import Asked, Found, LeakGuard
from text2sql.schema.prune import estimate_tokens
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.lengths import tokenizer_of
from text2sql.train.stage import base_of, trainings


def run(job: Job) -> dict[str, Any]:
    """Write the training rows of the data stage with examples in their prompts; return counts."""
    config = RetrievalConfig.model_validate(job.config["retrieval"])
    data = DataConfig.model_validate(job.config["data"])
    schemas = schema_texts(data)
    evaluation = evaluation_rows(data)
    rows = _chosen(job, data, schemas, evaluation)
    guard = CopyGuard(config.leak_guard, evaluation, rows, schemas)
    asked = [_ask(number, row, schemas) for number, row in enumerate(rows)]
    started = time.monotonic()
    answers, truncated = search_for(job, config, asked, guard)
    prompts = Prompts(job, config)
    learnt = (
        (prompts.with_examples(training_messages(row, schemas, data.system), row, found), row.sql)
        for row, found in zip(rows, (answer.examples for answer in answers), strict=True)
    )
    write_training(learnt, job.output)
    write_examples(job.output / EXAMPLES, answers)
    report = describe(answers, [row.sql for row in rows], guard)
    report["longer_than_window"] = truncated
    report |= {"examples": prompts.shown, "examples_without_room": prompts.dropped}
    write_json(job.output / REPORT, report)
    return report | {"seconds": round(time.monotonic() - started, 1)}


class CopyGuard(LeakGuard):
    """Leaves out what gives an evaluation question away, and the copies of the question asked.

    A copy is that question itself, one that nearly is it, and one of the same database whose SQL
    has the same skeleton: a model that saw those in training would learn to copy.

    Args:
        config: says what nearly is a question.
        evaluation: the evaluation questions.
        rows: the questions that will be asked, by their ids.
        schemas: of the databases.
    """

    def __init__(
        self,
        config: DecontaminationConfig,
        evaluation: Sequence[Row],
        rows: Sequence[Row],
        schemas: SchemaTexts,
    ) -> None:
        super().__init__(Decontaminator(config, evaluation, schemas.names).check)
        self._config, self._rows, self._schemas = config, rows, schemas
        self._judges: dict[int, Decontaminator] = {}

    def leaks(self, found: Found, asked: Asked) -> bool:
        """Whether a stored question must not be shown for a training question."""
        if super().leaks(found, asked):
            return True
        copy = self._is_copy(found, self._rows[asked.id], asked.id)
        self.refused += copy
        return copy

    def _is_copy(self, found: Found, row: Row, number: int) -> bool:
        if found.sql == row.sql:
            return True
        if row.db_id and found.db_id == row.db_id and found.skeleton == skeleton(row.sql):
            return True
        if number not in self._judges:
            self._judges[number] = Decontaminator(self._config, [row], self._schemas.names)
        stored = Row("store", 0, found.question, found.sql, db_id=found.db_id)
        return self._judges[number].check(stored) is not None


class Prompts:
    """Puts examples into training prompts, as many as the recipe's cutoff leaves room for.

    Args:
        job: of the stage; the model among its inputs counts tokens.
        config: says how examples are shown.
    """

    def __init__(self, job: Job, config: RetrievalConfig) -> None:
        self._template: Template = load_template(job.config["template"], job.inputs["model"])
        self._cutoff: int = job.config["cutoff"]
        self._style = {"form": config.form, "order": config.order}
        self._encode = _encoder(tokenizer_of(job.inputs["model"]))
        self.shown = self.dropped = 0

    def with_examples(
        self, messages: list[Message], row: Row, found: Sequence[Found]
    ) -> list[Message]:
        """Return the messages of a row with those of its examples that fit beside its SQL."""
        examples = [Example(each.question, each.sql) for each in found]
        asked, opening = messages[:2], messages[2:]
        begun = "".join(message["content"] for message in opening)
        reply = self._encode(render_reply(begun + row.sql, self._template))
        room = self._cutoff - len(reply)
        longer, kept = fit_examples(
            asked, examples, self._style, self._template, self._encode, room
        )
        self.shown += len(kept)
        self.dropped += len(examples) - len(kept)
        return [*longer, *opening]


def _encoder(tokenizer: Any) -> Callable[[str], Sequence[int]]:
    if tokenizer is None:
        return lambda text: range(estimate_tokens(text))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def _chosen(
    job: Job, data: DataConfig, schemas: SchemaTexts, evaluation: Sequence[Row]
) -> list[Row]:
    """Return the rows that the data stage chose, in its order; it reported what it left out."""
    judge = Decontaminator(data.decontamination, evaluation, schemas.names)
    rejects = RejectFile(io.StringIO(), None)
    found, limit = training_rows(data), job.config["limit"]
    with chosen_rows(data, found, schemas.schema, judge, rejects, job.output, limit) as rows:
        return list(rows)


def _ask(number: int, row: Row, schemas: SchemaTexts) -> Asked:
    masked = mask_question(row.question, names_of_row(row, schemas.names))
    return Asked(number, row.db_id, row.question, masked)


def _keys(graph: Graph) -> list[str]:
    return [name for name, recipe in trainings(graph).items() if recipe.retrieval]


def _stage(graph: Graph, name: str) -> Stage:
    run, recipe, data = graph.run, trainings(graph)[name], data_config(graph.run)
    retrieval = load_retrieval_config(str(recipe.retrieval))
    if "skeleton" in retrieval.channels:
        raise UserError(
            f"recipe '{name}': its retrieval has the channel 'skeleton', which compares with an"
            " answer given without examples, and training questions have none; name a rag config"
            " without it"
        )
    store = graph.stage("knowledge-base", retrieval.knowledge_base)
    shared = {key: store.config[key] for key in ("knowledge_base", "data", "collection", "limit")}
    asked = {"template": run.profile.model.template, "cutoff": recipe.cutoff}
    return Stage(
        f"train-examples:{name}",
        "train-examples",
        {"retrieval": retrieval.model_dump(mode="json")} | shared | asked,
        run.folder / "train-examples" / name,
        inputs={
            "knowledge-base": store,
            "data": graph.stage("data"),
            "model": base_of(graph, name),
        },
        sources=(*data.source_files(), *data.linker_files()),
        settings=run.settings("rag"),
        seed=data.seed,
    )


def _result(stage: Stage) -> str:
    report = read_json(stage.output / REPORT)
    return (
        f"{stage.name}: {report['examples']} examples in the prompts of {report['questions']}"
        f" training questions, {report['examples_without_room']} without room;"
        f" in {shown(stage.output)}"
    )


KINDS = (
    StageKind(
        "train-examples",
        "put retrieved examples into the training prompts of recipes that want them",
        run,
        _stage,
        _keys,
        result=_result,
        absent=lambda graph: "none of its recipes has the key 'retrieval', a file of configs/rag/",
    ),
)
