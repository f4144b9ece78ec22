"""Measurements of data, suites, own databases and the service, rendered from their records."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.formats import Table, markdown_text
from text2sql.report.published_text import published_records
from text2sql.report.robustness import robustness_table

Record = dict[str, Any]
Render = Callable[[Record], str]
CURVE = "test-suite-sql-eval/benchmarks/suite_curve.json"
SPIDER_DATA = "benchmarks/spider_data.json"
MISSING = "Not measured: there is no record."
# What is wrong with a pair that a model wrote, as `text2sql.create.llm` calls it.
KINDS_OF_REJECTS = {
    "failed: syntax": "refused for its syntax",
    "failed: schema": "refused by the schema",
    "failed: execution": "refused by the database",
    "duplicate": "repeated",
    "empty": "no result",
}
# Rows whose answers are counted where a suite rejects what the plain databases forgive.
FORGIVEN_ROWS = ("baseline", "full", "lora_r128")


def from_record(path: str) -> Callable[[Render], Callable[[], str]]:
    """Return what makes a block of a page out of what renders a record, with a link to that.

    Args:
        path: the record's file; where it is not there, the block says so.
    """

    def wrap(render: Render) -> Callable[[], str]:
        @wraps(render)
        def block() -> str:
            file = repository_root() / path
            if not file.is_file():
                return MISSING
            return f"{render(read_json(file))}\n\nRecord: [{path}](../{path})"

        return block

    return wrap


@from_record("benchmarks/data_pruning.json")
def pruning_block(record: Record) -> str:
    """Return how often pruning loses a column of the gold query, by budget."""
    rows = [
        [
            str(row["budget"]),
            f"{row['pruned']:,}",
            f"{row['lost']:,}",
            f"{100 * row['lost'] / record['questions']:.1f} %",
        ]
        for row in record["budgets"]
    ]
    header = ["budget", "questions pruned", "lost a gold column", "share of all"]
    return (
        f"{record['questions']:,} questions of {record['dataset']}, style `{record['style']}`,"
        f" {record['samples']} examples a column:\n\n{markdown_text(Table(header, rows))}"
    )


@from_record("benchmarks/schema_linking.json")
def linking_block(record: Record) -> str:
    """Return how often pruning loses a gold column by a trained linker and by word overlap."""
    linker, rows = record["linker"], []
    for name, measured in record["sets"].items():
        for row in measured["budgets"]:
            ways = [row["word_overlap"], row["linker"]]
            lost = [f"{100 * way['lose_a_column'] / measured['questions']:.1f} %" for way in ways]
            recall = [f"{100 * way['recall']:.1f} %" for way in ways]
            tables = [str(way["lose_a_table"]) for way in ways]
            cells = [f"{name} ({measured['questions']:,})", str(row["budget"])]
            rows.append([*cells, *lost, *recall, *tables])
    chosen = f" Of Spider dev one question in {record['every']}." if record["every"] > 1 else ""
    header = ["questions", "budget"]
    for what in ("lose a gold column", "recall of gold columns", "lose a gold table"):
        header += [f"{what}, words", "linker"]
    speed = "; ".join(
        f"{size}: median {each['median_ms']:,.0f} ms, most {each['most_ms']:,.0f} ms"
        for size, each in record["scoring"].items()
    )
    return (
        f"Style `{record['style']}`, {record['samples']} examples a column. The linker was trained"
        f" on {linker['questions']:,} questions, {linker['rows']:,} rows, in"
        f" {linker['seconds']:,.0f} s.{chosen}\n\n"
        f"{markdown_text(Table(header, rows))}\n\nScoring a question, {_around(record)}: {speed}."
    )


@from_record("benchmarks/linking_accuracy.json")
def linking_accuracy_block(record: Record) -> str:
    """Return what a model answers where schemas are pruned by words and by a trained linker."""
    return f"`spider` is pruned by words, `spider_linked` by the linker.\n\n{_compared(record)}"


@from_record("benchmarks/schema_styles.json")
def schema_styles_block(record: Record) -> str:
    """Return what a model answers that is asked in another schema style than it was trained on."""
    return (
        "Trained on and asked in: `sample` CREATE TABLE, `sample_ask-prose` CREATE TABLE and prose,"
        " `sample_prose` prose, `sample_prose_ask-ddl` prose and CREATE TABLE."
        f"\n\n{_compared(record)}"
    )


@from_record("benchmarks/data_prepare.json")
def preparing_block(record: Record) -> str:
    """Return the rate and memory of the data stage beside those of reading the file alone."""
    steps = {
        "`prepare`: read, check, parse SQL, decontaminate, render, write": record["prepare"],
        "`json.load` of the same file alone": record["json_load"],
    }
    rows = [
        [name, f"{step['rows_per_second']:,} rows/s", f"{step['peak_mib']:,} MiB"]
        for name, step in steps.items()
    ]
    return (
        f"{record['rows']:,} rows, {record['cores']} cores of {record['processor']}, load"
        f" {record['load_before'][0]:.0f} before and {record['load_after'][0]:.0f} after, Python"
        f" {record['python']}. Memory is the sum of the kernel's peak for each process, in which"
        " pages that processes share count more than once:\n\n"
        f"{markdown_text(Table(['', 'rate', 'peak memory'], rows))}"
    )


@from_record("benchmarks/create_data.json")
def pairs_block(record: Record) -> str:
    """Return what the offline generator makes of Spider's databases."""
    hardness, languages = record["hardness"], record["languages"]
    none = record["databases_without_pairs"]
    rows = [
        ["pairs", f"{record['pairs']:,} of {record['pairs_wanted']:,}"],
        ["databases without a pair", f"{len(none)} of {record['databases']}"],
        [
            "drafts that pass syntax and schema",
            f"{record['drafts_that_pass_syntax_and_schema_%']} %",
        ],
        ["of those, drafts that execute", f"{record['drafts_that_execute_%']} %"],
        [
            "of those, drafts that return more than NULL or zero",
            f"{record['executed_that_return_more_than_null_or_zero_%']} %",
        ],
        ["pairs kept that execute and return rows", f"{record['pairs_that_return_rows_%']} %"],
        ["distinct skeletons (names and values masked)", f"{record['distinct_skeletons']:,}"],
        *([level, f"{hardness[level]:,}"] for level in ("easy", "medium", "hard", "extra")),
        ["English, Chinese", f"{languages['en']:,}, {languages['zh']:,}"],
        ["pairs a second", f"{record['pairs_per_second']:.0f}"],
    ]
    return (
        f"{markdown_text(Table(['Of Spider', ''], rows))}\n\nDatabases without a pair are empty in"
        f" the release: {', '.join(none)}."
    )


