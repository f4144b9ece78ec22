"""The committed sample set: what it promises about its databases, questions and derived files."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.hardness import LEVELS

from text2sql.data.config import DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, normalize, skeleton
from text2sql.data.rows import Row
from text2sql.data.sample import ensure_sample_databases
from text2sql.schema import read_schema, read_tables_json

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "data"
SAMPLE = DATA / "sample"
SPLITS = ("train", "dev")
VALUE = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
RANKED = re.compile(r"SELECT (?P<body>.*) ORDER BY (?P<key>.*?)(?P<desc> DESC)? LIMIT (?P<n>\d+)")


def load(split: str) -> list[dict[str, Any]]:
    return json.loads((SAMPLE / f"{split}.json").read_text(encoding="utf-8"))


PAIRS = {split: load(split) for split in SPLITS}
ALL = [pair for split in SPLITS for pair in PAIRS[split]]
IDS = sorted(path.stem for path in (SAMPLE / "database").glob("*/*.sql"))
TRAINED = {pair["db_id"] for pair in PAIRS["train"]}


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_sample_databases(output=tmp_path_factory.mktemp("sample") / "database")


@pytest.fixture(scope="session")
def connect(databases: Path) -> Callable[[str], Any]:
    @contextmanager
    def opened(db_id: str) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(databases / db_id / f"{db_id}.sqlite")) as connection:
            yield connection

    return opened


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    path = REPOSITORY / "scripts" / "build_sample_data.py"
    spec = importlib.util.spec_from_file_location("build_sample_data", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own whose sample set a test may spoil."""
    (tmp_path / "configs").mkdir()
    shutil.copytree(SAMPLE, tmp_path / "data" / "sample")
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path / "build"))
    return tmp_path / "data" / "sample"


def test_size() -> None:
    assert len(IDS) >= 10
    assert len(PAIRS["train"]) >= 400
    assert len(PAIRS["dev"]) == 120


def test_every_question_has_its_database() -> None:
    assert {pair["db_id"] for pair in ALL} == set(IDS)


def test_half_of_the_dev_databases_are_unseen_in_training() -> None:
    asked = Counter(pair["db_id"] for pair in PAIRS["dev"])
    unseen = {db_id: count for db_id, count in asked.items() if db_id not in TRAINED}
    assert 2 * len(unseen) == len(asked)
    assert 2 * sum(unseen.values()) == len(PAIRS["dev"])


@pytest.mark.parametrize("db_id", IDS)
def test_foreign_keys_hold(connect: Callable[[str], Any], db_id: str) -> None:
    with connect(db_id) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in tables.fetchall():
            assert connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone(), name


def test_every_gold_query_returns_rows_that_say_something(connect: Callable[[str], Any]) -> None:
    for pair in ALL:
        with connect(pair["db_id"]) as connection:
            rows = connection.execute(pair["query"]).fetchall()
        assert any(value is not None for row in rows for value in row), pair


def test_no_answer_hangs_on_a_tie(connect: Callable[[str], Any]) -> None:
    """The best N must be the same N whatever order SQLite visits rows in."""
    ranked = [(pair, found) for pair in ALL if (found := RANKED.fullmatch(pair["query"]))]
    assert len(ranked) == sum(" LIMIT " in pair["query"] for pair in ALL)
    for pair, found in ranked:
        # The key comes first in the result, so that its values can be compared.
        key, last = found["key"], int(found["n"])
        body = f"SELECT {key}, {found['body']} ORDER BY {key}{found['desc'] or ''}"
        with connect(pair["db_id"]) as connection:
            values = [row[0] for row in connection.execute(body)]
        assert values[0] is not None, pair
        assert len(values) <= last or values[last - 1] != values[last], pair


