"""``text2sql dataset``: check, download, decontaminate, report and check data sets."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from text2sql.chat import AnswerLog, ChatClient
from text2sql.cli.options import PATH, run_options
from text2sql.config import load_config
from text2sql.data.config import DataConfig, resolve, spider_folder
from text2sql.data.decontaminate_files import decontaminate_files
from text2sql.data.download import download
from text2sql.data.sources import SOURCES, check_others, download_source, downloads
from text2sql.data.spider import as_table, check_spider
from text2sql.data.translate import Translator, check_ddl, extract_ddl, parse_prose
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json, write_jsonl, write_text
from text2sql.hardware import thread_count
from text2sql.paths import build_root, config_name, config_path, shown
from text2sql.pipeline.command import bring_up_to_date
from text2sql.progress import answer_bar
from text2sql.schema import render_schema


@click.group()
def dataset() -> None:
    """Datasets: check, download, decontaminate, report, translate."""


@dataset.command("check")
@click.option("--folder", type=PATH, help="Spider's folder; default $SPIDER_DIR.")
def check_command(folder: Path | None) -> None:
    """List what of the data is there, what is missing and what that disables."""
    folder = folder or spider_folder()
    spider = check_spider(folder)
    click.echo(as_table(check_others() + spider))
    if not all(part.present for part in spider):
        click.echo(
            f"\nSpider was looked for in {folder}; to get it, run 'text2sql dataset download"
            f" spider' or unpack {SOURCES['spider'].page} and set SPIDER_DIR.",
            err=True,
        )


@dataset.command("download")
@click.argument("source", metavar=f"{'|'.join(SOURCES)}|URL")
@click.option("--output", type=PATH, help="For a URL: file to write; default in build/data.")
@click.option("--sha256", help="For a URL: its checksum; else only its length is verified.")
def download_command(source: str, output: Path | None, sha256: str | None) -> None:
    """Download a public data set, or one file from URL, into build/data/downloads.

    A broken download goes on where it stopped; a file appears whole and verified or not at all.
    """
    if source in SOURCES:
        if output or sha256:
            raise UserError(f"{source}: --output and --sha256 are for a URL")
        click.echo("\n".join(download_source(source)))
        return
    if "://" not in source:
        raise UserError(f"{source}: neither a URL nor one of {', '.join(SOURCES)}")
    name = Path(urllib.parse.urlparse(source).path).name
    if not name and not output:
        raise UserError(f"{source}: names no file; give --output")
    path = output or downloads() / name
    found = download(source, path, sha256)
    standing = "as given" if sha256 else "not verified: no --sha256 given"
    click.echo(f"wrote {path}: SHA-256 {found}, {standing}")


@dataset.command("decontaminate")
@click.argument("name")
@click.argument("rows", type=PATH, required=False)
@click.option("--report", type=PATH, help="Report to write; default build/data/leaks/NAME.json.")
@click.option("--clean", type=PATH, help="Rows that do not leak; default beside the report.")
def decontaminate_command(
    name: str, rows: Path | None, report: Path | None, clean: Path | None
) -> None:
    """Judge the training rows of config NAME, or the file ROWS of a RAG store.

    Writes a report (JSON), the rows that do not leak, and the rows that do with the evaluation
    question they give away (both JSON Lines).
    """
    config = load_config(config_path("data", name), DataConfig)
    stem = config_name(name) + (f"-{rows.stem}" if rows else "")
    report = report or build_root() / "data" / "leaks" / f"{stem}.json"
    clean = clean or report.with_name(f"{report.stem}-clean.jsonl")
    removed = report.with_name(f"{report.stem}-removed.jsonl")
    sources = [rows] if rows else [resolve(source) for source in config.train]
    result = decontaminate_files(config, sources, clean, removed)
    write_json(report, result)
    click.echo(f"{result['checked']} rows checked, {result['removed']} leak:\n")
    click.echo("| level | leaks |\n|---|---|")
    for level, count in result["found_by_level"].items():
        click.echo(f"| {level} | {count} |")
    click.echo(f"\n{result['rejected']} bad rows left out")
    for path, what in (
        (clean, f"the {result['checked'] - result['removed']} rows that do not leak"),
        (removed, f"the {result['removed']} rows that do"),
        (report, "settings, counts, examples"),
    ):
        click.echo(f"wrote {path}: {what}")


@dataset.command("report")
@click.argument("folder", type=PATH, required=False)
@run_options
@click.option("--output", type=PATH, help="Folder for the report; default beside the data.")
@click.option("--cutoff-len", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option("--template", help="Prompt template; default the profile's, of a FOLDER qwen3.")
@click.option(
    "--tokenizer",
    help="A model's folder with tokenizer.json; default the profile's model, of a FOLDER guesses.",
)
def report_command(
    folder: Path | None,
    output: Path | None,
    cutoff_len: int,
    template: str | None,
    tokenizer: str | None,
    **options: Any,
) -> None:
    """Describe a run's data, brought up to date first, or prepared data in FOLDER.

    Shows lengths, hardness, keywords, tables a query and the share cut by cutoff_len.
    """
    from text2sql.data.report import data_report  # needs the evaluator; the other commands do not

    if folder is None:
        run = bring_up_to_date(["model", "data"], **options)
        folder, output = run.folder / "data", output or run.folder / "data-report"
        template = template or run.profile.model.template
        tokenizer = tokenizer or str(build_root() / "models" / run.profile.model.name)
    output = output or folder
    text = data_report(folder, output, cutoff_len, template or "qwen3", tokenizer)
    click.echo(f"{text}\nwrote {output / 'data_report.md'}\nwrote {output / 'data_report.png'}")


@dataset.command("rl-questions")
@click.argument("name")
@click.option("--output", type=PATH, help="File to write; default build/data/rl/NAME.jsonl.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many questions.")
def rl_questions_command(name: str, output: Path | None, limit: int | None) -> None:
    """Write the training questions of config NAME as verl and ROLL read them.

    None is of an evaluation database, and none leaks.
    """
    from text2sql.learn.trainer_rows import write_trainer_rows  # the other commands need none of it

    config = load_config(config_path("data", name), DataConfig)
    output = output or build_root() / "data" / "rl" / f"{config_name(name)}.jsonl"
    counts = write_trainer_rows(config, output, limit)
    questions = counts.pop("questions")
    left_out = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
    click.echo(f"wrote {output}: {questions} questions; left out: {left_out}")


@dataset.command("check-golds")
@click.argument("name")
@click.option("--suites", type=PATH, help="Test suites (make test-suite) to compare on as well.")
@click.option("--training", is_flag=True, help="The training questions in place of evaluation's.")
@click.option("--output", type=PATH, help="Folder to write; default build/data/golds/NAME.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds a query may take.")
def check_golds_command(
    name: str, suites: Path | None, training: bool, output: Path | None, timeout: float
) -> None:
    """Name wrong and ambiguous gold queries of config NAME.

    Those that fail, that give no row, whose LIMIT cuts through ties, and that differ between equal
    questions. Writes golds.md and golds.jsonl.
    """
    from text2sql.data.check_golds import KINDS, check_golds, findings_page

    if suites and not suites.is_dir():
        raise UserError(f"{suites}: no test suites here; make them with 'make test-suite'")
    config = load_config(config_path("data", name), DataConfig)
    title = config_name(name) + ("-training" if training else "")
    output = output or build_root() / "data" / "golds" / title
    with tqdm(unit="question", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        checks = check_golds(config, suites, training, timeout, show)
    write_text(output / "golds.md", findings_page(title, checks))
    write_jsonl(output / "golds.jsonl", checks.as_records())
    for kind, count in checks.counts().items():
        click.echo(f"{count:6} {KINDS[kind]}")
    click.echo(f"wrote {output / 'golds.md'} and golds.jsonl beside it")


@dataset.command("train-linker")
@click.argument("name")
@click.option("--output", type=PATH, help="Folder to write; default build/linkers/NAME.")
@click.option("--questions", default=1500, show_default=True, type=click.IntRange(min=1))
@click.option("--model", type=PATH, help="BERT-like model to begin with; default MiniLM, packaged.")
@click.option("--seed", default=42, show_default=True)
def train_linker_command(
    name: str, output: Path | None, questions: int, model: Path | None, seed: int
) -> None:
    """Train a schema linker on the training questions of config NAME.

    It says which tables and columns a question needs, in place of word overlap, where prompts do
    not show whole schemas: key `linker` of a data set's config.
    """
    from text2sql.learn.linker import LinkerOptions, train_linker  # needs the evaluator

    config = load_config(config_path("data", name), DataConfig)
    output = output or build_root() / "linkers" / config_name(name)
    options = LinkerOptions(questions, seed, model, thread_count())
    facts = train_linker(config, output, options)
    held_out = facts["held_out"]
    click.echo(
        f"trained on {facts['questions']} questions, {facts['rows']} rows, in"
        f" {facts['seconds']:.0f} s; of {held_out['questions']} questions of databases held out,"
        " recall of their gold columns:"
    )
    for row in held_out["budgets"]:
        linker, words = row["linker"]["recall"], row["word_overlap"]["recall"]
        click.echo(f"  at {row['budget']} tokens: {linker:.1%}, by word overlap {words:.1%}")
    click.echo(f"wrote {shown(output)}; a data set's config uses it with linker: {shown(output)}")


@dataset.command("translate-ddl")
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
    rows = read_json(source)
    bar, listen = answer_bar(len(rows), "question")
    asked = None
    if url:
        log = AnswerLog(output.with_name(output.name + ".log.jsonl"))
        asked = Translator(ChatClient(url, model, price_in, price_out), log, listen)

    def translated() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows, start=1):
            try:
                prose = row["instruction"]
                ddl = asked.translate(prose) if asked else render_schema(parse_prose(prose))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{source}: row {number}: no prose schema: {error}") from None
            bar.update()
            yield row | {"table_creating": ddl}

    with bar:
        write_jsonl(output, translated())
    if asked:
        client = asked.client
        click.echo(
            f"{client.tokens_in} + {client.tokens_out} tokens, cost {client.cost:.4f};"
            f" {sum(each.replaced for each in asked.schemas)} of {len(asked.schemas)} schemas"
            " replaced by the rule"
        )
        for each in asked.schemas:
            if each.faults:
                what = ", replaced by the rule" if each.replaced else ", translated then"
                click.echo(f"  {each.db_id}: {'; '.join(each.faults)}{what}")
    click.echo(f"wrote {output}; to ask with it: evaluation_schema_style of a data set's config")


@dataset.command("check-ddl")
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
