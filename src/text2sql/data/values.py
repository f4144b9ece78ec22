"""Schema texts that show the values which a question means, beside the types of their columns."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.paths import build_root
from text2sql.schema.value_index import FORMAT, build_value_index
from text2sql.schema.value_search import ValueIndex, with_values
from text2sql.schema.words import VERSION


class ValueTexts(SchemaTexts):
    """As `SchemaTexts`, with the values that an index of each database finds for the question.

    The indexes are built when they are first needed, below ``build/data/values``.
    """

    def __init__(self, config: DataConfig) -> None:
        super().__init__(config)
        self._values_config = config
        self._index = cache(self._open)

    def text(self, db_id: str, question: str) -> str:
        """Return the text for a question, pruned to the budget if there is one."""
        config, schema = self._values_config, self.schema(db_id)
        index = self._index(db_id)
        if index is not None:
            schema = with_values(schema, index.search(question, config.values))
        return self.rendered(schema, question)

    def _open(self, db_id: str) -> ValueIndex | None:
        config = self._values_config
        database = config.databases() / db_id / f"{db_id}.sqlite"
        if not database.is_file():
            return None  # its schema comes from tables.json, which has no values
        path = index_path(database, config.personal_data)
        if not path.is_file():
            build_value_index(database, path, personal_data=config.personal_data)
        try:
            return ValueIndex(path)
        except UserError:
            path.unlink()
            return self._open(db_id)


def schema_texts(config: DataConfig) -> SchemaTexts:
    """Return what gives the schemas of a data set as prompt text, with values where it wants them.

    Raises:
        UserError: the config names a linker that is not there.
    """
    return ValueTexts(config) if config.values else SchemaTexts(config)


def index_path(database: Path, personal_data: bool) -> Path:
    """Return where the index of a database file is, another one for each of its states."""
    facts = database.stat()
    state = [str(database.resolve()), facts.st_size, facts.st_mtime_ns, personal_data]
    name = sha256_text(repr([*state, FORMAT, VERSION]))[:12]
    return build_root() / "data" / "values" / f"{database.stem}-{name}.sqlite"