@pytest.mark.parametrize("split", SPLITS)
def test_gold_as_prediction_scores_full_marks(databases: Path, tmp_path: Path, split: str) -> None:
    gold, pred = tmp_path / "gold.sql", tmp_path / "pred.sql"
    gold.write_text("".join(f"{pair['query']}\t{pair['db_id']}\n" for pair in PAIRS[split]))
    pred.write_text("".join(f"{pair['query']}\n" for pair in PAIRS[split]))
    settings = Settings(etype="all", jobs=2, extra=True)
    report = evaluate(str(gold), str(pred), str(databases), str(SAMPLE / "tables.json"), settings)
    assert report.warnings == []
    assert len(report.verdicts) == len(PAIRS[split])
    assert report.scores["all"]["exec"] == report.scores["all"]["exact"] == 1.0
    assert report.metrics["strict_ex"] == report.metrics["execution_success"] == 1.0
    assert report.metrics["gold_empty"] == 0.0
    levels = Counter(verdict["hardness"] for verdict in report.verdicts)
    assert set(levels) == set(LEVELS)
    assert min(levels.values()) >= len(PAIRS[split]) / 10


def test_a_wrong_prediction_scores_nothing(databases: Path, tmp_path: Path) -> None:
    """The full marks above are no property of an evaluator that says yes to all."""
    gold = SAMPLE / "dev_gold.sql"
    pred = tmp_path / "pred.sql"
    pred.write_text("SELECT 'no such answer'\n" * len(PAIRS["dev"]))
    tables = str(SAMPLE / "tables.json")
    report = evaluate(str(gold), str(pred), str(databases), tables, Settings(etype="all", jobs=2))
    assert report.scores["all"]["exec"] == report.scores["all"]["exact"] == 0.0


def test_no_query_holds_the_text_that_the_official_evaluator_replaces() -> None:
    assert [pair["query"] for pair in ALL if "value" in pair["query"]] == []


def test_no_question_and_no_query_twice() -> None:
    questions = Counter(normalize(pair["question"]) for pair in ALL)
    assert [question for question, count in questions.items() if count > 1] == []
    queries = Counter((pair["db_id"], pair["query"].lower()) for pair in ALL)
    assert [query for query, count in queries.items() if count > 1] == []


def test_no_training_question_leaks_into_dev() -> None:
    """Stricter than the default settings; their levels on SQL and schemas are tested below."""
    config = DecontaminationConfig(
        levels=("exact", "normalized", "ngram", "jaccard"),
        ngram=5,
        ngram_share=0.6,
        jaccard_similarity=0.7,
    )
    rows = {
        split: [
            Row(split, number, pair["question"], pair["query"], db_id=pair["db_id"])
            for number, pair in enumerate(PAIRS[split], start=1)
        ]
        for split in SPLITS
    }
    judge = Decontaminator(config, rows["dev"], lambda db_id: frozenset())
    leaks = [row.question for row in rows["train"] if judge.check(row)]
    assert leaks == []
    assert judge.check(rows["dev"][0]) == "exact"  # the judge does find a leak


def test_no_dev_query_is_a_training_query_with_other_values() -> None:
    def template(pair: dict[str, Any]) -> tuple[str, str]:
        return pair["db_id"], VALUE.sub("?", pair["query"].lower())

    known = {template(pair) for pair in PAIRS["train"]}
    assert [pair["query"] for pair in PAIRS["dev"] if template(pair) in known] == []


def test_dev_queries_of_seen_databases_are_not_all_of_a_known_shape() -> None:
    """Shapes such as ``SELECT count(*) FROM _`` are shared; new ones have to be there too."""
    known = {(pair["db_id"], skeleton(pair["query"])) for pair in PAIRS["train"]}
    seen = [pair for pair in PAIRS["dev"] if pair["db_id"] in TRAINED]
    shared = [pair for pair in seen if (pair["db_id"], skeleton(pair["query"])) in known]
    assert len(shared) <= 0.6 * len(seen)


def test_derived_files_are_in_step(builder: ModuleType, databases: Path) -> None:
    assert list(builder.out_of_step(SAMPLE, databases)) == []
    assert (SAMPLE / "dev_gold.sql").read_text() == "".join(
        f"{pair['query']}\t{pair['db_id']}\n" for pair in PAIRS["dev"]
    )


