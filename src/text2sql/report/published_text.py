"""What was measured of published prediction files, as Markdown, from the records of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.formats import Table, markdown_text
from text2sql.report.record import LEVELS, titles
from text2sql.report.uncertainty import SIGNIFICANCE, p_text

FOLDER = "results/published"
Record = dict[str, Any]


def record_path(reference: str, seed: int) -> str:
    """Return where the record of a reference table lies, from the checkout's top."""
    return f"{FOLDER}/{reference}{f'_seed{seed}' if seed else ''}.json"


def chart_path(record: Record) -> str:
    """Return where the chart of a record lies, from the checkout's top."""
    return f"figs/published_{record['reference']}.png"


def published_records(seed: int | None = None) -> list[Record]:
    """Return the records in results/published/, all of them or those of a seed."""
    paths = sorted((repository_root() / FOLDER).glob("*.json"))
    read = [read_json(path) for path in paths]
    return [r for r in read if seed in (None, r["suite_options"]["seed"])]


def table_rows(record: Record) -> list[dict[str, Any]]:
    """Return the rows that stand in the published table; the other files are of its makers too."""
    return [row for row in record["rows"] if row["in_the_published_table"]]


def short_block(record: Record) -> str:
    """Return the rows of the published table: ours, theirs, and what of it is signal."""
    rows = table_rows(record)
    return "\n\n".join(
        [
            f"**{record['title']}**: test-suite accuracy in per cent on suites made here, in"
            " brackets the published figure. SE: standard error. **Bold**: differs from the first"
            f" row beyond chance (exact McNemar test, Holm over {len(record['rows']) - 1}"
            f" comparisons, {100 * SIGNIFICANCE:.0f} %). EX: the same answers on the plain"
            " databases.",
            markdown_text(
                Table(
                    ["Predictions", *titles(LEVELS), "SE", "vs first", "p", "EX"],
                    [
                        [
                            row["label"],
                            *(_beside(row, level) for level in LEVELS),
                            f"{row['standard_error']['all']:.1f}",
                            *_against_first(row, record),
                            f"{row['plain']['accuracy']['all']:.1f}",
                        ]
                        for row in rows
                    ],
                )
            ),
            f"{_how_far(rows)} {_made(record, '')}",
        ]
    )


def long_block(record: Record) -> str:
    """Return every prediction file by level, with differences, discordant answers and plain EX."""
    rows = record["rows"]
    compared = [row for row in rows if row["against_first"]]
    notes = [f"- {row['label']}: {row['note']}." for row in rows if row["note"]]
    return "\n\n".join(
        [
            f"**{record['title']}**: test-suite accuracy in per cent on suites made here, in"
            " brackets the published figure.",
            _by_level(rows, _beside),
            "\n".join(notes),
            "Points above the published figure:",
            _by_level(
                [row for row in rows if row["difference"]],
                lambda row, level: _signed(row["difference"][level]),
            ),
            "Standard error of ours, in points:",
            _by_level(rows, lambda row, level: f"{row['standard_error'][level]:.1f}"),
            f"Against the first row, {rows[0]['label']}, question by question (exact McNemar test;"
            f" corrected by Holm over {len(compared)} comparisons; signal: below"
            f" {100 * SIGNIFICANCE:.0f} %):",
            markdown_text(_comparisons(compared, record)),
            "Plain execution accuracy of the same answers, one database an id:",
            _by_level(rows, lambda row, level: f"{row['plain']['accuracy'][level]:.1f}"),
            _made(record, "../"),
        ]
    )


def _by_level(rows: list[dict[str, Any]], cell: Callable[[dict[str, Any], str], str]) -> str:
    """Return a table with a line a row and a column a level."""
    lines = [[row["label"], *(cell(row, level) for level in LEVELS)] for row in rows]
    return markdown_text(Table(["Predictions", *titles(LEVELS)], lines))


