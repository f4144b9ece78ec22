"""``text2sql data``: prepare, check, decontaminate, report, translate-ddl."""

from __future__ import annotations

import json
import urllib.parse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from text2sql.config import load_config
from text2sql.data.config import DataConfig, resolve, spider_folder
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.download import download
from text2sql.data.prepare import SchemaTexts, prepare
from text2sql.data.rows import Reject, Row, read_rows
from text2sql.data.sample import ensure_sample_databases
from text2sql.data.spider import HOME, as_table, check_spider
from text2sql.data.translate import Translator, check_ddl, extract_ddl, parse_prose
from text2sql.errors import UserError
from text2sql.files import atomic_directory, atomic_open, read_json, read_jsonl, write_json
from text2sql.paths import build_root, config_name, config_path
from text2sql.schema import render_schema

PATH = click.Path(path_type=Path)


class UsersMistake(click.ClickException):
    """One line on stderr and the exit status of a wrong call."""

    exit_code = 2


class UserErrorGroup(click.Group):
    """Shows a UserError as one line with exit status 2, however the group is called."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise UsersMistake(str(error)) from None


@click.group(cls=UserErrorGroup)
def data() -> None:
    """Datasets: prepare, check, decontaminate, describe."""


@data.command("prepare")
@click.argument("name")
@click.option("--output", type=PATH, help="Folder to write; default build/data/NAME.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows and questions.")
@click.option("--max-rejects", type=click.IntRange(min=0), help="Stop after more bad rows.")
def prepare_command(
    name: str, output: Path | None, limit: int | None, max_rejects: int | None
) -> None:
    """Write training files and evaluation questions for the config NAME."""
    config = load_config(config_path("data", name), DataConfig, {"max_rejects": max_rejects})
    target = output or build_root() / "data" / config_name(name)
    with atomic_directory(target) as folder:
        summary = prepare(config, folder, limit)
    click.echo(json.dumps(summary, indent=2))
    click.echo(f"wrote {target}", err=True)


@data.command("check")
@click.option("--folder", type=PATH, help="Spider's folder; default $SPIDER_DIR.")
def check_command(folder: Path | None) -> None:
    """List what of Spider is there, what is missing and what that disables."""
    folder = folder or spider_folder()
    parts = check_spider(folder)
    click.echo(as_table(parts))
    if not all(part.present for part in parts):
        click.echo(f"\nSpider's home is {HOME}; unpack it and set SPIDER_DIR.", err=True)


@data.command("download")
@click.argument("url")
@click.option("--output", type=PATH, help="File to write; default build/data/downloads/NAME.")
@click.option("--sha256", help="What the file must hash to; else only its length is verified.")
def download_command(url: str, output: Path | None, sha256: str | None) -> None:
    """Download one source file from URL; a broken download goes on where it stopped."""
    name = Path(urllib.parse.urlparse(url).path).name
    if not name and not output:
        raise UserError(f"{url}: names no file; give --output")
    path = output or build_root() / "data" / "downloads" / name
    click.echo(f"{path}: SHA-256 {download(url, path, sha256)}")


@data.command("decontaminate")
@click.argument("name")
@click.argument("rows", type=PATH, required=False)
@click.option("--report", type=PATH, help="Where to write; default build/data/NAME-leaks.json.")
@click.option("--clean", type=PATH, help="Write the rows that do not leak here, as JSON Lines.")
def decontaminate_command(
    name: str, rows: Path | None, report: Path | None, clean: Path | None
) -> None:
    """Judge the training rows of config NAME, or a file of ROWS for a RAG store, and report."""
    config = load_config(config_path("data", name), DataConfig)
    if config.database_form == "sql":
        ensure_sample_databases(resolve(config.database))
    read = list(read_rows(resolve(config.evaluation), parse_sql=False))
    questions = [row for row in read if not isinstance(row, Reject)]
    judge = Decontaminator(config.decontamination, questions, SchemaTexts(config).names)
    rejects: list[Reject] = []
    with ExitStack() as stack:
        output = stack.enter_context(atomic_open(clean)) if clean else None
        for path in [rows] if rows else [resolve(source) for source in config.train]:
            for row in tqdm(read_rows(path, config.fields, parse_sql=False), unit="row"):
                if isinstance(row, Reject):
                    rejects.append(row)
                elif judge.check(row) is None and output:
                    output.write(json.dumps(_store_row(row), ensure_ascii=False) + "\n")
    result = judge.report()
    result["rejected"] = len(rejects)
    result["rejects"] = [{"source": r.source, "line": r.line, "why": r.reason} for r in rejects]
    path = report or build_root() / "data" / f"{Path(name).stem}-leaks.json"
    write_json(path, result)
    found = result["found_by_level"]
    click.echo(
        f"{judge.checked} rows checked, {judge.removed} leak: {found};"
        f" {len(rejects)} bad rows left out; see {path}"
    )


def _store_row(row: Row) -> dict[str, str]:
    """Return a row under column names that `read_rows` recognises."""
    if row.schema:
        return {"question": row.question, "context": row.schema, "answer": row.sql}
    return {"question": row.question, "query": row.sql, "db_id": row.db_id}


@data.command("report")
@click.argument("source", metavar="NAME_OR_FOLDER")
@click.option("--output", type=PATH, help="Folder for the report; default the prepared folder.")
@click.option("--cutoff-len", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option("--template", default="qwen3", show_default=True)
@click.option("--tokenizer", help="A model's folder with tokenizer.json; else lengths are guesses.")
def report_command(
    source: str, output: Path | None, cutoff_len: int, template: str, tokenizer: str | None
) -> None:
    """Describe a prepared folder, or the dataset of config NAME (prepared now if it is not).

    Shows lengths, hardness, keywords, tables a query and the share cut by cutoff_len.
    """
    from text2sql.data.report import data_report  # needs the evaluator; the other commands do not

    folder = Path(source) if (Path(source) / "train.json").is_file() else _prepared(source)
    output = output or folder
    text = data_report(folder, output, cutoff_len, template, tokenizer)
    click.echo(f"{text}\nwrote {output / 'data_report.md'}\nwrote {output / 'data_report.png'}")


def _prepared(name: str) -> Path:
    """Return the prepared folder of a config; prepare it where its sources are newer."""
    path = config_path("data", name)
    config = load_config(path, DataConfig)
    config.require_sources()
    folder = build_root() / "data" / config_name(name)
    made = folder / "summary.json"
    files = [f for s in config.source_files() for f in (s.rglob("*") if s.is_dir() else [s])]
    newest = max(file.stat().st_mtime for file in [path, *files])
    if not made.is_file() or made.stat().st_mtime < newest:
        click.echo(f"preparing {name} in {folder}", err=True)
        with atomic_directory(folder) as partial:
            prepare(config, partial)
    return folder


@data.command("translate-ddl")
@click.argument("source", type=PATH)
@click.argument("output", type=PATH)
@click.option("--url", help="OpenAI-compatible endpoint; without one the rule is used.")
@click.option("--model", default="", help="Model name at the endpoint.")
@click.option("--price-in", default=0.0, help="Price of a million prompt tokens.")
@click.option("--price-out", default=0.0, help="Price of a million answer tokens.")
def translate_command(
    source: Path, output: Path, url: str | None, model: str, price_in: float, price_out: float
) -> None:
    """Turn the prose schemas of SOURCE (JSON with `instruction`) into CREATE TABLE."""
    if url and not model:
        raise UserError("--url needs --model")
    log = output.with_name(output.name + ".log.jsonl")
    asked = Translator(url, model, log, price_in, price_out) if url else None
    with atomic_open(output) as stream:
        for number, row in enumerate(tqdm(read_json(source), unit="question"), start=1):
            try:
                prose = row["instruction"]
                ddl = asked.translate(prose) if asked else render_schema(parse_prose(prose))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{source}: row {number}: no prose schema: {error}") from None
            stream.write(json.dumps(row | {"table_creating": ddl}, ensure_ascii=False) + "\n")
    if asked:
        click.echo(
            f"{asked.tokens_in} + {asked.tokens_out} tokens, cost {asked.cost:.4f};"
            f" {asked.replaced} schemas replaced by the rule"
        )


@data.command("check-ddl")
@click.argument("source", type=PATH)
def check_ddl_command(source: Path) -> None:
    """Check translated schemas: JSONL with `instruction` and `table_creating`."""
    results: dict[tuple[str, str], list[str]] = {}
    total = bad_rows = 0
    for row in read_jsonl(source):
        total += 1
        try:
            key = (row["instruction"], row["table_creating"])
            if key not in results:
                results[key] = check_ddl(extract_ddl(key[1]), parse_prose(key[0]))
        except (KeyError, ValueError) as error:
            raise UserError(f"{source}: row {total}: {error}") from None
        bad_rows += bool(results[key])
    bad = [problems for problems in results.values() if problems]
    click.echo(f"{bad_rows} of {total} rows fail; {len(bad)} of {len(results)} distinct answers:")
    for (prose, _), problems in results.items():
        if problems:
            click.echo(f"  {prose.split(' ', 1)[0]}: {problems[0]}")