@from_record("benchmarks/create_data_llm.json")
def asked_block(record: Record) -> str:
    """Return what a language model's topics, pairs and translations of schemas came to."""
    pairs = record["pairs"]
    counts = pairs["llm"]["counts"]
    written = counts["pairs: written"]
    rows = [
        ["topics planned, of them dropped", _of(counts, "plan: topics", "plan: topics dropped")],
        ["tables named that do not exist", _count(counts, "plan: unknown tables")],
        ["pairs asked for, written", _of(counts, "pairs: asked for", "pairs: written")],
        ["answers repaired, asked for again", _of(counts, "repaired", "asked again")],
        *(
            [f"{KINDS_OF_REJECTS.get(kind, kind)}: {reason}", _share(number, written)]
            for kind, reasons in pairs["rejects"].items()
            for reason, number in reasons.items()
        ),
        ["good", _share(counts["kept"], written)],
        ["of these taken, of those wanted", f"{pairs['pairs']} of {pairs['wanted']}"],
        *([level, str(_level(pairs, level))] for level in ("easy", "medium", "hard", "extra")),
    ]
    translated = _translations(record["translated"]) if "translated" in record else MISSING
    return (
        f"{record['model']} behind {record['server']}, {record['context']:,} tokens of context, on"
        f" database {pairs['db_id']} of the sample, {_around(record)}; {pairs['seconds']:,.0f}"
        f" seconds, {pairs['llm']['tokens_in']:,} tokens read and"
        f" {pairs['llm']['tokens_out']:,} written:\n\n"
        f"{markdown_text(Table(['pairs', ''], rows))}\n\n"
        f"Prose to CREATE TABLE ([data](data.md#prose-to-create-table)): {translated}"
    )


@from_record("benchmarks/verdicts_under_load.json")
def busy_block(record: Record) -> str:
    """Return how many verdicts are others beside busy processes than without them."""
    rows = [
        [
            str(run["busy_processes"]),
            f"{run['load_before'][0]:.0f}",
            f"{run['load_after'][0]:.0f}",
            f"{run['seconds']:,.0f}",
        ]
        for run in record["runs"].values()
    ]
    machine = record["hardware"]
    header = ["busy processes", "load before", "load at the end", "seconds"]
    return (
        f"{len(record['files'])} files of published predictions, {' and '.join(record['modes'])},"
        f" {record['jobs']} processes on {machine['cores']} core(s) of {machine['cpu']}, commit"
        f" {record['git']['sha'][:10]}: **{len(record['differing'])} of {record['verdicts']:,}"
        f" verdicts differ**. Answers stopped by the limit of {record['max_steps']:,} steps:"
        f" {record['stopped']}.\n\n{markdown_text(Table(header, rows))}"
    )


