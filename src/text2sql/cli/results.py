"""``text2sql results``: published records, and what is said of answers apart from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from text2sql.artifacts import QUESTIONS, VERDICTS
from text2sql.cli.options import PATH, run_options
from text2sql.data.config import spider_folder
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_json, write_text
from text2sql.hardware import describe
from text2sql.paths import repository_root, shown
from text2sql.pipeline.command import bring_up_to_date, select_run
from text2sql.pipeline.drawing import CHAIN, draw_chain
from text2sql.profile import DEFAULT_PROFILE
from text2sql.question import read_questions
from text2sql.records import git_state, package_versions
from text2sql.report.error_analysis import compare as compare_verdicts
from text2sql.report.pages import check_pages
from text2sql.report.publish import publish_measured, publish_run
from text2sql.report.publish import update as update_all
from text2sql.report.rescore import rescore as judge

DRAWN_ROWS = "rag_embedding"  # what retrieval adds, in the drawing of the chain
REFERENCE = "results/reference/text2sql-qwen3-1.7b.json"


@click.group()
def results() -> None:
    """Published results: update, check, publish; compare answers, rescore published ones."""


@results.command()
def update() -> None:
    """Refresh charts and the tables in the pages from the records in results/."""
    update_all()
    write_text(repository_root() / CHAIN, _chain())
    click.echo("README.md, docs/ and figs/ are in step with the records in results/")


@results.command()
def check() -> None:
    """Change nothing; fail where a page is not in step with the records in results/."""
    check_pages()
    drawing = repository_root() / CHAIN
    if not drawing.is_file() or drawing.read_text(encoding="utf-8") != _chain():
        raise UserError(f"{CHAIN}: not the stages that there are; run: make results")
    click.echo("README.md, docs/ and figs/ are in step with the records in results/")


def _chain() -> str:
    return draw_chain(DEFAULT_PROFILE, DRAWN_ROWS)


@results.command()
@run_options
def publish(**options: Any) -> None:
    """Copy a finished run's record into results/ and refresh the README's tables."""
    for path in publish_run(select_run(**options).run.folder):
        click.echo(f"record: {shown(path)}")


@results.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
def compare(before: Path, after: Path) -> None:
    """Show which questions AFTER fixed and broke (verdict files, or folders of eval stages)."""
    files = [path / VERDICTS if path.is_dir() else path for path in (before, after)]
    click.echo(compare_verdicts(*(list(read_jsonl(path)) for path in files)))


@results.command()
@run_options
@click.option(
    "--variant",
    "variants",
    multiple=True,
    required=True,
    help="A variant of the data set, such as spider_syn; may be given again.",
)
def robustness(variants: tuple[str, ...], **options: Any) -> None:
    """Judge the rows of a run on variants of its data set; pair the questions, test the loss.

    Models are trained on the data set itself alone. Writes robustness.md and robustness.json into
    the run's folder.
    """
    from text2sql.report.robustness import JudgedSet, robustness_table
    from text2sql.report.robustness import robustness as measure

    judged, runs = [], []
    row = options["row"]
    wanted = f"eval:{row}" if row else "eval"
    for dataset in (options.pop("dataset"), *variants):
        run = bring_up_to_date([wanted], dataset=dataset, **options)
        metric = data_config(run).metric
        names = [row] if row else run.row_names
        verdicts = {name: list(read_jsonl(run.folder / "eval" / name / VERDICTS)) for name in names}
        outcomes = {
            name: [int(verdict[metric]) for verdict in each] for name, each in verdicts.items()
        }
        questions = read_questions(run.folder / "data" / QUESTIONS)
        judged.append(JudgedSet(run.dataset_label, questions, outcomes))
        runs.append(run)
    folder = runs[0].folder
    labels = {one.name: one.label for one in runs[0].rows if row in (None, one.name)}
    result = measure(judged[0], judged[1:], labels)
    text = robustness_table(result)
    made = {"title": runs[0].profile.title, "git": git_state(), "hardware": describe()}
    write_json(folder / "robustness.json", result | made | {"versions": package_versions()})
    write_text(folder / "robustness.md", text + "\n")
    click.echo(f"{text}\nwrote {shown(folder / 'robustness.md')}")


@results.command("reproduce-published")
@click.option("--predictions", type=PATH, help="Folder with a <row>.txt a row, and gold.txt.")
@click.option("--spider", type=PATH, help="Folder of Spider 1.0; default: SPIDER_DIR.")
@click.option("--seed", default=0, show_default=True, help="Seed of the test suites.")
@click.option("--jobs", default=1, show_default=True, help="Processes that judge.")
@click.option(
    "--timeout", default=60.0, show_default=True, help="Processor seconds a question may take."
)
def reproduce_published(
    predictions: Path | None, spider: Path | None, seed: int, jobs: int, timeout: float
) -> None:
    """Judge the prediction files of a published table on test suites made here; keep a record."""
    from text2sql.report.published import Inputs, estimate, reproduce
    from text2sql.report.published_text import record_path, short_block

    if predictions is None:
        raise UserError("PREDICTIONS= (--predictions) names the folder of published predictions")
    inputs = Inputs(predictions, spider or spider_folder(), repository_root() / REFERENCE)
    click.echo(estimate(inputs, jobs))
    record = reproduce(inputs, seed, jobs, timeout)
    click.echo(short_block(record))
    path = record_path(record["reference"], seed)
    click.echo(f"record: {shown(publish_measured(record, path))}")


@results.command()
@click.option("--predictions", type=PATH, help="Folder with the files of the board.")
@click.option("--spider", type=PATH, help="Folder of Spider 1.0; default: SPIDER_DIR.")
@click.option("--jobs", default=1, show_default=True, help="Processes that judge.")
@click.option(
    "--timeout", default=60.0, show_default=True, help="Processor seconds a question may take."
)
def board(predictions: Path | None, spider: Path | None, jobs: int, timeout: float) -> None:
    """Judge public prediction files of Spider dev alike; keep a record."""
    from text2sql.report.board import RECORD, measure

    if predictions is None:
        raise UserError("PREDICTIONS= (--predictions) names the folder of public predictions")
    record = measure(predictions, spider or spider_folder(), jobs, timeout)
    click.echo(f"record: {shown(publish_measured(record, RECORD))}")


@results.command()
@click.argument("predictions", type=PATH)
@click.option("--gold", type=PATH, help="Default: gold.txt beside the predictions.")
@click.option("--spider", type=PATH, help="Folder of Spider 1.0; default: SPIDER_DIR.")
@click.option(
    "--timeout", default=60.0, show_default=True, help="Processor seconds a question may take."
)
@click.option("--suites", type=PATH, help="Test suites (make test-suite), for their accuracy.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that judge; default: cores.")
def rescore(
    predictions: Path,
    gold: Path | None,
    spider: Path | None,
    timeout: float,
    suites: Path | None,
    jobs: int | None,
) -> None:
    """Judge published PREDICTIONS (a folder of *.txt) in every metric, beside their own scores."""
    spider = spider or spider_folder()
    click.echo(
        judge(
            predictions,
            gold or predictions / "gold.txt",
            spider / "database",
            spider / "tables.json",
            repository_root() / REFERENCE,
            timeout,
            suites,
            jobs,
        )
    )
