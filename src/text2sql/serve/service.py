"""What the service does, whatever way it is asked: HTTP, WebSocket or MCP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from test_suite_sql_eval.errors import FORBIDDEN, TIMEOUT

from text2sql.data.config import resolve
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Engine
from text2sql.prompt import Example, render_messages
from text2sql.question import Question
from text2sql.schema import Schema, prune_schema, render_schema
from text2sql.schema.linker import Linker
from text2sql.schema.text import read_schema_text
from text2sql.schema.value_search import ValueIndex, with_values
from text2sql.serve.accepted import AcceptedPairs
from text2sql.serve.access import Access, Asker
from text2sql.serve.audit import AuditLog
from text2sql.serve.batcher import Asking, Batcher, Pending, Reply
from text2sql.serve.config import ServeConfig
from text2sql.serve.control_words import CONTROL, disarm
from text2sql.serve.database import LiveDatabase
from text2sql.serve.examples import ExampleFinder
from text2sql.serve.fair_queue import FairQueue, QueueFullError
from text2sql.serve.json_rows import json_rows
from text2sql.serve.llama_server import LlamaServer
from text2sql.serve.messages import Accepted, Answer, Ask, Refusal, Rows, SolvedQuestion, check_text
from text2sql.serve.metrics import Metrics
from text2sql.serve.models import Models
from text2sql.serve.notes import notes_on
from text2sql.serve.terms import Terms
from text2sql.sql.validate import MAX_CHARACTERS, find_fault

SEPARATED = "control words of the prompt format were taken apart in the question or schema"
MOST_SKIPPED = 5  # statements of a schema that an answer's warnings name
NO_NAMES = "no tables were recognised in the schema; names in the SQL were not checked"


@dataclass
class _Target:
    text: str
    schema: Schema | None
    database: LiveDatabase | None
    warnings: list[str]


class Service:
    """Asks the model, checks its SQL, runs it where wanted.

    Args:
        engine: the loaded model.
        infer: its settings.
        asking: how prompts look.
        model: the model's name, for answers.
        config: the service's settings.
        database: the configured database, if there is one.
        finder: finds few-shot examples, if there shall be any.
        server: the model's server, where it is a child of this process.

    Raises:
        UserError: a setting names what is not there.
    """

    def __init__(
        self,
        engine: Engine,
        infer: InferConfig,
        asking: Asking,
        model: str,
        config: ServeConfig,
        database: LiveDatabase | None,
        finder: ExampleFinder | None = None,
        server: LlamaServer | None = None,
    ) -> None:
        self.config, self.database, self._server = config, database, server
        self.models = Models(model, engine, config)
        self.metrics, self.access, self._audit = Metrics(), Access(config), AuditLog(config.audit)
        linker = Linker(resolve(config.linker)) if config.linker else None
        self._infer, self._asking = infer, replace(asking, linker=linker)
        waiting: FairQueue[Pending] = FairQueue(config.max_waiting, config.max_waiting_per_client)
        self._waiting = waiting
        self.metrics.waiting.set_function(lambda: len(waiting))
        runner = database if database and database.executes else None
        self.finder = finder
        self._terms, self.accepted = Terms(config.terms), AcceptedPairs(config.accepted)
        index = config.values_index
        self._values = ValueIndex(Path(index)) if index and database else None
        self._batcher = Batcher(
            self.models.engines,
            infer,
            self._asking,
            runner,
            waiting,
            self.metrics,
            finder,
            config.history_tokens,
        )

    @property
    def alive(self) -> bool:
        """Whether questions are being answered."""
        return self._batcher.alive and (self._server is None or self._server.alive)

    def close(self) -> None:
        """End the queries that run, the threads that ask the model and the query workers.

        To be called when nobody waits for an answer any more.
        """
        if self.database:
            self.database.close()
        self._batcher.stop(self.config.shutdown_seconds)
        if self._server:
            self._server.close()
        if self.finder:
            self.finder.close()
        if self._values:
            self._values.close()

    def schema_for(self, asker: Asker) -> Schema:
        """Return the database's schema; raise Refusal when there is none, or none for the asker."""
        if self.database is None:
            raise _no_database()
        schema = self.database.schema()
        self.access.require(asker, schema.db_id, runs=False)
        return schema

    async def ask(
        self,
        ask: Ask,
        asker: Asker,
        listener: Callable[[str], None] | None = None,
        on_sql: Callable[[Answer], Any] | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            ask: the question and what goes with it.
            asker: who asks; questions of different askers take turns.
            listener: is told the model's text as it grows, from the model's thread.
            on_sql: awaited with the checked answer before its SQL is run.

        Raises:
            Refusal: not answered, with the reason.
        """
        with self._audit.entry(asker, "ask", question=ask.question) as entry:
            return await self._answer(ask, asker, listener, on_sql, entry)

    async def _answer(
        self,
        ask: Ask,
        asker: Asker,
        listener: Callable[[str], None] | None,
        on_sql: Callable[[Answer], Any] | None,
        entry: dict[str, Any],
    ) -> Answer:
        started = time.monotonic()
        self.access.count(asker)
        self._check(ask)
        target = await asyncio.to_thread(self._target, ask, asker)
        db_id = target.schema.db_id if target.database and target.schema else None
        model = self.models.choose(ask.model, db_id)
        reply = await self._ask_model(ask, model, target, asker, listener)
        sql = reply.prediction.sql
        taken_apart = any(CONTROL in text for text in (ask.question, ask.evidence, target.text))
        warnings = [*target.warnings, *([SEPARATED] if taken_apart else [])]
        warnings += notes_on(reply, len(ask.history))
        fault = await self._fault(sql, target.schema, target.database)
        # Nobody may take for checked what names tables that nobody could look up.
        valid = fault is None and (target.schema is not None or target.database is not None)
        entry |= {"sql": sql, "valid": valid, "ran": False}
        answer = Answer(
            sql=sql,
            valid=valid,
            warnings=[*([fault] if fault else []), *warnings],
            seconds=round(time.monotonic() - started, 4),
            model=model,
            request_id=asker.request_id,
            examples=[SolvedQuestion(question=q, sql=s) for q, s in reply.examples or ()],
        )
        self.metrics.answers.labels("valid" if valid else "invalid").inc()
        if on_sql:
            await on_sql(answer)
        if ask.execute and fault is None:
            rows, notes = await self._rows(sql, ask.max_rows, entry)
            seconds = round(time.monotonic() - started, 4)
            answer = answer.model_copy(
                update={"result": rows, "seconds": seconds, "warnings": answer.warnings + notes}
            )
        return answer

    async def run(self, sql: str, max_rows: int | None, asker: Asker) -> tuple[Rows, list[str]]:
        """Run a query on the configured database, if it passes the checks of an answer's SQL.

        Args:
            sql: one statement.
            max_rows: rows to return at most; the service's own limit holds besides.
            asker: who asks.

        Returns:
            The rows, with the error where it failed, and warnings about what they were read from.

        Raises:
            Refusal: it is not run, with the reason.
        """
        with self._audit.entry(asker, "run", sql=sql[:MAX_CHARACTERS], ran=False) as entry:
            return await self._run(sql, max_rows, asker, entry)

    async def _run(
        self, sql: str, max_rows: int | None, asker: Asker, entry: dict[str, Any]
    ) -> tuple[Rows, list[str]]:
        self.access.count(asker)
        schema = await asyncio.to_thread(self.schema_for, asker)
        assert self.database is not None
        self.access.require(asker, schema.db_id, runs=True)
        _require_execution(self.database)
        check_text("sql", sql, MAX_CHARACTERS)
        if not sql.strip():
            raise Refusal(422, "invalid_request", "sql is empty")
        if fault := await self._fault(sql, None, self.database):
            raise Refusal(422, "invalid_sql", fault)
        return await self._rows(sql, max_rows, entry)

    async def accept(self, given: Accepted, asker: Asker) -> None:
        """Keep a question with its SQL for training, if that passes the checks of an answer's SQL.

        Raises:
            Refusal: it is not kept, with the reason.
        """
        with self._audit.entry(asker, "accept", question=given.question, sql=given.sql):
            self.accepted.require(asker)
            self.access.count(asker)
            schema = await asyncio.to_thread(self.schema_for, asker)
            self._check_texts(given.question, given.history)
            check_text("sql", given.sql, MAX_CHARACTERS)
            if fault := await self._fault(given.sql, schema, self.database):
                raise Refusal(422, "invalid_sql", fault)
            await asyncio.to_thread(self.accepted.add, given, asker, schema.db_id)

    def _check_texts(self, question: str, history: Sequence[SolvedQuestion]) -> None:
        most = self.config.max_question_characters
        check_text("question", question, most)
        if not question.strip():
            raise Refusal(422, "invalid_request", "question is empty")
        for turn in history:
            check_text("history.question", turn.question, most)
            check_text("history.sql", turn.sql, MAX_CHARACTERS)

    def _check(self, ask: Ask) -> None:
        self._check_texts(ask.question, ask.history)
        limits = (
            ("evidence", ask.evidence, self.config.max_question_characters),
            ("db_schema", ask.db_schema or "", self.config.max_schema_characters),
        )
        for name, text, most in limits:
            check_text(name, text, most)
        if ask.execute and ask.db_schema is not None:
            message = "execute runs on the configured database; leave db_schema out"
            raise Refusal(422, "invalid_request", message)
        if ask.execute and self.database:
            _require_execution(self.database)

    def _target(self, ask: Ask, asker: Asker) -> _Target:
        """Return the schema to ask about."""
        if ask.db_schema is None:
            if self.database is None:
                message = "no database is configured; give db_schema, or start with --db-url"
                raise Refusal(422, "no_schema", message)
            schema = self.schema_for(asker)
            self.access.require(asker, schema.db_id, ask.execute)
            asked, style = f"{ask.question} {ask.evidence}", self._asking.style
            if self._values:
                schema = with_values(schema, self._values.search(asked, self.config.values))
            shown, budget = schema, self.config.schema_budget
            if budget is not None:
                shown = prune_schema(schema, asked, budget, style, scorer=self._asking.linker)
            return _Target(render_schema(shown, style), schema, self.database, [])
        read = read_schema_text(ask.db_schema)
        if read.schema is None and self._infer.decoding.grammar:
            raise Refusal(422, "invalid_request", "no tables were recognised in db_schema")
        warnings = [] if read.schema else [NO_NAMES]
        warnings += [
            f"not read in db_schema: {statement}" for statement in read.skipped[:MOST_SKIPPED]
        ]
        return _Target(ask.db_schema, read.schema, None, warnings)

    async def _ask_model(
        self,
        ask: Ask,
        model: str,
        target: _Target,
        asker: Asker,
        listener: Callable[[str], None] | None,
    ) -> Reply:
        text, preset = disarm(ask.question), self._asking.preset
        known, fault = self._terms.evidence(ask.question)
        evidence = "; ".join(filter(None, (disarm(ask.evidence), known)))
        target.warnings.extend([fault] if fault else [])
        history = tuple(Example(*disarm((turn.question, turn.sql))) for turn in ask.history)
        messages = render_messages(text, disarm(target.text), preset, evidence=evidence)
        # The batcher numbers the questions it asks together.
        question = Question(0, "", text, "", messages, evidence)
        live = target.database is not None
        pending = Pending(model, question, disarm(target.schema), live, listener, history)
        try:
            self._waiting.put(asker.key, pending)
        except QueueFullError:
            message = "too many questions are waiting; try again in a moment"
            raise Refusal(429, "busy", message, 2) from None
        limit = self.config.request_seconds
        try:
            reply = await asyncio.wait_for(asyncio.wrap_future(pending.future), limit)
        except TimeoutError:
            message = f"no answer within {limit:g} seconds"
            raise Refusal(504, "timeout", message, 5) from None
        except Refusal:
            raise
        except UserError:
            raise Refusal(502, "model", "the model's server does not answer", 5) from None
        except Exception:
            raise Refusal(500, "model", "the model failed on this question") from None
        if reply.prediction.finish_reason == "prompt_too_long":
            most = self._infer.max_model_len - self._infer.max_new_tokens
            message = f"question and schema are {reply.answer.prompt_tokens} tokens, {most} fit"
            raise Refusal(413, "too_long", message)
        return reply

    async def _fault(
        self, sql: str, schema: Schema | None, database: LiveDatabase | None
    ) -> str | None:
        # The database judges names better than we can, and without running anything.
        explains = database is not None and database.executes
        dialect = database.dialect if database else None
        known = None if explains else schema
        trusted = self.config.trusted_functions
        fault = await asyncio.to_thread(find_fault, sql, known, dialect, trusted)
        return await database.fault(sql) if database and explains and not fault else fault

    async def _rows(
        self, sql: str, wanted: int | None, entry: dict[str, Any]
    ) -> tuple[Rows, list[str]]:
        assert self.database is not None
        entry["ran"] = True
        most = min(wanted or self.config.max_rows, self.config.max_rows)
        result, notes = await self.database.rows(sql, most)
        rows, whole = json_rows(result)
        entry |= {"rows": len(rows), "error_kind": result.error_kind}
        reason = result.error
        if result.error_kind == TIMEOUT:
            reason = f"the query was stopped after {self.config.query_seconds:g} seconds"
        elif result.error_kind == FORBIDDEN:
            reason = "only reading is allowed"
        return Rows(
            columns=result.columns,
            rows=rows,
            truncated=not whole,
            seconds=round(result.seconds, 4),
            error=reason,
            error_kind=result.error_kind,
        ), notes


def _no_database() -> Refusal:
    return Refusal(404, "no_database", "no database is configured; start with --db-url")


def _require_execution(database: LiveDatabase) -> None:
    if not database.executes:
        message = f"queries are not run on {database.kind}; it gives its schema"
        raise Refusal(422, "no_execution", message)