@from_record("benchmarks/connection_reuse.json")
def reuse_block(record: Record) -> str:
    """Return queries a second with and without a new connection for each."""
    rows = [
        [
            row["database"],
            f"{row['per_second_reused']:,.0f}",
            f"{row['per_second_new_connection']:,.1f}",
            f"{row['ratio']:,.0f}",
        ]
        for row in record["databases"]
    ]
    header = ["database", "queries/s reused", "queries/s new connection each", "times as fast"]
    return f"{_around(record)}:\n\n{markdown_text(Table(header, rows))}"


@from_record("benchmarks/serve_load.json")
def load_block(record: Record) -> str:
    """Return requests a second and waiting times of the web service."""
    rows = [
        [
            str(row["batch"]),
            str(row["clients"]),
            f"{row['requests_per_second']:.1f}",
            f"{row['p50_seconds']:.3f}",
            f"{row['p95_seconds']:.3f}",
            str(record["requests"] - row["outcomes"].get("200", 0)),
        ]
        for row in record["rows"]
    ]
    header = ["batch", "clients", "requests/s", "p50 s", "p95 s", "not answered"]
    text = (
        f"{record['requests']:,} requests each, {_around(record)}:\n\n"
        f"{markdown_text(Table(header, rows))}"
    )
    if "steady" in record:
        steady = record["steady"]
        memory = ", ".join(f"{value}" for value in steady["memory_mb"])
        lost = steady["requests"] - steady["outcomes"].get("200", 0)
        text += (
            f"\n\nOver {steady['requests']:,} more requests {lost} stayed without an answer; memory"
            f" in MiB on the way: {memory}."
        )
    return text


def _inference(record: Record) -> str:
    """Return what answers a GGUF file's questions how fast, by the clock and in processor time."""
    rows = [
        [
            row["way"],
            str(row["clients"]),
            str(sum(row["outcomes"].values())),
            f"{row['requests_per_second']:.2f}",
            f"{row['p50_seconds']:.2f}",
            f"{row['p95_seconds']:.2f}",
            f"{row['processor_seconds_per_request']:.2f}",
        ]
        for row in record["rows"]
    ]
    header = ["llama.cpp", "clients", "requests", "requests/s", "p50 s", "p95 s", "CPU s each"]
    return (
        f"{record['model']}, {record['threads']} thread(s), {_around(record)}:\n\n"
        f"{markdown_text(Table(header, rows))}"
    )


inference_block = from_record("benchmarks/serve_inference.json")(_inference)
larger_inference_block = from_record("benchmarks/serve_inference_0.5b.json")(_inference)


@from_record("benchmarks/golds_spider.json")
def golds_block(record: Record) -> str:
    """Return how many gold queries of Spider dev have what makes a verdict by them doubtful."""
    rows = [[text, str(record["counts"][kind])] for kind, text in record["kinds"].items()]
    return (
        f"{record['questions']:,} questions of {record['dataset']}, equal ones compared on"
        f" {record['variants']} variants of test suites; {record['unchecked_limits']} SELECTs with"
        " a LIMIT could not be looked into. Questions that differ, from 0:"
        f" {', '.join(map(str, record['differing'])) or 'none'}.\n\n"
        f"{markdown_text(Table(['gold query', 'questions'], rows))}"
    )


@from_record(SPIDER_DATA)
def leaks_block(record: Record) -> str:
    """Return how many of Spider's training rows leak its dev questions, by level."""
    leaks = record["leaks"]
    rows = [[f"`{level}`", str(count)] for level, count in leaks["found_by_level"].items()]
    share = 100 * leaks["removed"] / leaks["checked"]
    return (
        f"{leaks['checked']:,} rows checked, {leaks['removed']} leak ({share:.2f} %):\n\n"
        f"{markdown_text(Table(['level', 'rows'], rows))}"
    )


@from_record(SPIDER_DATA)
def translated_block(record: Record) -> str:
    """Return how many of the published translations of Spider's dev schemas hold."""
    counts = record["translated"]
    failing = counts["failing_answers"]
    rows = [[text, str(failing[kind])] for kind, text in record["kinds"].items()]
    return (
        f"{counts['failing_rows']:,} of {counts['rows']:,} rows fail, {sum(failing.values())} of"
        f" {counts['answers']} distinct answers; of the rule's own rendering"
        f" {counts['failing_rows_by_rule']} rows. The first thing wrong with an answer:\n\n"
        f"{markdown_text(Table(['', 'answers'], rows))}"
    )


