"""The figures behind docs/FINDINGS.md, drawn together from the records that there are."""

from __future__ import annotations

from typing import Any

from text2sql.config import read_yaml
from text2sql.files import read_json
from text2sql.paths import config_path, repository_root
from text2sql.report import board
from text2sql.report.formats import Table, markdown_text
from text2sql.report.published_text import published_records
from text2sql.report.record import LEVELS, titles
from text2sql.report.result_blocks import run_records
from text2sql.report.uncertainty import chance, discordant, mcnemar, p_text

Record = dict[str, Any]
PUBLISHED_ROWS = ("baseline", "lora_r32", "lora_r128", "full")
# Recipes of the published rows, and ours that gained, beside each other.
RECIPES = {
    "published, r=32": "qwen3-1.7b_lora-r32_4gpu",
    "published, r=128": "qwen3-1.7b_lora-r128_4gpu",
    "published, full": "qwen3-1.7b_full-megatron-tp2_4gpu",
    "0.5B, LoRA": "qwen2.5-coder-0.5b_lora_cpu",
    "0.5B, q and v, 2e-4": "qwen2.5-coder-0.5b_lora-qv-r32-fast_cpu",
    "0.5B, q and v, r=32": "qwen2.5-coder-0.5b_lora-qv-r32_cpu",
    "0.5B, full": "qwen2.5-coder-0.5b_full_cpu",
    "135M, LoRA": "smollm2-135m_lora_cpu",
}
CLASSES = (
    "syntax",
    "no_such_column",
    "no_such_table",
    "wrong_columns",
    "wrong_rows",
    "wrong_order",
)


def lora_block() -> str:
    """Return what is known of the published LoRA rows, and of ours."""
    return _parts(
        *(_lost_by_level(record) for record in published_records(seed=0)),
        _how_answers_fail(),
        _recipes(),
        _gains(),
    )


def examples_block() -> str:
    """Return every row with retrieved examples against the same model without."""
    rows = [
        _published_change(record, row)
        for record in published_records(seed=0)
        for row in record["rows"]
        if row["name"].startswith("rag_")
    ]
    for record in run_records():
        by_name = {row["name"]: row for row in record["rows"]}
        for row in record["rows"]:
            base = by_name.get(row.get("without_examples") or "")
            if base:
                rows.append(_change(record, row, base))
    return _parts(_changes(rows, "without examples"))


def quantization_block() -> str:
    """Return what each GGUF type keeps, over all records of quantization tables."""
    lines = []
    for record in _records("results/quantization/*.json"):
        reference = record["rows"][0]["outcomes"]
        for row in record["rows"]:
            first = row is record["rows"][0]
            lines.append(
                [
                    f"{record['title']}, {record['dataset']}" if first else "",
                    row["type"],
                    f"{row['bits_per_weight']:.1f}",
                    f"{row['accuracy']['all']:.1f}",
                    "" if first else chance(reference, row["outcomes"]),
                    f"{row['same_sql_as_f16']:.0f} %",
                    f"{row['perplexity']:.3f}",
                ]
            )
    header = ["Model, dataset", "type", "bits/weight", "All", "p against F16", "same SQL"]
    return _table([*header, "perplexity"], lines)


def training_block() -> str:
    """Return what packing, grouping by length and shared schemas give in speed."""
    lines = []
    for record in _records("benchmarks/training_throughput_*.json"):
        lines += [
            [
                record["model"] if number == 0 else "",
                name,
                f"{100 * run['share_of_padding']:.0f} %",
                f"{run['times_as_fast_as_the_first']:.2f}",
            ]
            for number, (name, run) in enumerate(record["runs"].items())
        ]
    for record in _records("benchmarks/shared_schema_*.json"):
        lines.append([record["model"], "shared schemas", "", f"{record['times_as_fast']:.2f}"])
    speed = _table(["Model", "Keys", "padding", "times as fast as the first"], lines)
    sharing = [
        [f"{record['title']}, {record['dataset']}", str(shared["schemas"]), f"{shared['factor']}"]
        for record in run_records()
        if (shared := record["stages"]["data"].get("details", {}).get("shared_schema"))
    ]
    return _parts(
        speed,
        "Tokens of plain rows over those of shared schemas, estimated from the data of each run:",
        _table(["Run", "schemas", "times as many"], sharing),
    )


def decoding_block() -> str:
    """Return what names in scope, a grammar, a repair turn and votes change."""
    changes = []
    for record in run_records():
        for row in record["rows"]:
            base = _same_model_plain(record, row)
            if base:
                changes.append(_change(record, row, base))
    lines = []
    for record in _records("benchmarks/decoding*.json"):
        greedy = record["ways"]["greedy"]
        for name, way in record["ways"].items():
            lines.append(
                [
                    f"{record['model']}, {record['dataset']}" if way is greedy else "",
                    name,
                    f"{way['execution_accuracy']:.1f}",
                    "" if way is greedy else chance(greedy["outcomes"], way["outcomes"]),
                    str(way["execution_errors"]),
                ]
            )
    header = ["Model, dataset", "decoding", "All", "p against greedy", "failing queries"]
    return _parts(_changes(changes, "plain greedy answers"), _table(header, lines))


