"""Settings of the data stage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from test_suite_sql_eval.hardness import LEVELS

from text2sql.config import StrictModel, one_of
from text2sql.errors import UserError
from text2sql.paths import build_root, repository_root
from text2sql.prompt import SYSTEM_PRESETS
from text2sql.schema import STYLES

COLUMNS = ("question", "sql", "db_id", "schema", "evidence", "level")
Level = Literal["exact", "normalized", "ngram", "jaccard", "skeleton", "schema"]


class DecontaminationConfig(StrictModel):
    """Which leaks are looked for. `exact` alone is what Text2SQL-Qwen3-1.7B did."""

    levels: tuple[Level, ...] = ("exact", "normalized")
    ngram: int = Field(default=8, ge=2)
    ngram_share: float = Field(default=0.8, gt=0, le=1)
    jaccard_similarity: float = Field(default=0.8, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_names(cls, values: Any) -> Any:
        given = {*values, *(values.get("levels") or ())} if isinstance(values, dict) else set()
        for old in sorted(given & {"minhash", "minhash_similarity"}):
            raise ValueError(f"'{old}' is now called '{old.replace('minhash', 'jaccard')}'")
        return values


class DataConfig(StrictModel):
    """Sources and how they become training rows and evaluation questions.

    A path may begin with ``{spider}``, the folder named by SPIDER_DIR, or ``../shared/spider``
    beside the checkout, or with ``{build}``, the folder of generated files.
    Other relative paths start at the checkout.

    `fields` gives the columns of training and evaluation files by our names: ``question``, ``sql``,
    ``db_id`` or ``schema``, and where there are such ``evidence`` and, of evaluation files,
    ``level``. `levels` are the difficulties that the column ``level`` holds, the easiest first;
    without that column they are Spider's. `metric` is what the results table shows: ``exec`` for
    execution accuracy, ``bird_set`` for that of BIRD, ``strict`` for strict execution accuracy.
    `license` is the hub's word for the licence of the training rows, for the cards of models that
    learn from them; it is in no stage's config, since it changes no result.
    """

    train: tuple[str, ...] = Field(min_length=1)
    evaluation: str
    tables: str | None = None
    database: str
    database_form: Literal["sqlite", "sql"] = "sqlite"
    fields: dict[Annotated[str, one_of(COLUMNS, "column")], str] | None = None
    levels: tuple[str, ...] = Field(default=LEVELS, min_length=1)
    metric: Literal["exec", "bird_set", "strict"] = "exec"
    schema_style: Annotated[str, one_of(STYLES, "schema style")] = "ddl"
    samples: int = Field(default=0, ge=0)
    personal_data: bool = True
    schema_budget: int | None = Field(default=None, ge=16)
    system: Annotated[str, one_of(SYSTEM_PRESETS, "preset")] = "p2"
    decontamination: DecontaminationConfig = DecontaminationConfig()
    max_train_rows: int | None = Field(default=None, ge=1)
    max_rejects: int | None = Field(default=None, ge=0)
    max_characters: int = Field(default=20_000, ge=100)
    parse_sql: bool = True
    seed: int = 42
    license: str | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        fields = self.fields or {}
        if fields and not (
            {"question", "sql"} <= set(fields) and {"db_id", "schema"} & set(fields)
        ):
            raise ValueError("fields needs question, sql and db_id or schema")
        if self.levels != LEVELS and "level" not in fields:
            raise ValueError("levels needs the name of their column; add it: fields: {level: ...}")
        if "all" in self.levels or len(set(self.levels)) < len(self.levels):
            raise ValueError("levels must differ from each other and from 'all'")
        return self

    def source_files(self) -> list[Path]:
        """Return the files and folders whose content decides the result."""
        named = [*self.train, self.evaluation, *([self.tables] if self.tables else [])]
        paths = [resolve(name) for name in named]
        if self.database_form == "sql":
            paths.append(resolve(self.database))
        return paths

    def require_sources(self) -> None:
        """Raise UserError when a source is missing."""
        for path in self.source_files():
            if not path.exists():
                raise UserError(f"{path}: data source not found{spider_hint(path)}")

    def databases(self) -> Path:
        """Return the folder that holds ``<db_id>/<db_id>.sqlite``."""
        if self.database_form == "sql":
            return build_root() / "data" / "sample_databases"
        return resolve(self.database)


def spider_folder() -> Path:
    """Return where Spider 1.0 is: $SPIDER_DIR, else our download, else ``../shared/spider``."""
    downloaded = build_root() / "data" / "downloads" / "spider"
    beside = repository_root().parent / "shared" / "spider"
    default = downloaded if downloaded.is_dir() else beside
    return Path(os.environ.get("SPIDER_DIR") or default)


def spider_hint(path: Path) -> str:
    """Return what to do about a missing file of Spider, for the end of a message."""
    return "; run 'text2sql dataset check' and set SPIDER_DIR" if "spider" in str(path) else ""


def resolve(name: str) -> Path:
    """Return the path that a config names."""
    if name.startswith("{spider}"):
        return spider_folder() / name.removeprefix("{spider}").lstrip("/")
    if name.startswith("{build}"):
        return build_root() / name.removeprefix("{build}").lstrip("/")
    return repository_root() / name
