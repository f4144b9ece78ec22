"""``text2sql database``: training data from a private database, and judging answers on it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import click

from text2sql.cli.options import PATH
from text2sql.errors import UserError

URL_HELP = "SQLAlchemy URL, or a SQLite file; better in the environment variable DB_URL."


@click.group()
def database() -> None:
    """A private database: make training data from it, judge predictions on it."""


@database.command("create-data")
@click.option("--db-url", envvar="DB_URL", help=URL_HELP)
@click.option("--snapshot", type=PATH, help="A snapshot.json, in place of reading the schema.")
@click.option("--output", type=PATH, help="Folder to write; default: build/own/<database>.")
@click.option("--db-id", help="Name of the database in the data; default: its own.")
@click.option("--total", default=1000, show_default=True, type=click.IntRange(min=2))
@click.option(
    "--language", default="en", show_default=True, help="en, zh, or both with a comma between."
)
@click.option("--dev-share", default=0.1, show_default=True, type=click.FloatRange(0.01, 0.9))
@click.option("--timeout", default=10.0, show_default=True, help="Seconds a statement may take.")
@click.option(
    "--personal-data", is_flag=True, help="Also take examples that look like personal data."
)
@click.option("--seed", default=42, show_default=True)
@click.option("--accepted", type=PATH, help="Pairs that users of the web service accepted.")
@click.option("--llm-url", help="OpenAI-compatible endpoint; default: no language model.")
@click.option("--llm-model", help="The endpoint's name of the model.")
@click.option("--price-in", default=0.0, help="Price of a million tokens sent.")
@click.option("--price-out", default=0.0, help="Price of a million tokens received.")
def create_data_command(language: str, **options: Any) -> None:
    """Make checked training data from a private database."""
    from text2sql.chat import ChatClient
    from text2sql.create.nouns import LANGUAGES
    from text2sql.create.stage import CreateOptions, create_data
    from text2sql.paths import shown

    named = [each.strip() for each in language.split(",")]
    languages = tuple(each for each in LANGUAGES if each in named)
    if not languages or len(languages) < len(named):
        raise UserError(f"--language {language}: known are {', '.join(LANGUAGES)}")
    llm = None
    prices = {key: options.pop(key) for key in ("price_in", "price_out")}
    llm_url, llm_model = options.pop("llm_url"), options.pop("llm_model")
    if llm_url:
        if not llm_model:
            raise UserError("--llm-url needs --llm-model as well")
        llm = ChatClient(llm_url, llm_model, **prices)
    url = options.pop("db_url") or None
    folder, summary = create_data(CreateOptions(url=url, languages=languages, llm=llm, **options))
    click.echo(
        f"{summary['pairs']} pairs: {summary['train']} for training, {summary['dev']} for"
        f" evaluation; {sum(summary['removed_as_leaks'].values())} left out as leaks"
    )
    if "accepted" in summary:
        click.echo(
            "accepted pairs: "
            + ", ".join(f"{count} {kind}" for kind, count in summary["accepted"].items())
        )
    if "llm" in summary:
        used = summary["llm"]
        told = sorted(used["counts"].items())
        click.echo(
            f"the model: {', '.join(f'{count} {kind}' for kind, count in told if count)};"
            f" why pairs were not kept: {shown(Path(summary['rejects']))}"
        )
        click.echo(
            f"tokens: {used['tokens_in']} in, {used['tokens_out']} out; cost: {used['cost']}"
        )
    config = shown(Path(summary["config"]))
    click.echo(f"wrote {shown(folder)}; train on it with DATASET={config}")


@database.command("index-values")
@click.option("--db-url", envvar="DB_URL", required=True, help=URL_HELP)
@click.option("--output", type=PATH, help="File to write; default: build/own/<database>/.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds a statement may take.")
@click.option("--personal-data", is_flag=True, help="Also take columns that look personal.")
def index_values_command(
    db_url: str, output: Path | None, timeout: float, personal_data: bool
) -> None:
    """Index the text values of a database, for prompts that show those a question means.

    Beside the snapshot of create-data; nothing leaves the machine.
    """
    from text2sql.paths import build_root, shown
    from text2sql.schema.connect import parse_url
    from text2sql.schema.read import default_db_id
    from text2sql.schema.value_index import MOST_VALUES, build_value_index

    folder = build_root() / "own" / default_db_id(parse_url(db_url))
    output = output or folder / "values.sqlite"
    try:
        counts = build_value_index(db_url, output, personal_data=personal_data, timeout=timeout)
    except sqlite3.OperationalError as error:
        raise UserError(f"{output}: cannot be written: {error}") from None
    click.echo(
        f"{counts['values']} values of {counts['columns']} columns in {counts['seconds']} s;"
        f" {counts['personal_columns']} columns left out that look personal,"
        f" {counts['cut_columns']} cut at {MOST_VALUES:,} values"
    )
    click.echo(f"wrote {shown(output)}; the service shows values with values_index: {output}")


@database.command("eval-private")
@click.option("--db-url", envvar="DB_URL", required=True, help=URL_HELP)
@click.option(
    "--gold", type=PATH, required=True, help="SQL<tab>database, one a line; or BIRD's .json."
)
@click.option("--predictions", type=PATH, required=True, help="SQL, one a line; or BIRD's .json.")
@click.option("--output", type=PATH, help="Folder for scores.json and verdicts.jsonl.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds a query may take.")
@click.option("--max-rows", default=10_000, show_default=True, help="Most rows of a result.")
def eval_private_command(
    db_url: str, gold: Path, predictions: Path, output: Path | None, timeout: float, max_rows: int
) -> None:
    """Judge predictions by running them, and the gold queries, on a live database."""
    from text2sql.create.eval_private import judge_files, score_table

    scores = judge_files(db_url, gold, predictions, output, timeout, max_rows)
    click.echo(score_table(scores))
    if output:
        click.echo(f"wrote {output}: scores.json and verdicts.jsonl")
