"""Which models one service asks: one, or several of a server, such as adapters by their names."""

from __future__ import annotations

from text2sql.errors import UserError
from text2sql.infer.engine import Engine
from text2sql.infer.openai import OpenAIEngine
from text2sql.serve.config import ServeConfig
from text2sql.serve.messages import Refusal


class Models:
    """The models that may be asked, by name, the usual one first.

    Args:
        name: the name of the usual one.
        engine: the usual one.
        config: which others there are, and which databases have one of their own.

    Raises:
        UserError: others are wanted where there is no server, or one that does not have them.
    """

    def __init__(self, name: str, engine: Engine, config: ServeConfig) -> None:
        self.engines: dict[str, Engine] = {name: engine}
        self._usual, self._of_databases = name, config.database_models
        for other in (*config.models, *config.database_models.values()):
            if other in self.engines:
                continue
            if not isinstance(engine, OpenAIEngine):
                raise UserError(
                    f"models: {other}: only a server has several models; start one and use engine"
                    " openai"
                )
            self.engines[other] = engine.for_model(other)

    @property
    def names(self) -> list[str]:
        """The names that requests may give."""
        return list(self.engines)

    def usual(self, db_id: str | None) -> str:
        """Return the model that is asked about a database where a request names none."""
        return self._of_databases.get(db_id or "", self._usual)

    def choose(self, given: str | None, db_id: str | None) -> str:
        """Return the model to ask.

        Args:
            given: the name in a request.
            db_id: the database that is asked about; None for a schema that the request brings.

        Raises:
            Refusal: there is no such model here.
        """
        if given is None:
            return self.usual(db_id)
        if given not in self.engines:
            message = f"no model '{given[:100]}' here; there are: {', '.join(self.names)}"
            raise Refusal(422, "unknown_model", message)
        return given
