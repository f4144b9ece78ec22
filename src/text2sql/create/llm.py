"""Plan topics and write pairs with a language model behind any OpenAI-compatible endpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from text2sql.chat import AnswerLog, ChatClient, EndpointError
from text2sql.create.generator import DEFAULT_MIX, Pair, quotas, says_nothing
from text2sql.create.llm_schema import (
    PairsAnswer,
    PlanAnswer,
    WrittenPair,
    drop_broken,
    parse_answer,
)
from text2sql.create.nouns import Language
from text2sql.create.topics import Topic, scale_counts
from text2sql.data.decontaminate import normalize
from text2sql.data.snapshot import Snapshot
from text2sql.errors import UserError
from text2sql.prompt import Message
from text2sql.schema import Schema, render_schema
from text2sql.schema.connect import DIALECT_NAMES
from text2sql.sql.hardness import LEVELS, eval_schema, hardness_of
from text2sql.sql.validate import Rejected, Validator

TEMPERATURE = 0.7
MAX_TOKENS = 4096
TRIES = 3  # answers asked for before a request is given up
BATCH = 20  # pairs asked for at once
ROUNDS = 3  # times as many batches as it takes when every pair is good
SHOWN_QUESTIONS = 30
LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}
LEVEL_HINTS = (
    "easy: one table, one clause; medium: a join, grouping or two conditions; hard: one nested"
    " query or set operation, or three clauses; extra: several of these"
)

Answer = TypeVar("Answer", bound=BaseModel)


class LlmWriter:
    """Asks a model for a plan and for pairs; nothing it says is taken unchecked.

    Every answer is written to the log as it comes. A run that was broken off reads them from there
    and asks only what is new.

    Args:
        client: the endpoint and the model's name there.
        snapshot: the schema and dialect.
        validator: checks the SQL.
        log: JSON Lines file of answers.
        languages: languages of the questions.
        listener: is told every answer so far, as it grows.

    Attributes:
        counts: what became of answers, topics and pairs.
        rejects: the pairs that were not kept: topic, question, SQL, kind and reason.
    """

    def __init__(
        self,
        client: ChatClient,
        snapshot: Snapshot,
        validator: Validator,
        log: Path,
        languages: Sequence[Language] = ("en",),
        listener: Callable[[str], None] | None = None,
    ) -> None:
        self._client, self._snapshot, self._validator = client, snapshot, validator
        self._languages = tuple(languages)
        self._structured = True
        self._log = AnswerLog(log)
        self._names = eval_schema(snapshot.schema.names())
        self._seen: set[str] = set()
        # Who listens gets the answer in pieces, each of which may take the client's time: a slow
        # model is not given up while it writes.
        self._listener = listener or (lambda _: None)
        self.counts: Counter[str] = Counter()
        self.rejects: list[dict[str, str]] = []

    def report(self) -> dict[str, Any]:
        """Return counts, tokens and cost of this run (answers from the log cost nothing again)."""
        return {
            "counts": dict(self.counts),
            "tokens_in": self._client.tokens_in,
            "tokens_out": self._client.tokens_out,
            "cost": round(self._client.cost, 6),
        }

    def plan(self, cards: Sequence[str], total: int) -> list[Topic]:
        """Return topics whose tables exist and whose counts add up to the total.

        Args:
            cards: table cards, in as many texts as the budget needs; each is asked about.
            total: pairs to make.

        Raises:
            UserError: the endpoint fails, or gives no usable plan after all tries.
        """
        spelled = {t.name.lower(): t.name for t in self._snapshot.schema.tables}
        topics: list[Topic] = []
        for number, text in enumerate(cards):
            prompt = (
                f"These are the tables of a database:\n\n{text}\n\nGroup related tables into"
                " business topics, so that people's questions about each topic can be answered"
                " from its tables. Give each topic a short name, its tables (one to six, spelled"
                " as above), the number of questions it deserves (they add up to"
                f" {max(total // len(cards), 1)}) and a reason. Answer with JSON:"
                ' {"topics": [{"name": "...", "tables": ["..."], "count": 10, "reason": "..."}]}'
            )
            answer = self._ask(prompt, PlanAnswer, number, lambda a: _plan_fault(a, spelled))
            if answer is None:
                raise UserError(
                    f"{self._client.url}: no usable plan after {TRIES} answers;"
                    f" see {self._log.path}"
                )
            for found in answer.topics:
                tables = dict.fromkeys(
                    spelled[t.lower()] for t in found.tables if t.lower() in spelled
                )
                known = {t for t in found.tables if t.lower() in spelled}
                self.counts["plan: unknown tables"] += len(set(found.tables) - known)
                self.counts["plan: topics"] += 1
                if tables:
                    topics.append(Topic(found.name, tuple(tables), found.count, found.reason))
        planned = scale_counts(topics, total)
        self.counts["plan: topics dropped"] += self.counts["plan: topics"] - len(planned)
        return planned

    def generate(self, topics: Sequence[Topic]) -> Iterator[Pair]:
        """Yield checked pairs, topic by topic, balanced over hardness as far as the model can.

        Raises:
            UserError: the endpoint fails.
        """
        for topic in topics:
            yield from self._topic(topic)

    def _topic(self, topic: Topic) -> Iterator[Pair]:
        need = quotas(topic.count, DEFAULT_MIX)
        reserve: list[Pair] = []
        questions: list[str] = []
        for number in range(ROUNDS * -(-topic.count // BATCH)):
            left = sum(need.values())
            if left == 0:
                break
            prompt = self._prompt(topic, need, questions)
            answer = self._ask(prompt, PairsAnswer, number, lambda _: None)
            self.counts["pairs: asked for"] += min(left, BATCH)
            self.counts["pairs: written"] += len(answer.pairs) if answer else 0
            for written in answer.pairs if answer else ():
                pair = self._checked(topic, written)
                if pair is None:
                    continue
                questions.append(pair.question)
                if need[pair.hardness] > 0:
                    need[pair.hardness] -= 1
                    yield pair
                else:
                    reserve.append(pair)
        # What no level wanted fills up what the levels lack.
        lacking = sum(need.values())
        self.counts["not needed"] += len(reserve[lacking:])
        yield from reserve[:lacking]

    def _prompt(self, topic: Topic, need: dict[str, int], questions: list[str]) -> str:
        schema = _part(self._snapshot.schema, topic.tables)
        left = sum(need.values())
        count = min(left, BATCH)
        wanted = ", ".join(f"{quotas(count, need)[level]} {level}" for level in LEVELS)
        languages = " or ".join(LANGUAGE_NAMES[each] for each in self._languages)
        text = (
            f"Database schema:\n{render_schema(schema, 'ddl-values')}\n\nTopic: {topic.name}\n"
            f"Write {count} different questions in {languages} that people who use this database"
            f" would ask, each with one {DIALECT_NAMES[self._snapshot.dialect]} SELECT query that"
            " answers it. Use only tables and columns of the schema and no comments. Difficulty:"
            f" {wanted} ({LEVEL_HINTS}). Answer with JSON:"
            ' {"pairs": [{"question": "...", "sql": "..."}]}'
        )
        if questions:
            shown = "\n".join(f"- {q}" for q in questions[-SHOWN_QUESTIONS:])
            text += f"\nDo not repeat these:\n{shown}"
        return text

    def _checked(self, topic: Topic, written: WrittenPair) -> Pair | None:
        question = " ".join(written.question.split())
        key = normalize(question)
        try:
            checked = self._validator.check(written.sql)
        except Rejected as reject:
            self._reject(topic, written, f"failed: {reject.layer}", reject.reason)
            return None
        sql = " ".join(checked.sql.split()) if "'" not in checked.sql else checked.sql
        if key in self._seen or sql in self._seen:
            what = "question" if key in self._seen else "SQL"
            self._reject(topic, written, "duplicate", f"the {what} is there already")
            return None
        if checked.result is not None and says_nothing(checked.result.rows):
            what = "nothing but NULL or zero" if checked.result.rows else "no row"
            self._reject(topic, written, "empty", f"the query returns {what}")
            return None
        self._seen |= {key, sql}
        self.counts["kept"] += 1
        # Beyond Spider's grammar there is no level; such queries are hard for people too.
        level = hardness_of(sql, self._snapshot.dialect, self._names) or "extra"
        return Pair(
            question,
            sql,
            "zh" if re.search(r"[\u3400-\u9fff]", question) else "en",
            self._snapshot.dialect,
            topic.name,
            level,
            f"llm:{self._client.model}",
            len(checked.result.rows) if checked.result else None,
        )

    def _reject(self, topic: Topic, written: WrittenPair, kind: str, reason: str) -> None:
        self.counts[kind] += 1
        pair = {"question": written.question, "sql": written.sql}
        self.rejects.append({"topic": topic.name, **pair, "kind": kind, "reason": reason})

    def _ask(
        self, prompt: str, shape: type[Answer], number: int, fault: Callable[[Answer], str | None]
    ) -> Answer | None:
        """Ask until the answer has the shape, each time saying what was wrong; None to give up."""
        messages: list[Message] = [{"role": "user", "content": prompt}]
        for attempt in range(TRIES):
            text = self._reply(messages, shape, [number, attempt])
            try:
                value, repaired = parse_answer(text)
                self.counts["repaired"] += repaired
                self.counts["broken entries"] += drop_broken(value, shape)
                answer = shape.model_validate(value)
                problem = fault(answer)
            except ValidationError as error:
                first = error.errors()[0]
                problem = f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
            except ValueError as error:
                problem = f"not JSON: {error}"
            if problem is None:
                return answer
            self.counts["asked again"] += 1
            messages = [
                *messages[:1],
                {"role": "assistant", "content": text},
                {"role": "user", "content": f"That cannot be used: {problem}. Answer again."},
            ]
        self.counts["given up"] += 1
        return None

    def _reply(self, messages: list[Message], shape: type[BaseModel], salt: list[int]) -> str:
        asked = [self._client.model, TEMPERATURE, messages, salt]
        text, known = self._log.answer(asked, lambda: self._call(messages, shape))
        self.counts["from the log" if known else "calls"] += 1
        return text

    def _call(self, messages: list[Message], shape: type[BaseModel]) -> str:
        settings: dict[str, Any] = {"temperature": TEMPERATURE, "max_tokens": MAX_TOKENS}
        if self._structured:
            schema = {"name": shape.__name__, "schema": shape.model_json_schema()}
            settings["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            return self._client.ask(messages, self._listener, **settings)
        except EndpointError as error:
            if not self._structured or error.status not in (400, 422):
                raise
            # An endpoint without structured output; the prompt asks for JSON all the same.
            self._structured = False
            return self._call(messages, shape)


def _plan_fault(answer: PlanAnswer, known: dict[str, str]) -> str | None:
    if any(table.lower() in known for topic in answer.topics for table in topic.tables):
        return None
    return "none of the tables exists"


def _part(schema: Schema, names: Sequence[str]) -> Schema:
    tables = tuple(t for t in schema.tables if t.name in names)
    keys = tuple(k for k in schema.foreign_keys if k.table in names and k.ref_table in names)
    return replace(schema, tables=tables, foreign_keys=keys)