def _same_model_plain(record: Record, row: Record) -> Record | None:
    """The row of the same model that answered plainly; None where this one did, or has examples."""
    stages = record["stages"]

    def model(one: Record) -> Any:
        return stages.get(f"infer:{one['name']}", {}).get("inputs", {}).get("model")

    def plain(one: Record) -> bool:
        decoding = stages.get(f"infer:{one['name']}", {}).get("config", {}).get("decoding", {})
        helped = any(decoding.get(way) for way in ("scope", "grammar", "repair"))
        return not helped and decoding.get("samples", 1) == 1

    if model(row) is None or row.get("without_examples") or plain(row):
        return None
    others = [one for one in record["rows"] if not one.get("without_examples")]
    return next((one for one in others if model(one) == model(row) and plain(one)), None)


def _lost_by_level(record: Record) -> str:
    """Points of the trained rows above the baseline, by level, and the discordant answers."""
    rows = {row["name"]: row for row in record["rows"] if row["name"] in PUBLISHED_ROWS}
    base = rows.pop("baseline", None)
    if base is None:
        return ""
    lines = [
        [
            row["label"],
            *(f"{row['accuracy'][level] - base['accuracy'][level]:+.1f}" for level in LEVELS),
            str(row["against_first"]["only_first"]),
            str(row["against_first"]["only_this"]),
            p_text(row["against_first"]["p"]),
        ]
        for row in rows.values()
    ]
    header = ["Row", *titles(LEVELS), "only baseline right", "only this right", "p"]
    return (
        f"{record['title']}, test-suite accuracy of ours, points above the baseline:\n\n"
        f"{_table(header, lines)}"
    )


def _how_answers_fail() -> str:
    """Executable share and error classes of the published rows, from the board's record."""
    path = repository_root() / board.RECORD
    rows = read_json(path)["rows"] if path.is_file() else []
    lines = [
        [
            row["label"],
            f"{row['execution_success']:.1f} %",
            *(str(row["errors"].get(name, 0)) for name in CLASSES),
        ]
        for row in rows
        if row["name"] in PUBLISHED_ROWS
    ]
    if not lines:
        return ""
    return (
        "The same answers on the plain databases, without flags: how many run, and the wrong ones"
        f" by class:\n\n{_table(['Row', 'run', *CLASSES], lines)}"
    )


def _recipes() -> str:
    """Recipes beside each other; the scale of an adapter's update is alpha over rank."""
    lines = []
    for label, name in RECIPES.items():
        path = config_path("train", name)
        if not path.is_file():
            continue
        keys = read_yaml(path)["llamafactory"]
        rank = keys.get("lora_rank")
        lines.append(
            [
                label,
                str(rank or ""),
                f"{keys['lora_alpha'] / rank:g}" if rank else "",
                str(keys.get("lora_target", "")),
                f"{float(keys['learning_rate']):g}",
                str(keys.get("num_train_epochs", "")),
            ]
        )
    header = ["Recipe", "rank", "alpha / rank", "targets", "learning rate", "epochs"]
    return f"Recipes, as in configs/train/:\n\n{_table(header, lines)}"


def _gains() -> str:
    """Every trained row of our runs against the untrained one."""
    changes = []
    for record in run_records():
        untrained = next((row for row in record["rows"] if row["name"] == "baseline"), None)
        for row in record["rows"]:
            trained = row["cost"].get("training_seconds") is not None
            if untrained and trained and not row.get("without_examples"):
                changes.append(_change(record, row, untrained))
    return _parts("Our own trained rows:", _changes(changes, "the base model")) if changes else ""


def _change(record: Record, row: Record, base: Record) -> list[str]:
    """A row against another of its record: points and p, and the shares that run."""
    pair = discordant([*map(int, base["outcomes"])], [*map(int, row["outcomes"])])
    return [
        f"{record['title']}, {record['dataset']}: {row['label']}",
        f"{row['accuracy']['all']:.1f}",
        f"{row['accuracy']['all'] - base['accuracy']['all']:+.1f}",
        p_text(mcnemar(*pair)),
        f"{100 * base['further_metrics']['execution_success']:.0f} %",
        f"{100 * row['further_metrics']['execution_success']:.0f} %",
    ]


def _published_change(record: Record, row: Record) -> list[str]:
    """A published row against the first of its table; how many of its answers run is not kept."""
    against = row["against_first"]
    points = 100 * (against["only_this"] - against["only_first"]) / len(record["levels"])
    label = f"{record['title']}: {row['label']}"
    return [label, f"{row['accuracy']['all']:.1f}", f"{points:+.1f}", p_text(against["p"]), "", ""]


def _changes(lines: list[list[str]], base: str) -> str:
    header = ["Row", "All", f"against {base}", "p", "ran before", "run now"]
    return _table(header, lines)


def _records(pattern: str) -> list[Record]:
    return [read_json(path) for path in sorted(repository_root().glob(pattern))]


def _table(header: list[str], lines: list[list[str]]) -> str:
    """Return a table; where no record is, say so."""
    return markdown_text(Table(header, lines)) if lines else "Not measured: there is no record."


def _parts(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
