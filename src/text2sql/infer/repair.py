"""One repair turn: a model whose query fails sees the database's error and answers again.

The "execution feedback" of self-debugging (Chen et al., 2023, arXiv:2304.05128).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from text2sql.infer.engine import Completion, Engine, Prompt
from text2sql.infer.queries import QueryRunner, open_databases
from text2sql.prompt import Message, Template, render_text
from text2sql.sql.extract import extract_sql

REPAIR_REQUEST = (
    "The query failed in {database} with this error: {error}\nWrite the corrected query only."
)
MAX_ERROR_CHARACTERS = 300


class Repairer:
    """Runs each answer's SQL; asks once more, with the error, for those that fail.

    Args:
        databases: where the queries are run.
        template: prompt template.
        database: what the databases are called in the repair turn.
    """

    def __init__(
        self, databases: QueryRunner, template: Template, database: str = "SQLite"
    ) -> None:
        self._databases, self._template, self._database = databases, template, database

    def answers(
        self, engine: Engine, prompts: Sequence[Prompt], db_ids: Mapping[int, str], room: int
    ) -> Iterator[tuple[Completion, dict[str, str]]]:
        """Yield for every prompt the answer that counts, and what became of its repair.

        A second answer replaces the first one where it runs; its tokens and time are added either
        way. Where the longer prompt does not fit the context, the first one stands.

        Args:
            engine: the model.
            prompts: the first prompts.
            db_ids: the database of each, by id.
            room: most tokens of a prompt.
        """
        failed: dict[int, tuple[Completion, str]] = {}
        for done in engine.generate(prompts):
            error = self._error(done, db_ids[done.id])
            if error is None:
                yield done, {"repair": "not needed"}
            else:
                failed[done.id] = done, error
        asked = {prompt.id: prompt for prompt in prompts}
        again = [self._ask(engine, asked[n], *failure) for n, failure in failed.items()]
        again = [prompt for prompt in again if len(prompt.tokens) <= room]
        for second in engine.generate(again) if again else ():
            first, error = failed.pop(second.id)
            worked = self._error(second, db_ids[second.id]) is None
            yield (
                replace(
                    second if worked else first,
                    completion_tokens=first.completion_tokens + second.completion_tokens,
                    seconds=first.seconds + second.seconds,
                ),
                {"repair": "worked" if worked else "failed", "first_error": error},
            )
        for done, error in failed.values():
            yield done, {"repair": "no room", "first_error": error}

    def _error(self, done: Completion, db_id: str) -> str | None:
        (result,) = self._databases.run(db_id, [extract_sql(done.text)])
        return None if result.ok else result.error or "no SQL in the answer"

    def _ask(self, engine: Engine, prompt: Prompt, first: Completion, error: str) -> Prompt:
        """The prompt that shows a failed answer with the database's error."""
        error = error[:MAX_ERROR_CHARACTERS]
        request = REPAIR_REQUEST.format(database=self._database, error=error)
        asked = list(prompt.messages)
        if asked[-1]["role"] == "assistant":  # the answer's own beginning
            asked.pop()
        messages: list[Message] = [
            *asked,
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": request},
        ]
        text = render_text(messages, self._template)
        return replace(prompt, tokens=engine.encode(text), text=text, messages=messages)


@contextmanager
def repairing(folder: Path, timeout: float, template: Template) -> Iterator[Repairer]:
    """Give a repairer over the databases of a folder, `timeout` seconds a query."""
    with open_databases(folder, timeout) as databases:
        yield Repairer(databases, template)
