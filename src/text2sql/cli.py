"""The command line: ``text2sql <stage>``, one command under each Make target."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import click

from text2sql import __version__
from text2sql.create.cli import create_data_command, eval_private_command
from text2sql.errors import UserError

DEFAULT_PROFILE = "smollm2-135m"
PATH = click.Path(path_type=Path)
# Commands that bring stages of a kind up to date, with all they need.
STAGE_COMMANDS = {
    "data": "Write training files and evaluation questions.",
    "model": "Get the base model as a Hugging Face folder.",
    "train-lora": "LoRA fine-tuning by LLaMA-Factory.",
    "train-qlora": "4-bit QLoRA fine-tuning by LLaMA-Factory.",
    "train-full": "Full fine-tuning by LLaMA-Factory.",
    "mg2hf": "Convert a Megatron checkpoint to Hugging Face.",
    "hf2mg": "Convert the base model to a Megatron checkpoint.",
    "merge": "Fold LoRA adapters into the base model.",
    "knowledge-base": "Build the retrieval store of solved questions.",
    "retrieve": "Find few-shot examples for every question.",
    "infer": "Answer the evaluation questions with every row's model.",
    "eval": "Judge the answers by executing them.",
    "table": "Build and print the results table.",
    "figures": "Draw the results chart into figs/.",
    "text-metrics": "BLEU-4 and ROUGE of every row, by LLaMA-Factory.",
    "quantization-table": "What each quantization type costs and keeps.",
}


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which run is meant."""
    options = [
        click.option(
            "--profile", default=DEFAULT_PROFILE, show_default=True, help="Name or YAML file."
        ),
        click.option("--dataset", help="Name or YAML file; default: the profile's."),
        click.option(
            "--limit", type=click.IntRange(min=1), help="At most so many rows and questions."
        ),
        click.option("--recipe", help="A training recipe besides those of the profile."),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Replace a LLaMA-Factory key of --recipe; gives a row of its own.",
        ),
        click.option("--row", help="With infer and eval: only this row of the table."),
        click.option("--rows", help="Optional rows of the profile: names with commas, or all."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def select_run(
    profile: str,
    dataset: str | None,
    limit: int | None,
    recipe: str | None,
    row: str | None,
    rows: str | None,
    assignments: tuple[str, ...] = (),
) -> tuple[Any, dict[str, Any]]:
    """Return the selection that the options mean, and its graph of stages (`row` picks later)."""
    from text2sql.pipeline.graph import build_graph
    from text2sql.profile import load_profile
    from text2sql.run import Run
    from text2sql.train.recipe import parse_overrides

    loaded = load_profile(profile)
    overrides = parse_overrides(assignments)
    if overrides and not recipe:
        raise UserError("--set changes keys of a recipe; name it with --recipe (make: RECIPE=)")
    optional = [name.strip() for name in (rows or "").split(",") if name.strip()]
    if row in [optional_row.name for optional_row in loaded.optional_rows]:
        optional.append(str(row))
    name = dataset or loaded.dataset
    wanted = tuple(dict.fromkeys(optional))
    selection = Run(loaded, name, limit, recipe, profile, overrides, wanted)
    return selection, build_graph(selection)


def bring_up_to_date(wanted: Sequence[str], **options: Any) -> Any:
    """Run the stages wanted, and all they need, that are not up to date; return the selection."""
    from text2sql import hardware
    from text2sql.pipeline.graph import select
    from text2sql.pipeline.run_stage import stage_module
    from text2sql.pipeline.scheduler import Scheduler
    from text2sql.run import ALL_ROWS

    if wanted[0] in ("knowledge-base", "retrieve"):
        options = options | {"rows": options["rows"] or ALL_ROWS}
    selection, graph = select_run(**options)
    if wanted[0].startswith("train-"):
        wanted = trainings(wanted[0], selection, graph)
    if options["row"]:
        if wanted[0] not in ("infer", "eval"):
            raise UserError("--row goes with infer and eval; a table has all rows of its profile")
        wanted = [f"{wanted[0]}:{options['row']}"]
    stages = select(graph, wanted)
    profile = selection.profile
    hardware.require(profile.hardware, profile.name)
    for stage in stages:
        stage_module(stage.kind)
    workers = hardware.affordable_workers(profile.workers, profile.worker_memory_gb)
    if workers < profile.workers:
        click.echo(f"little memory: {workers} stages at a time instead of {profile.workers}")
    Scheduler(selection, workers).run(stages)
    return selection


def trainings(kind: str, selection: Any, graph: dict[str, Any]) -> list[str]:
    """Return the training stages that ``train-lora`` and its like mean: of the recipe, or all."""
    if not selection.recipe:
        return [kind]
    stage = graph[f"train:{selection.recipe_name}"]
    if stage.kind != kind:
        raise UserError(f"recipe '{selection.recipe}' is for {stage.kind}; run: make {stage.kind}")
    return [stage.name]


def show_results(selection: Any) -> None:
    """Print the run's table, enter it in the ledger and put its chart into figs/."""
    from text2sql.paths import build_root, shown
    from text2sql.report.ledger import append_to_ledger
    from text2sql.report.publish import copy_chart
    from text2sql.report.record import load_record
    from text2sql.report.table import RECORD, TABLE

    append_to_ledger(build_root(), load_record(selection.folder / "table" / RECORD))
    click.echo((selection.folder / "table" / TABLE).read_text(encoding="utf-8"))
    if (selection.folder / "figures").is_dir():
        chart = copy_chart(selection.folder, selection.profile.name, selection.dataset_label)
        click.echo(f"chart: {shown(chart)}")


@click.group()
@click.version_option(__version__, prog_name="text2sql")
def cli() -> None:
    """Fine-tune, infer and evaluate text-to-SQL models. Every stage runs what it needs first."""


@cli.command()
@run_options
def reproduce(**options: Any) -> None:
    """Run the whole chain of a profile: data to results table and chart."""
    show_results(bring_up_to_date(["table", "figures"], **options))


@cli.command("data-report")
@run_options
@click.option("--cutoff-len", default=1024, show_default=True, help="The trainer's cutoff_len.")
def data_report(cutoff_len: int, **options: Any) -> None:
    """Describe the training data: lengths in the model's tokens, keywords, tables, share cut."""
    from text2sql.data.report import data_report as describe
    from text2sql.paths import build_root, shown

    selection = bring_up_to_date(["model", "data"], **options)
    folder = selection.folder / "data-report"
    model = selection.profile.model
    tokenizer = build_root() / "models" / model.name
    folder.mkdir(exist_ok=True)
    click.echo(
        describe(selection.folder / "data", folder, cutoff_len, model.template, str(tokenizer))
    )
    click.echo(f"report: {shown(folder)}")


@cli.command()
@run_options
def plan(**options: Any) -> None:
    """Print the stages, inputs, outputs and launch lines of a run; run nothing."""
    from text2sql.pipeline.plan import describe_plan

    click.echo(describe_plan(*select_run(**options)))


@cli.command()
@run_options
def publish(**options: Any) -> None:
    """Copy a finished run's record into results/ and refresh the README's tables."""
    from text2sql.paths import shown
    from text2sql.report import publish as publishing

    selection, _ = select_run(**options)
    for path in publishing.publish(selection.folder):
        click.echo(f"record: {shown(path)}")


@cli.command()
@click.option("--check", is_flag=True, help="Change nothing; fail where a README is out of date.")
def results(check: bool) -> None:
    """Refresh the tables in the READMEs from the records in results/."""
    from text2sql.report.publish import check_readmes, update_readmes

    if check:
        check_readmes()
    else:
        update_readmes()


@cli.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
def compare(before: Path, after: Path) -> None:
    """Show which questions AFTER fixed and broke (verdict files, or folders of eval stages)."""
    from text2sql.report import compare as comparing

    verdicts = [comparing.load_verdicts(path) for path in (before, after)]
    click.echo(comparing.compare(*verdicts))


@cli.command()
@click.argument("predictions", type=PATH)
@click.option("--gold", type=PATH, help="Default: gold.txt beside the predictions.")
@click.option("--spider", type=PATH, help="Folder of Spider 1.0; default: SPIDER_DIR.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds a question may take.")
@click.option("--suites", type=PATH, help="Test suites (make test-suite), for their accuracy.")
def rescore(
    predictions: Path,
    gold: Path | None,
    spider: Path | None,
    timeout: float,
    suites: Path | None,
) -> None:
    """Judge published PREDICTIONS (a folder of *.txt) in every metric, beside their own scores."""
    from text2sql.data.config import spider_folder
    from text2sql.paths import repository_root
    from text2sql.report.rescore import rescore as judge

    spider = spider or spider_folder()
    click.echo(
        judge(
            predictions,
            gold or predictions / "gold.txt",
            spider / "database",
            spider / "tables.json",
            repository_root() / "results" / "reference" / "text2sql-qwen3-1.7b.json",
            timeout,
            suites,
        )
    )


@cli.command()
@run_options
@click.option("--type", "types", multiple=True, help="Q4_K_M, Q8_0, ... (may be repeated).")
@click.option("--model", type=PATH, help="Any Hugging Face folder, in place of the profile's row.")
@click.option("--output", type=PATH, help="With --model: folder for the files.")
@click.option("--pretokenizer", help="With --model: where llama.cpp does not know the tokenizer.")
def quantize(
    types: tuple[str, ...],
    model: Path | None,
    output: Path | None,
    pretokenizer: str | None,
    **options: Any,
) -> None:
    """Convert a model to GGUF and quantize it, with checks before and after."""
    from text2sql.gguf.quantize_folder import quantize_folder, summary
    from text2sql.models.gguf_types import DEFAULT_TYPE, check_type
    from text2sql.paths import build_root, shown

    if model is None:
        names = [f"quantize:{check_type(name)}" for name in types]
        selection = bring_up_to_date(names or ["quantize"], **options)
        click.echo(f"files: {shown(selection.folder / 'gguf')}")
        return
    selection = bring_up_to_date(["data"], **options)
    folder = output or build_root() / "gguf" / model.resolve().name
    questions = selection.folder / "data" / "questions.jsonl"
    template = selection.profile.model.template
    wanted = types or (DEFAULT_TYPE,)
    click.echo(summary(quantize_folder(model, folder, wanted, template, questions, pretokenizer)))
    click.echo(f"files: {shown(folder)}")


@cli.command("serve-openai")
@run_options
@click.option("--model", type=PATH, help="GGUF file or Hugging Face folder.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--context", default=4096, show_default=True, help="Tokens of prompt and answer.")
def serve_openai(model: Path | None, host: str, port: int, context: int, **options: Any) -> None:
    """Serve a model behind an OpenAI-compatible endpoint; by default the profile's Q4_K_M file."""
    from text2sql.infer.openai_server import serve
    from text2sql.models.gguf_types import DEFAULT_TYPE

    if model is None:
        selection = bring_up_to_date([f"quantize:{DEFAULT_TYPE}"], **options)
        row = selection.profile.quantization.row
        model = selection.folder / "gguf" / row / DEFAULT_TYPE
    serve(model, host, port, context)


@cli.command("serve")
@run_options
@click.option("--model", type=PATH, help="Model folder or GGUF file; default: the profile's.")
@click.option("--engine", help="transformers, llama.cpp, vllm or openai; default: the profile's.")
@click.option("--infer", help="Name or YAML file of decoding settings; default: the profile's.")
@click.option("--server-url", help="With --engine openai: its address, as http://host:8000/v1.")
@click.option("--server-model", help="With --engine openai: the model's name there.")
@click.option("--db-url", envvar="DB_URL", help="SQLite file or SQLAlchemy URL.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on.  [default: 4060]")
@click.option("--schema-style", help="ddl, m-schema, ...; default: what the model was trained on.")
@click.option("--retrieval", help="Few-shot examples: name or YAML file of a rag config.")
@click.option("--config", type=PATH, help="YAML file of further settings (docs/serving.md).")
def serve(**options: Any) -> None:
    """Start the web service: API and pages on http://127.0.0.1:4060."""
    from text2sql.serve.command import serve_profile

    run = {name: options.pop(name) for name in signature(select_run).parameters}
    serve_profile(run, bring_up_to_date, select_run, **options)


def _add_stage_command(kind: str, text: str) -> None:
    @cli.command(kind, help=text)
    @run_options
    def command(**options: Any) -> None:
        if kind == "text-metrics":
            selection = bring_up_to_date(["text-table"], **options)
            path = selection.folder / "text-table" / "text_metrics.md"
            click.echo(path.read_text(encoding="utf-8"))
            return
        selection = bring_up_to_date([kind], **options)
        if kind == "quantization-table":
            from text2sql.gguf.stages import table_file

            click.echo(table_file(selection).read_text(encoding="utf-8"))
        if kind in ("table", "figures"):
            show_results(selection)


def _add_train_command(kind: str, text: str) -> None:
    @cli.command(kind, help=text)
    @run_options
    @click.option("--dry-run", is_flag=True, help="Print batch, steps, memory, time; run nothing.")
    @click.option("--gpu", help="With --dry-run: the GPU to plan for, such as rtx-4090 or h100.")
    @click.option(
        "--assume-rows", type=click.IntRange(min=1), help="With --dry-run: rows of the dataset."
    )
    def command(dry_run: bool, gpu: str | None, assume_rows: int | None, **options: Any) -> None:
        from text2sql.pipeline.multinode import train_with_node_0
        from text2sql.train.nodes import this_node

        if dry_run:
            from text2sql.pipeline.graph import select
            from text2sql.train.dry_run import dry_run as describe

            selection, graph = select_run(**options)
            for stage in select(graph, trainings(kind, selection, graph)):
                if stage.kind == kind:
                    click.echo(describe(stage, selection.profile, gpu, assume_rows))
        elif this_node().rank > 0:
            selection, graph = select_run(**options)
            (name,) = trainings(kind, selection, graph)
            train_with_node_0(graph[name])
        else:
            bring_up_to_date([kind], **options)


for _kind, _text in STAGE_COMMANDS.items():
    if _kind.startswith("train-"):
        _add_train_command(_kind, _text)
    else:
        _add_stage_command(_kind, _text)


class _LazyDataTools(click.Group):
    """Loads the dataset tools only when they are asked for; --help of the rest stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._group().get_command(ctx, cmd_name)

    def _group(self) -> click.Group:
        from text2sql.data.cli import data

        return data


cli.add_command(create_data_command)
cli.add_command(eval_private_command)
cli.add_command(
    _LazyDataTools("dataset", help="Dataset tools: check, decontaminate, report, translate.")
)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point; a user's mistake is one line on stderr and exit status 2.

    Being told to end, or a closed terminal, counts as Ctrl-C, so that stages are stopped then too.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        cli(standalone_mode=False)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
