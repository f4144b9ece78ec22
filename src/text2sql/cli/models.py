"""Commands on models: ``quantize``, ``serve``, ``token``, ``mcp`` and ``serve-openai``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import click

from text2sql.cli.options import PATH, run_options
from text2sql.errors import UserError
from text2sql.gguf.convert import check_model
from text2sql.infer.config import ENGINES
from text2sql.infer.openai_server import serve as serve_with_openai_api
from text2sql.models.gguf_types import DEFAULT_TYPE, check_type
from text2sql.paths import shown
from text2sql.pipeline.command import bring_up_to_date, select_run, show_result
from text2sql.profile import profile_of_folder


@click.command()
@run_options
@click.option("--type", "types", multiple=True, help="Q4_K_M, Q8_0, ... (may be repeated).")
@click.option("--model", type=PATH, help="Any Hugging Face folder, in place of the profile's row.")
@click.option("--pretokenizer", help="With --model: where llama.cpp does not know the tokenizer.")
@click.option("--check", is_flag=True, help="Refuse what cannot be converted; do nothing more.")
def quantize(
    types: tuple[str, ...],
    model: Path | None,
    pretokenizer: str | None,
    check: bool,
    **options: Any,
) -> None:
    """Convert a model to GGUF and quantize it, with checks before and after.

    The model is that of --row, of the profile's row for GGUF files, or of the last row.
    """
    types = tuple(check_type(name) for name in types)
    if model:
        base, types = options["profile"], types or (DEFAULT_TYPE,)
        check_model(model, types)
        options["profile"] = profile_of_folder(base, model, types, pretokenizer)
    options |= {"gguf_row": options["row"], "row": None, "more_types": types}
    graph = select_run(**options)
    if graph.run.profile.quantization:
        graph.run.row(graph.run.profile.quantization.row)
    wanted = types or graph.run.gguf_types[1:]
    names = [f"quantize:{name}" for name in wanted] or ["quantize"]
    stages = graph.select(names)
    if check:
        return
    bring_up_to_date(names, **options)
    for stage in stages:
        if stage.name in names:
            show_result(stage)
    click.echo(f"files: {shown(graph.run.folder / 'gguf')}")


@click.command("serve-openai")
@run_options
@click.option("--model", type=PATH, help="GGUF file or Hugging Face folder.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--context", default=4096, show_default=True, help="Tokens of prompt and answer.")
@click.option("--check", is_flag=True, help="Refuse what cannot be served; do nothing more.")
def serve_openai(
    model: Path | None, host: str, port: int, context: int, check: bool, **options: Any
) -> None:
    """Serve a model behind an OpenAI-compatible endpoint; by default the profile's Q4_K_M file."""
    if model and not model.exists():
        raise UserError(f"{model}: no such file or folder; MODEL= (--model) names a GGUF file")
    if model is None:
        options |= {"gguf_row": options["row"], "row": None}
        graph = select_run(**options)
        is_gguf = graph.run.profile.model.form == "gguf"
        name = "model" if is_gguf else f"quantize:{DEFAULT_TYPE}"
        if not check:
            bring_up_to_date([name], **options)
        model = graph.select([name])[-1].output
    if not check:
        serve_with_openai_api(model, host, port, context)


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `text2sql.serve.command.load_service` to a command."""
    options = [
        click.option(
            "--model", type=PATH, help="Model folder or GGUF file; default: the profile's."
        ),
        click.option("--engine", help=f"{', '.join(ENGINES)}; default: the profile's."),
        click.option(
            "--infer", help="Name or YAML file of decoding settings; default: the profile's."
        ),
        click.option(
            "--server-url", help="With --engine openai: its address, as http://host:8000/v1."
        ),
        click.option(
            "--server-model",
            multiple=True,
            help="With --engine openai: the model's name there; more may be asked for by requests.",
        ),
        click.option("--db-url", envvar="DB_URL", help="SQLite file or SQLAlchemy URL."),
        click.option("--host", help="Address to listen on.  [default: 127.0.0.1]"),
        click.option("--port", type=int, help="Port to listen on.  [default: 4060]"),
        click.option(
            "--schema-style", help="ddl, m-schema, ...; default: what the model was trained on."
        ),
        click.option("--retrieval", help="Few-shot examples: name or YAML file of a rag config."),
        click.option(
            "--config", type=PATH, help="YAML file of further settings (docs/serving.md)."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return run_options(command)


@click.command("serve")
@service_options
def serve(**options: Any) -> None:
    """Start the web service: API and pages on http://127.0.0.1:4060."""
    from text2sql.serve.command import serve_profile  # loads the web framework

    run = {name: options.pop(name) for name in signature(select_run).parameters if name in options}
    serve_profile(run, **options)


@click.command("mcp")
@service_options
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="http: the web service, which answers at /mcp.",
)
def mcp(transport: str, **options: Any) -> None:
    """Answer MCP clients: tables, SQL for a question, rows of a query."""
    from text2sql.serve.command import mcp_profile  # loads the web framework

    run = {name: options.pop(name) for name in signature(select_run).parameters if name in options}
    mcp_profile(run, transport, **options)


@click.command("token")
@click.argument("name")
def token(name: str) -> None:
    """Make a token for a caller of the web service.

    The token is shown this once; what goes into the service's settings does not give it away.
    """
    from text2sql.serve.access import make_token  # loads the web framework

    text, digest = make_token()
    click.echo(f"token of {name}: {text}", err=True)
    click.echo(f"tokens:\n  {name}: {{sha256: {digest}, run: true}}")
