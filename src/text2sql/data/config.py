"""Settings of the data stage."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from test_suite_sql_eval.hardness import LEVELS

from text2sql.config import StrictModel, one_of
from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.paths import build_root, repository_root
from text2sql.prompt import SYSTEM_PRESETS
from text2sql.schema import STYLES
from text2sql.schema.linker import FILE as LINKER_FILE
from text2sql.schema.linker import FIX as LINKER_FIX
from text2sql.schema.render import WITH_VALUES

COLUMNS = ("question", "sql", "db_id", "schema", "evidence", "level")
# Keys that change nothing of what is read and written, only how models are chosen and judged.
JUDGING = frozenset({"models_of", "gold_errors"})
# Data sets by the names that begin paths, with the variables of the environment that say where they
# are.
FOLDERS = {
    "spider": "SPIDER_DIR",
    "spider_syn": "SPIDER_SYN_DIR",
    "spider_dk": "SPIDER_DK_DIR",
    "spider_realistic": "SPIDER_REALISTIC_DIR",
    "spider2_lite": "SPIDER2_LITE_DIR",
    "bird": "BIRD_DIR",
}
Level = Literal["exact", "normalized", "ngram", "jaccard", "skeleton", "schema"]


def _style_or_file(name: str) -> str:
    """Return a schema style or a file of rows; raise ValueError for what is neither."""
    if name not in STYLES and not name.endswith((".json", ".jsonl")):
        raise ValueError(f"'{name}' is neither a .jsonl file nor one of: {', '.join(STYLES)}")
    return name


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


class HeldOut(StrictModel):
    """How many databases are held out of training, and at most how many questions of each asked."""

    databases: int = Field(ge=1)
    questions: int | None = Field(default=None, ge=1)


class DataConfig(StrictModel):
    """Sources and how they become training rows and evaluation questions.

    A path may begin with ``{spider}``, ``{bird}`` or another name of `FOLDERS`, the folder of a
    data set (see `dataset_folder`), or with ``{build}``, the folder of generated files. Other
    relative paths start at the checkout.

    `fields` gives the columns of training and evaluation files by our names: ``question``, ``sql``,
    ``db_id`` or ``schema``, and where there are such ``evidence`` and, of evaluation files,
    ``level``. `levels` are the difficulties that the column ``level`` holds, the easiest first;
    without that column they are Spider's. `database` is the folder of the databases, or several:
    one that is in more than one of them is taken from the first. `metric` is what the results
    table shows: ``exec`` for execution accuracy, ``bird_set`` for that of BIRD, ``strict`` for
    strict execution accuracy, ``spider2`` for Spider 2.0's rule, whose files are then read.
    `models_of` names the data set whose trained models are judged, for one that varies
    another's questions: nothing is trained on it then. `held_out` evaluates on some databases
    of the file `evaluation` alone, drawn by the seed, and keeps them out of training: to choose
    a recipe without a look at the real evaluation, `evaluation` names a training file.
    `gold_errors` says what the evaluation does where a gold query does not run: ``stop``, or
    count the question as ``wrong``. `values` is how many values of the database, found by what
    the question says, prompts show beside the types.
    `linker` is the folder of a trained schema linker (`make train-linker`), which says in place of
    word overlap what a schema can do without, where one is pruned to `schema_budget` or to the
    model's context.
    `evaluation_schema_style` is for prompts of evaluation questions where they differ from those of
    training: a style, or a file whose rows have the schema in ``table_creating``, as `text2sql
    dataset translate-ddl` writes it.
    `license` is the hub's word for the licence of the training rows, for the cards of models that
    learn from them; it is in no stage's config, since it changes no result.
    """

    train: tuple[str, ...] = Field(min_length=1)
    evaluation: str
    tables: str | None = None
    models_of: str | None = None
    held_out: HeldOut | None = None
    database: str | Annotated[tuple[str, ...], Field(min_length=1)]
    database_form: Literal["sqlite", "sql"] = "sqlite"
    fields: dict[Annotated[str, one_of(COLUMNS, "column")], str] | None = None
    levels: tuple[str, ...] = Field(default=LEVELS, min_length=1)
    metric: Literal["exec", "bird_set", "strict", "spider2"] = "exec"
    gold_errors: Literal["stop", "wrong"] = "stop"
    schema_style: Annotated[str, one_of(STYLES, "schema style")] = "ddl"
    evaluation_schema_style: Annotated[str, AfterValidator(_style_or_file)] | None = None
    samples: int = Field(default=0, ge=0)
    values: int = Field(default=0, ge=0, le=50)
    personal_data: bool = True
    schema_budget: int | None = Field(default=None, ge=16)
    linker: str | None = None
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
        if self.database_form == "sql" and not isinstance(self.database, str):
            raise ValueError("database_form 'sql' takes one folder as database")
        if self.values and self.schema_style not in WITH_VALUES:
            known = " or ".join(WITH_VALUES)
            raise ValueError(f"values are shown by schema_style {known} only")
        if self.values and self.evaluation_schema_style:
            raise ValueError("values do not go with evaluation_schema_style; leave one out")
        if fields and not (
            {"question", "sql"} <= set(fields) and {"db_id", "schema"} & set(fields)
        ):
            raise ValueError("fields needs question, sql and db_id or schema")
        if self.levels != LEVELS and "level" not in fields:
            raise ValueError("levels needs the name of their column; add it: fields: {level: ...}")
        if "all" in self.levels or len(set(self.levels)) < len(self.levels):
            raise ValueError("levels must differ from each other and from 'all'")
        return self

    def of_data(self) -> dict[str, Any]:
        """Return the keys that decide what is read and written, as JSON-able values."""
        unset = {
            "values": self.values,
            "evaluation_schema_style": self.evaluation_schema_style,
            "linker": self.linker,
            "held_out": self.held_out,
        }
        without = {*JUDGING, *(key for key, value in unset.items() if not value)}
        return self.model_dump(mode="json", exclude=without)

    def source_files(self) -> list[Path]:
        """Return the files and folders whose content decides the result."""
        named = [*self.train, self.evaluation, *([self.tables] if self.tables else [])]
        if self.evaluation_schema_style and self.evaluation_schema_style not in STYLES:
            named.append(self.evaluation_schema_style)
        paths = [resolve(name) for name in named]
        if self.database_form == "sql":
            paths += self.database_folders()
        return paths

    def linker_folder(self) -> Path | None:
        """Return the folder of the trained schema linker, None where words are compared."""
        return resolve(self.linker) if self.linker else None

    def linker_files(self) -> tuple[Path, ...]:
        """Return what a stage that prunes by the linker reads: what tells that it is one, and all.

        They are sources of their own, since not every stage that reads the rows also prunes.
        """
        folder = self.linker_folder()
        return (folder / LINKER_FILE, folder) if folder else ()

    def needed_paths(self) -> list[Path]:
        """Return all files and folders that must be there: sources and databases."""
        return list(dict.fromkeys([*self.source_files(), *self.database_folders()]))

    def database_folders(self) -> list[Path]:
        """Return the folders that the config names as those of its databases."""
        names = (self.database,) if isinstance(self.database, str) else self.database
        return [resolve(name) for name in names]

    def require_sources(self) -> None:
        """Raise UserError when a source is missing."""
        for path in self.source_files():
            if not path.exists():
                raise UserError(f"{path}: data source not found{source_hint(path)}")

    def databases(self) -> Path:
        """Return the folder that holds ``<db_id>/<db_id>.sqlite``.

        Where the config names several folders it is one of links to what they hold, which
        `text2sql.data.databases.ensure_databases` makes.
        """
        if self.database_form == "sql":
            return build_root() / "data" / "sample_databases"
        folders = self.database_folders()
        if len(folders) == 1:
            return folders[0]
        label = sha256_text("\n".join(map(str, folders)))[:12]
        return build_root() / "data" / "databases" / label


def dataset_folder(name: str) -> Path:
    """Return where a data set of `FOLDERS` is.

    That is what its variable of the environment says, else our download, else the folder of its
    name in ``../shared`` beside the checkout.
    """
    downloaded = build_root() / "data" / "downloads" / name
    beside = repository_root().parent / "shared" / name
    default = downloaded if downloaded.is_dir() else beside
    return Path(os.environ.get(FOLDERS[name]) or default)


def spider_folder() -> Path:
    """Return where Spider 1.0 is: $SPIDER_DIR, else our download, else ``../shared/spider``."""
    return dataset_folder("spider")


def source_hint(path: Path) -> str:
    """Return what to do about a missing file that is known, for the end of a message."""
    if path.name == LINKER_FILE:
        return f"; {LINKER_FIX}"
    for name, variable in FOLDERS.items():
        if path.is_relative_to(dataset_folder(name)):
            return f"; run 'text2sql dataset check' and set {variable}"
    return ""


def resolve(name: str) -> Path:
    """Return the path that a config names."""
    begins = re.match(r"\{(\w+)\}/?", name)
    if begins and begins[1] in FOLDERS:
        return dataset_folder(begins[1]) / name[begins.end() :]
    if begins and begins[1] == "build":
        return build_root() / name[begins.end() :]
    return repository_root() / name
