"""Questions that are not English: 20 Chinese ones on the sample databases, and other scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_suite_sql_eval.api import evaluate

from text2sql.data.config import DataConfig, DecontaminationConfig, Level
from text2sql.data.decontaminate import Decontaminator, normalize
from text2sql.data.prepare import prepare
from text2sql.data.rows import Row, read_rows
from text2sql.data.sample import ensure_sample_databases
from text2sql.files import read_jsonl
from text2sql.schema import Column, Schema, Table, prune_schema
from text2sql.schema.words import parts, spaced, stem

QUESTIONS = Path(__file__).with_name("chinese_questions.json")
SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def questions() -> list[Row]:
    rows = [row for row in read_rows(QUESTIONS) if isinstance(row, Row)]
    assert len(rows) == 20
    return rows


def test_chinese_questions_go_the_whole_way(tmp_path: Path, build_folder: Path) -> None:
    config = DataConfig(
        train=(str(SAMPLE / "train.json"), str(QUESTIONS)),
        evaluation=str(QUESTIONS),
        database=str(SAMPLE / "database"),
        database_form="sql",
    )
    databases = ensure_sample_databases(SAMPLE / "database")
    summary = prepare(config, tmp_path)
    assert (summary["evaluation_questions"], summary["removed_as_leaks"]) == (20, 20)
    asked = list(read_jsonl(tmp_path / "questions.jsonl"))
    assert "图书馆一共有多少本书？" in json.dumps(asked[0], ensure_ascii=False)
    gold = str(tmp_path / "gold.jsonl")
    assert evaluate(gold, gold, str(databases)).scores["all"]["exec"] == 1.0


@pytest.mark.parametrize(
    ("level", "change"),
    [
        ("normalized", lambda text: text.rstrip("？。")),
        ("normalized", lambda text: f"{text[:4]} {text[4:]}"),
        ("normalized", lambda text: " ".join(text)),
        ("normalized", lambda text: text.replace("？", "?").replace("。", " ！")),
        ("ngram", lambda text: f"请问{text}"),
        ("ngram", lambda text: f"请根据数据库回答：{text}谢谢"),
        ("jaccard", lambda text: text.replace("？", "呢？")),
    ],
)
def test_near_copies_in_chinese_are_leaks(level: Level, change) -> None:  # type: ignore[no-untyped-def]
    asked = questions()
    config = DecontaminationConfig(levels=(level,), jaccard_similarity=0.7)
    judge = Decontaminator(config, asked, lambda _: frozenset())
    for row in asked:
        copy = Row("t", 1, change(row.question), "SELECT 1", db_id="x")
        assert judge.check(copy) == level, copy.question
    other = Row("t", 1, "全年销售额最高的三位店员分别来自哪些地区？", "SELECT 1", db_id="x")
    assert judge.check(other) is None


def test_english_is_normalized_as_before() -> None:
    assert normalize("How  many BOOKS, in total?") == "how many books in total"
    assert normalize("书 名 in SQL 表") == "书名in sql表"


def schema(*tables: tuple[str, list[str]]) -> Schema:
    return Schema("d", tuple(Table(name, tuple(map(Column, names))) for name, names in tables))


SCHEMAS = {
    "zh": schema(
        ("客户", ["编号", "姓名", "城市"]),
        ("发票", ["编号", "金额", "日期"]),
        ("仓库", ["编号", "地址", "容量"]),
        ("供应商", ["编号", "电话", "国家"]),
    ),
    "ru": schema(
        ("клиент", ["номер", "имя", "город"]),
        ("счёт", ["номер", "сумма", "дата"]),
        ("склад", ["номер", "адрес", "объём"]),
        ("поставщик", ["номер", "телефон", "страна"]),
    ),
    "es": schema(
        ("cliente", ["id", "nombre", "ciudad"]),
        ("año", ["id", "número", "señal"]),
        ("almacén", ["id", "dirección", "capacidad"]),
        ("proveedor", ["id", "teléfono", "país"]),
    ),
    "fr": schema(
        ("élève", ["id", "prénom"]), ("école", ["id", "ville"]), ("matière", ["id", "durée"])
    ),
    "ja": schema(
        ("顧客", ["番号", "氏名"]), ("請求書", ["番号", "金額"]), ("倉庫", ["番号", "住所"])
    ),
}


@pytest.mark.parametrize(
    ("language", "question", "kept"),
    [
        ("zh", "每个客户的城市是什么？", "客户"),
        ("zh", "所有发票的总金额是多少", "发票"),
        ("zh", "容量最大的仓库", "仓库"),
        ("ru", "В каком городе живут клиенты?", "клиент"),
        ("ru", "Какова сумма всех счетов по датам?", "счёт"),
        ("ru", "Адреса складов", "склад"),
        ("es", "¿Qué señal tiene cada año?", "año"),
        ("es", "¿Cuál es la direccion de los almacenes?", "almacén"),
        ("fr", "Quels sont les prénoms des élèves ?", "élève"),
        ("fr", "Duree de chaque matiere", "matière"),
        ("ja", "請求書の金額を教えてください", "請求書"),
    ],
)
def test_pruning_keeps_the_table_that_is_asked_for(language: str, question: str, kept: str) -> None:
    pruned = prune_schema(SCHEMAS[language], question, 24)
    assert [table.name for table in pruned.tables] == [kept]


def test_words_of_names() -> None:
    assert parts("orderDate order_date HTTPServer2") == [
        *("order", "Date", "order", "date", "HTTP", "Server", "2")
    ]
    assert parts("númeroCliente 客户ID año2024") == [
        *("número", "Cliente", "客", "户", "ID", "año", "2024")
    ]
    assert stem("Número") == stem("numero")
    assert spaced("列出book的书名") == "列 出 book 的 书 名"
    assert spaced("two  blanks stay") == "two  blanks stay"
