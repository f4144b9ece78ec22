"""Prompts that do not fit the context: rendered anew with a smaller schema, never cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from text2sql.errors import UserError
from text2sql.prompt import Example, Template, add_history, render_messages, render_text
from text2sql.question import Question
from text2sql.schema import Schema, prune_schema, render_schema
from text2sql.schema.linker import Scorer


@dataclass(frozen=True)
class SchemaFitter:
    """Renders questions anew so that they fit.

    Attributes:
        schema: gives the whole schema of a database by its id; None or UserError: there is none.
        style: how schemas are rendered.
        preset: system preset of the prompts.
        template: prompt template.
        turns: gives what was asked and answered before a question, oldest first.
        linker: what says which tables and columns a question needs; None is word overlap.
    """

    schema: Callable[[str], Schema | None]
    style: str
    preset: str
    template: Template
    turns: Callable[[Question], Sequence[Example]] = lambda _: ()
    linker: Scorer | None = None

    def fit(
        self, question: Question, room: int, encode: Callable[[str], list[int]]
    ) -> Question | None:
        """Return a question with messages over as much of its schema as fits.

        Args:
            question: any.
            room: most tokens of a prompt.
            encode: the engine's tokenizer.

        Returns:
            The question with other messages; None where not even one table fits, or there is no
            schema.
        """
        try:
            schema = self.schema(question.db_id)
        except UserError:
            schema = None
        if schema is None:
            return None
        words = [question.question, question.evidence, *sum(self.turns(question), ())]
        budget = room - self._tokens(self._with_schema(question, ""), encode)
        # Tokens of the parts and of the whole differ by a few where they meet.
        for spare in (2, 16, 64):
            if budget <= spare:
                break
            pruned = prune_schema(
                schema,
                " ".join(words),
                budget - spare,
                self.style,
                lambda text: len(encode(text)),
                self.linker,
            )
            fitted = self._with_schema(question, render_schema(pruned, self.style))
            if self._tokens(fitted, encode) <= room:
                return fitted
        return None

    def _with_schema(self, question: Question, text: str) -> Question:
        asked, evidence = question.question, question.evidence
        messages = render_messages(asked, text, self.preset, evidence=evidence)
        return replace(question, messages=add_history(messages, self.turns(question)))

    def _tokens(self, question: Question, encode: Callable[[str], list[int]]) -> int:
        return len(encode(render_text(question.messages, self.template)))