@from_record("benchmarks/value_index_share.json")
def values_block(record: Record) -> str:
    """Return how many prompts have the text that a gold query compares with."""
    rows = [
        [name, str(record[key]), str(record[f"{key}_any_case"])]
        for name, key in (("types and samples alone", "without"), ("with values", "with"))
    ]
    header = ["prompt", "has the text", "has it in any letter case"]
    return (
        f"{record['questions']} questions of {record['dataset']} whose gold SQL has a text that is"
        f" not in the question word for word; {record['values']} values,"
        f" {record['samples']} samples a column:\n\n{markdown_text(Table(header, rows))}"
    )


@from_record("benchmarks/value_index_cost.json")
def index_block(record: Record) -> str:
    """Return what building and searching an index of values takes."""
    built, wall = record["build_seconds"], record["search_milliseconds"]["wall"]
    rows = [
        ["database", f"{record['database_bytes'] / 1e6:,.0f} MB"],
        ["index", f"{record['index_bytes'] / 1e6:,.0f} MB, {record['values']:,} values"],
        ["build", f"{built['wall']:.1f} s, {built['processor']:.1f} s of processor time"],
        ["search, median", f"{wall['median']:.1f} ms"],
        ["search, 99th percentile", f"{wall['p99']:.1f} ms"],
    ]
    return f"{_around(record)}:\n\n{markdown_text(Table(['', ''], rows))}"


@from_record(CURVE)
def curve_block(record: Record) -> str:
    """Return how many neighbour queries suites of each kind tell apart."""
    average = record["chosen_variants"] / record["databases"]
    rows = [
        [name, f"{100 * told[-1] / record['neighbours']:.1f} %"]
        for name, told in record["told"].items()
    ]
    return (
        f"{record['neighbours']:,} neighbours of {record['golds']:,} gold queries on"
        f" {record['databases']} databases, at most {record['variants']} variants each; the"
        f" distiller chose {average:.1f} on average:\n\n"
        f"{markdown_text(Table(['databases', 'told apart'], rows))}\n\n"
        f"{record['failing']} gold queries fail on a chosen variant, {record['without_rows']} have"
        f" no row on any. Seed {record['seed']}, SQLite {record['sqlite']}, Python"
        f" {record['python']}."
    )


def forgiven_block() -> str:
    """Return how many published answers are right on the plain databases alone."""
    lines = []
    for record in published_records(seed=0):
        rows = [row for row in record["rows"] if row["name"] in FORGIVEN_ROWS]
        counts = {row["label"]: _forgiven(row) for row in rows}
        each = ", ".join(f"{label} {count}" for label, count in counts.items())
        lines.append(
            f"{record['title']}: the plain databases forgive {sum(counts.values())} answers that"
            f" the suites of seed 0 reject ({each})."
        )
    return "\n\n".join(lines) or MISSING


def _compared(record: Record) -> str:
    """Return the table of a `make robustness`, with the machine and the commit."""
    hardware, git = record["hardware"], record["git"]
    return (
        f"{record['title']}: execution accuracy in per cent, {hardware['cores']} cores of"
        f" {hardware['cpu']}, commit {git['sha'][:10]}.\n\n{robustness_table(record)}"
    )


def _count(counts: Record, kind: str) -> str:
    return f"{counts.get(kind, 0):,}"


def _of(counts: Record, kind: str, other: str) -> str:
    return f"{_count(counts, kind)}, {_count(counts, other)}"


def _share(number: int, whole: int) -> str:
    return f"{number:,} ({100 * number / max(whole, 1):.0f} %)"


def _translations(schemas: Record) -> str:
    faults = "; ".join(f"{kind}: {number}" for kind, number in schemas["faults"].items())
    return (
        f"{schemas['schemas_held']} of {schemas['schemas']} schemas held"
        f" ({schemas['tables_held']} of {schemas['tables']} tables),"
        f" {schemas['schemas_held_at_once']} with the first answer; {schemas['answers']} answers,"
        f" {schemas['tokens_out']:,} tokens written, {schemas['seconds']:,.0f} seconds. What was"
        f" wrong first with an answer: {faults or 'nothing'}."
    )


def _level(pairs: Record, level: str) -> int:
    return sum(part.get(level, 0) for part in pairs["hardness"].values())


def _forgiven(row: dict[str, Any]) -> int:
    pairs = zip(row["outcomes"], row["plain"]["outcomes"], strict=True)
    return sum(pair == ("0", "1") for pair in pairs)


def _around(record: dict[str, Any]) -> str:
    """Machine, its load and commit of a measurement."""
    machine = record["hardware"]
    return (
        f"{machine['cores']} cores of {machine['cpu']}, load {record['load_before'][0]:.0f} before"
        f" and {record['load_after'][0]:.0f} after, commit {record['git']['sha'][:10]}"
    )