def test_tables_json_says_what_the_databases_say(databases: Path) -> None:
    read = read_tables_json(SAMPLE / "tables.json")
    assert sorted(read) == IDS
    for db_id, schema in read.items():
        live = read_schema(databases / db_id / f"{db_id}.sqlite")
        assert [table.name for table in schema.tables] == [table.name for table in live.tables]
        assert schema.names() == live.names()
        assert set(schema.foreign_keys) == set(live.foreign_keys)
        for table, other in zip(schema.tables, live.tables, strict=True):
            assert table.primary_key == other.primary_key


def test_tables_json_has_spiders_keys_and_types() -> None:
    for entry in json.loads((SAMPLE / "tables.json").read_text()):
        assert list(entry) == [
            "db_id",
            "table_names",
            "table_names_original",
            "column_names",
            "column_names_original",
            "column_types",
            "primary_keys",
            "foreign_keys",
        ]
        assert len(entry["column_names"]) == len(entry["column_names_original"])
        assert len(entry["column_names"]) == len(entry["column_types"])
        assert set(entry["column_types"]) <= {"text", "number", "time", "boolean"}
        assert all(isinstance(key, int) for key in entry["primary_keys"])


def test_tokens_hold_all_of_the_text() -> None:
    for pair in ALL:
        for field in ("question", "query"):
            assert "".join(pair[f"{field}_toks"]) == re.sub(
                r"\s+(?=(?:[^']|'[^']*')*$)" if field == "query" else r"\s+", "", pair[field]
            )


def run(builder: ModuleType, *arguments: str) -> Result:
    return CliRunner().invoke(builder.main, arguments)


def test_check_finds_a_changed_source_and_a_build_mends_it(
    builder: ModuleType, copied: Path
) -> None:
    assert run(builder, "--check").exit_code == 0
    path = copied / "dev.json"
    before = path.read_text()
    path.write_text(before.replace("SELECT count(*) FROM repairs", "SELECT count(*) FROM shops"))
    found = run(builder, "--check")
    assert found.exit_code == 1
    assert "dev_gold.sql: out of step" in found.output
    assert (copied / "dev_gold.sql").read_text() == (SAMPLE / "dev_gold.sql").read_text()
    assert run(builder).exit_code == 0
    assert "SELECT count(*) FROM shops\tbike_rental\n" in (copied / "dev_gold.sql").read_text()
    assert run(builder, "--check").exit_code == 0


def test_a_bad_entry_is_named(builder: ModuleType, copied: Path) -> None:
    entries = load("train")
    entries[6]["db_id"] = "no_such"
    (copied / "train.json").write_text(json.dumps(entries))
    found = run(builder)
    assert found.exit_code == 2
    assert "train.json: entry 7: no database 'no_such'" in found.output


def test_dataset_info_names_files_and_columns_that_exist() -> None:
    info = json.loads((DATA / "dataset_info.json").read_text())
    assert set(info) == {"sample_train", "sample_dev"}
    for entry in info.values():
        rows = json.loads((DATA / entry["file_name"]).read_text())
        assert all(row[name] for row in rows for name in entry["columns"].values())


def test_llamafactory_loads_the_registered_sets(tmp_path: Path) -> None:
    pytest.importorskip("llamafactory", reason="LLaMA-Factory is not installed")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import TrainingArguments

    model = ModelArguments(model_name_or_path="none", cache_dir=str(tmp_path / "cache"))
    training = TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)
    for split in SPLITS:
        data = DataArguments(dataset_dir=str(DATA), dataset=f"sample_{split}", template="default")
        (registered,) = get_dataset_list([f"sample_{split}"], str(DATA))
        loaded = _load_single_dataset(registered, model, data, training)
        assert [
            (row["_prompt"][-1]["content"], row["_response"][0]["content"]) for row in loaded
        ] == [(pair["question"], pair["query"]) for pair in PAIRS[split]]
