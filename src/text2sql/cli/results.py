"""``text2sql results``: published records, and what is said of answers apart from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from text2sql.artifacts import VERDICTS
from text2sql.cli.options import PATH, run_options
from text2sql.data.config import spider_folder
from text2sql.files import read_jsonl
from text2sql.paths import repository_root, shown
from text2sql.pipeline.command import select_run
from text2sql.report.error_analysis import compare as compare_verdicts
from text2sql.report.publish import check_readmes, publish_run, update_readmes
from text2sql.report.rescore import rescore as judge

REFERENCE = "results/reference/text2sql-qwen3-1.7b.json"


@click.group()
def results() -> None:
    """Published results: update, check, publish; compare answers, rescore published ones."""


@results.command()
def update() -> None:
    """Refresh the tables in the READMEs from the records in results/."""
    update_readmes()


@results.command()
def check() -> None:
    """Change nothing; fail where a README is not in step with the records in results/."""
    check_readmes()


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
@click.argument("predictions", type=PATH)
@click.option("--gold", type=PATH, help="Default: gold.txt beside the predictions.")
@click.option("--spider", type=PATH, help="Folder of Spider 1.0; default: SPIDER_DIR.")
@click.option(
    "--timeout", default=60.0, show_default=True, help="Processor seconds a question may take."
)
@click.option("--suites", type=PATH, help="Test suites (make test-suite), for their accuracy.")
def rescore(
    predictions: Path,
    gold: Path | None,
    spider: Path | None,
    timeout: float,
    suites: Path | None,
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
        )
    )
