"""Statistics of a prepared dataset, as Markdown and PNG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import ijson
from test_suite_sql_eval.hardness import LEVELS, hardness
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema

from text2sql.data.ddl import schema_names
from text2sql.errors import UserError
from text2sql.files import atomic_open, write_text
from text2sql.prompt import render_text
from text2sql.schema.prune import estimate_tokens

KEYWORDS = (
    "WHERE",
    "JOIN",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "DISTINCT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "LIKE",
    "IN (SELECT",
)
UNKNOWN_LEVEL = "outside Spider's grammar"
LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
FROM_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+[`\"\[]?(\w+)", re.IGNORECASE)


def data_report(
    folder: Path,
    output: Path,
    cutoff_len: int,
    template: str = "qwen3",
    tokenizer: str | None = None,
) -> str:
    """Write ``data_report.md`` and ``data_report.png`` for a prepared dataset.

    Args:
        folder: output of `prepare`.
        output: folder for the two files.
        cutoff_len: LLaMA-Factory's cutoff; longer rows are cut in training.
        template: prompt template that the rows are counted in.
        tokenizer: path of a Hugging Face tokenizer; without one, lengths are estimates and the
            report says so.

    Returns:
        The Markdown text.

    Raises:
        UserError: no prepared dataset there, or the tokenizer cannot be loaded.
    """
    path = folder / "train.json"
    if not path.is_file():
        raise UserError(f"{path}: no prepared dataset; run 'text2sql dataset prepare' first")
    count = _counter(tokenizer)
    lengths, keywords, tables = [], Counter[str](), Counter[int]()
    levels: Counter[str] = Counter()
    for prompt, sql in _rows(path, template):
        lengths.append(count(prompt + sql))
        levels[level_of(sql, prompt)] += 1
        plain = " ".join(LITERAL.sub("''", sql).upper().replace("( ", "(").split())
        keywords.update(k for k in KEYWORDS if re.search(rf"(?<!\w){re.escape(k)}\b", plain))
        tables[len({name.lower() for name in FROM_TABLE.findall(LITERAL.sub("''", sql))})] += 1
    if not lengths:
        raise UserError(f"{path}: holds no rows")
    text = _markdown(lengths, levels, keywords, tables, cutoff_len, tokenizer)
    _plot(lengths, levels, cutoff_len, output / "data_report.png")
    write_text(output / "data_report.md", text)
    return text


def level_of(sql: str, ddl: str) -> str:
    """Return Spider's hardness of a query, or ``outside Spider's grammar``.

    Args:
        sql: the query.
        ddl: text with the CREATE TABLE statements of the tables it uses.
    """
    names: dict[str, list[str]] = {}
    for table, column in sorted(schema_names(ddl)):
        names.setdefault(table, []).append(column)
    try:
        return hardness(parse(sql, EvalSchema({t: tuple(c) for t, c in names.items()})))
    except ParseError:
        return UNKNOWN_LEVEL


def _rows(path: Path, template: str) -> Iterator[tuple[str, str]]:
    with path.open("rb") as stream:
        for row in ijson.items(stream, "item"):
            human, gpt = (turn["value"] for turn in row["conversations"])
            messages = [
                {"role": "system", "content": row["system"]},
                {"role": "user", "content": human},
            ]
            yield render_text(messages, template), gpt  # type: ignore[arg-type]


def _counter(tokenizer: str | None) -> Callable[[str], int]:
    if tokenizer is None:
        return estimate_tokens
    try:
        from tokenizers import Tokenizer

        made = Tokenizer.from_file(str(Path(tokenizer) / "tokenizer.json"))
    except ImportError:
        raise UserError("the package 'tokenizers' is needed to count tokens") from None
    except Exception as error:  # the Rust library raises nothing more precise
        raise UserError(f"{tokenizer}: cannot load tokenizer.json: {error}") from None
    return lambda text: len(made.encode(text, add_special_tokens=False).ids)


def _markdown(
    lengths: list[int],
    levels: Counter[str],
    keywords: Counter[str],
    tables: Counter[int],
    cutoff: int,
    tokenizer: str | None,
) -> str:
    ordered, total = sorted(lengths), len(lengths)
    cut = sum(length > cutoff for length in lengths)
    unit = "tokens" if tokenizer else "tokens (estimated: no tokenizer given)"
    quantiles = " | ".join(str(ordered[min(int(q * total), total - 1)]) for q in QUANTILES)
    lines = [
        "# Training data",
        "",
        f"{total} rows. {cut} ({cut / total:.1%}) are longer than cutoff_len {cutoff} and are cut.",
        "",
        f"Length of prompt and answer in {unit}:",
        "",
        "| mean | " + " | ".join(f"{q:.0%}" for q in QUANTILES) + " |",
        "|---" * (len(QUANTILES) + 1) + "|",
        f"| {sum(lengths) / total:.0f} | {quantiles} |",
        "",
        "| hardness | rows | share |",
        "|---|---|---|",
        *(f"| {k} | {levels[k]} | {levels[k] / total:.1%} |" for k in (*LEVELS, UNKNOWN_LEVEL)),
        "",
        "| keyword | rows | share |",
        "|---|---|---|",
        *(f"| {k} | {keywords[k]} | {keywords[k] / total:.1%} |" for k in KEYWORDS),
        "",
        "| tables in the query | rows | share |",
        "|---|---|---|",
        *(f"| {n} | {c} | {c / total:.1%} |" for n, c in sorted(tables.items())),
    ]
    return "\n".join(lines) + "\n"


QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)


def _plot(lengths: list[int], levels: Counter[str], cutoff: int, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (axes, right) = pyplot.subplots(
        1, 2, figsize=(9, 3.5), layout="constrained", width_ratios=(2, 1)
    )
    shown = [*LEVELS, UNKNOWN_LEVEL] if levels[UNKNOWN_LEVEL] else [*LEVELS]
    bars = right.bar(
        [name.split()[0] for name in shown], [levels[k] for k in shown], color="#009E73"
    )
    right.bar_label(bars)
    right.set_xlabel("hardness")
    axes.hist(lengths, bins=60, color="#0072B2")
    axes.axvline(cutoff, color="#D55E00", linestyle="--", label=f"cutoff_len {cutoff}")
    axes.set_xlabel("tokens per row")
    axes.set_ylabel("rows")
    axes.legend()
    with atomic_open(path, "wb") as stream:
        figure.savefig(stream, format="png", dpi=120)
    pyplot.close(figure)
