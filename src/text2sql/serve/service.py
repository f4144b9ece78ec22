"""What the service does, whatever way it is asked: HTTP, WebSocket or MCP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from test_suite_sql_eval.errors import FORBIDDEN, TIMEOUT

from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Engine
from text2sql.prompt import render_messages
from text2sql.question import Question
from text2sql.schema import Schema, render_schema
from text2sql.schema.text import parse_schema
from text2sql.serve.batcher import Asking, Batcher, Pending, Reply
from text2sql.serve.config import ServeConfig
from text2sql.serve.control_words import CONTROL, disarm
from text2sql.serve.database import LiveDatabase
from text2sql.serve.examples import MISSING, ExampleFinder
from text2sql.serve.fair_queue import FairQueue, QueueFullError
from text2sql.serve.json_rows import json_rows
from text2sql.serve.messages import Answer, Ask, Refusal, Rows, SolvedQuestion, check_text
from text2sql.serve.metrics import Metrics
from text2sql.sql.validate import MAX_CHARACTERS, find_fault

CUT = "the answer reached its length limit; the SQL may be incomplete"
PRUNED = "the schema was too long; the model saw only what seemed relevant to the question"
SEPARATED = "control words of the prompt format were taken apart in the question or schema"
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
    ) -> None:
        self.config, self.model, self.database = config, model, database
        self.metrics = Metrics()
        self._infer, self._asking = infer, asking
        waiting: FairQueue[Pending] = FairQueue(config.max_waiting, config.max_waiting_per_client)
        self._waiting = waiting
        self.metrics.waiting.set_function(lambda: len(waiting))
        runner = database if database and database.executes else None
        self.finder = finder
        self._batcher = Batcher(engine, infer, asking, runner, waiting, self.metrics, finder)

    @property
    def alive(self) -> bool:
        """Whether questions are being answered."""
        return self._batcher.is_alive()

    def close(self) -> None:
        """End the queries that run, the model's thread and the query workers.

        To be called when nobody waits for an answer any more.
        """
        if self.database:
            self.database.close()
        self._batcher.stop(self.config.shutdown_seconds)
        if self.finder:
            self.finder.close()

    def live_schema(self) -> Schema:
        """Return the configured database's schema; raise Refusal when there is none."""
        if self.database is None:
            raise _no_database()
        return self.database.schema()

    async def ask(
        self,
        ask: Ask,
        client: str,
        request_id: str,
        listener: Callable[[str], None] | None = None,
        on_sql: Callable[[Answer], Any] | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            ask: the question and what goes with it.
            client: who asks; questions of different clients take turns.
            request_id: goes into the answer and the log.
            listener: is told the model's text as it grows, from the model's thread.
            on_sql: awaited with the checked answer before its SQL is run.

        Raises:
            Refusal: not answered, with the reason.
        """
        started = time.monotonic()
        self._check(ask)
        target = await asyncio.to_thread(self._target, ask)
        reply = await self._ask_model(ask, target, client, listener)
        sql = reply.prediction.sql
        taken_apart = any(CONTROL in text for text in (ask.question, ask.evidence, target.text))
        warnings = [*target.warnings, *([SEPARATED] if taken_apart else []), *_notes(reply)]
        fault = await self._fault(sql, target.schema, target.database)
        answer = Answer(
            sql=sql,
            valid=fault is None,
            warnings=[*([fault] if fault else []), *warnings],
            seconds=round(time.monotonic() - started, 4),
            model=self.model,
            request_id=request_id,
            examples=[SolvedQuestion(question=q, sql=s) for q, s in reply.examples or ()],
        )
        self.metrics.answers.labels("invalid" if fault else "valid").inc()
        if on_sql:
            await on_sql(answer)
        if ask.execute and fault is None:
            rows, notes = await self._rows(sql, ask.max_rows)
            seconds = round(time.monotonic() - started, 4)
            answer = answer.model_copy(
                update={"result": rows, "seconds": seconds, "warnings": answer.warnings + notes}
            )
        return answer

    async def run(self, sql: str, max_rows: int | None) -> tuple[Rows, list[str]]:
        """Run a query on the configured database, if it passes the checks of an answer's SQL.

        Args:
            sql: one statement.
            max_rows: rows to return at most; the service's own limit holds besides.

        Returns:
            The rows, with the error where it failed, and warnings about what they were read from.

        Raises:
            Refusal: it is not run, with the reason.
        """
        if self.database is None:
            raise _no_database()
        _require_execution(self.database)
        check_text("sql", sql, MAX_CHARACTERS)
        if not sql.strip():
            raise Refusal(422, "invalid_request", "sql is empty")
        if fault := await self._fault(sql, None, self.database):
            raise Refusal(422, "invalid_sql", fault)
        return await self._rows(sql, max_rows)

    def _check(self, ask: Ask) -> None:
        limits = (
            ("question", ask.question, self.config.max_question_characters),
            ("evidence", ask.evidence, self.config.max_question_characters),
            ("db_schema", ask.db_schema or "", self.config.max_schema_characters),
        )
        for name, text, most in limits:
            check_text(name, text, most)
        if not ask.question.strip():
            raise Refusal(422, "invalid_request", "question is empty")
        if ask.execute and ask.db_schema is not None:
            message = "execute runs on the configured database; leave db_schema out"
            raise Refusal(422, "invalid_request", message)
        if ask.execute and self.database:
            _require_execution(self.database)

    def _target(self, ask: Ask) -> _Target:
        """Return the schema to ask about."""
        if ask.db_schema is None:
            if self.database is None:
                message = "no database is configured; give db_schema, or start with --db-url"
                raise Refusal(422, "no_schema", message)
            schema = self.database.schema()
            text = render_schema(schema, self._asking.style)
            return _Target(text, schema, self.database, [])
        parsed = parse_schema(ask.db_schema)
        if parsed is None and self._infer.decoding.grammar:
            raise Refusal(422, "invalid_request", "no tables were recognised in db_schema")
        warnings = [] if parsed else [NO_NAMES]
        return _Target(ask.db_schema, parsed, None, warnings)

    async def _ask_model(
        self, ask: Ask, target: _Target, client: str, listener: Callable[[str], None] | None
    ) -> Reply:
        text, evidence, preset = disarm(ask.question), disarm(ask.evidence), self._asking.preset
        messages = render_messages(text, disarm(target.text), preset, evidence=evidence)
        # The batcher numbers the questions it asks together.
        question = Question(0, "", text, "", messages, evidence)
        pending = Pending(question, disarm(target.schema), target.database is not None, listener)
        try:
            self._waiting.put(client, pending)
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

    async def _rows(self, sql: str, wanted: int | None) -> tuple[Rows, list[str]]:
        assert self.database is not None
        most = min(wanted or self.config.max_rows, self.config.max_rows)
        result, notes = await self.database.rows(sql, most)
        rows, whole = json_rows(result)
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


def _notes(reply: Reply) -> list[str]:
    done, prediction, notes = reply.answer, reply.prediction, []
    if prediction.finish_reason == "length":
        notes.append(CUT)
    if done.unpruned_sha256:
        notes.append(PRUNED)
    if reply.examples is None:
        notes.append(MISSING)
    if prediction.samples:
        notes.append(f"{prediction.votes} of {prediction.samples} samples agree on the result")
    tried = Counter(repair for repair in done.repairs if repair in ("worked", "failed"))
    if tried:
        is_one = len(done.texts) == 1
        outcomes = ", ".join(
            f"repair {outcome}" if is_one else f"{count} repairs {outcome}"
            for outcome, count in tried.items()
        )
        notes.append(f"the first answer failed ({done.first_errors[0]}); {outcomes}")
    return notes