def _comparisons(rows: list[dict[str, Any]], record: Record) -> Table:
    """Return how rows differ from the first, and on how many questions."""
    header = ["Predictions", "points", "p", "only first right", "only this right"]
    lines = [
        [
            row["label"],
            *_against_first(row, record),
            *(str(row["against_first"][count]) for count in ("only_first", "only_this")),
            p_text(row["against_first"]["p_corrected"]),
            "yes" if row["against_first"]["significant"] else "no",
        ]
        for row in rows
    ]
    return Table([*header, "p corrected", "signal"], lines)


def seeds_block() -> str:
    """Return the rows of published tables on suites of every seed that there is a record of."""
    measured = published_records()
    if not measured:
        return ""
    seeds = {record["suite_options"]["seed"]: record for record in measured}
    first = seeds[min(seeds)]
    table = []
    for row in table_rows(first):
        for seed, record in sorted(seeds.items()):
            same = next(other for other in record["rows"] if other["name"] == row["name"])
            cells = [f"{same['accuracy'][level]:.1f}" for level in LEVELS]
            if record is first:
                cells = [_beside(row, level) for level in LEVELS]
            table.append([row["label"] if record is first else "", str(seed), *cells])
    everything = [row for record in seeds.values() for row in table_rows(record)]
    plain = ", ".join(
        f"{row['label']} {row['plain']['accuracy']['all']:.1f}" for row in table_rows(first)
    )
    return "\n\n".join(
        [
            f"**{first['title']}**: test-suite accuracy in per cent by seed of the suites, in"
            " brackets the published figure.",
            markdown_text(Table(["Predictions", "seed", *titles(LEVELS)], table)),
            f"{_how_far(everything)} Plain execution accuracy (All): {plain}.",
            *(_made(record, "../") for record in seeds.values()),
        ]
    )


def _beside(row: dict[str, Any], level: str) -> str:
    published = f" ({row['published'][level]:.1f})" if row["published"] else ""
    return f"{row['accuracy'][level]:.1f}{published}"


def _against_first(row: dict[str, Any], record: Record) -> list[str]:
    """Points above the first row, bold where that is beyond chance, and p."""
    counts = row["against_first"]
    if counts is None:
        return ["", ""]
    points = 100 * (counts["only_this"] - counts["only_first"]) / len(record["levels"])
    mark = "**" if counts["significant"] else ""
    return [f"{mark}{points:+.1f}{mark}", p_text(counts["p"])]


def _signed(points: float) -> str:
    """Return points with their sign; none where they are nought to the digit shown."""
    text = f"{points:+.1f}"
    return "0.0" if float(text) == 0 else text


def _how_far(rows: list[dict[str, Any]]) -> str:
    """Return, as a sentence, the largest differences between accuracies and published ones."""
    in_all = max(abs(row["difference"]["all"]) for row in rows)
    in_a_level = max(abs(row["difference"][level]) for row in rows for level in LEVELS[:-1])
    return (
        f"The largest difference from a published figure is {in_all:.1f} points in All and"
        f" {in_a_level:.1f} in a level."
    )


def _made(record: Record, up: str) -> str:
    """What a reader needs to repeat the measurement, and the link to the record from a page."""
    seed, suites = record["suite_options"]["seed"], record["test_suite_set"]
    files = sum(entry["variants"] for entry in suites["databases"].values())
    plain, versions = record["database_set"]["sha256"][:12], record["versions"]
    path = record_path(record["reference"], seed)
    return (
        f"Suites of seed {seed}: {len(suites['databases'])} databases, {files} SQLite files,"
        f" SHA-256 {suites['sha256'][:12]}; plain databases {plain};"
        f" test-suite-sql-eval {record['metric']['version']} with --plug_value, SQLite"
        f" {record['metric']['sqlite']}, Python {versions['python']}; commit"
        f" {record['git']['sha'][:10]}; {record['seconds']:.0f} seconds with --jobs"
        f" {record['settings']['jobs']}."
        f" Record: [{path}]({up}{path})"
    )
