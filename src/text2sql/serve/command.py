"""``text2sql serve`` and ``text2sql mcp``: from options to a running server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import uvicorn

from text2sql.artifacts import QUESTIONS
from text2sql.config import check_config, read_yaml
from text2sql.data.config import DataConfig, resolve
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig, load_infer_config
from text2sql.infer.load import load_engine
from text2sql.infer.openai_server import require_free
from text2sql.models.gguf_header import find_gguf
from text2sql.models.gguf_types import DEFAULT_TYPE
from text2sql.paths import config_name, shown
from text2sql.pipeline.command import bring_up_to_date, select_run
from text2sql.pipeline.scheduler import environment_python
from text2sql.profile import Profile
from text2sql.prompt import load_template
from text2sql.rag.config import load_retrieval_config
from text2sql.run import ALL_ROWS
from text2sql.schema.linker import require_linker
from text2sql.serve.app import make_app
from text2sql.serve.batcher import Asking
from text2sql.serve.config import TOKEN_VARIABLE, ServeConfig
from text2sql.serve.database import LiveDatabase, url_secrets
from text2sql.serve.examples import ExampleFinder, require_answerable
from text2sql.serve.llama_server import LlamaServer
from text2sql.serve.logs import set_up_logs
from text2sql.serve.mcp_server import PATH
from text2sql.serve.mcp_stdio import protocol_streams, serve_stdio
from text2sql.serve.service import Service
from text2sql.stage import Graph
from text2sql.train.stage import model_of

MAX_CONNECTIONS = 1000
# Longer than clients keep an idle connection (httpx: 5), or they would ask on one just closed.
KEEP_ALIVE_SECONDS = 30
VLLM_ENVIRONMENT = "vllm"  # where profiles for CPUs name none


def serve_profile(run: dict[str, Any], **options: Any) -> None:
    """Load the model and the database, then serve over HTTP until told to stop.

    Args:
        run: options that select a run; its profile says how prompts look.
        options: those of `load_service`.

    Raises:
        UserError: see `load_service`; or the port is taken.
    """
    serve(load_service(run, **options))


def mcp_profile(run: dict[str, Any], transport: str, **options: Any) -> None:
    """Load the model and the database, then answer MCP clients until told to stop.

    Args:
        run: options that select a run; its profile says how prompts look.
        transport: ``stdio``, or ``http``: the web service, which answers at ``/mcp``.
        options: those of `load_service`.

    Raises:
        UserError: see `load_service`; or there is no database to ask.
    """
    if transport == "http":
        serve_profile(run, **options)
        return
    with protocol_streams() as streams:
        service = load_service(run, **options, listens=False)
        if service.database is None:
            service.close()
            raise UserError("MCP clients ask a database; name it with --db-url or DB_URL")
        _set_up_logs(service.config)
        click.echo("text2sql: MCP on stdin and stdout (Ctrl-C stops)", err=True)
        try:
            asyncio.run(serve_stdio(service, *streams))
        finally:
            service.close()


def load_service(
    run: dict[str, Any],
    *,
    model: Path | None,
    engine: str | None,
    infer: str | None,
    server_url: str | None,
    server_model: Sequence[str],
    config: Path | None,
    listens: bool = True,
    **settings: Any,
) -> Service:
    """Return the service of a model and a database.

    Args:
        run: options that select a run; its profile says how prompts look.
        model: model folder or GGUF file.
        engine: name of the inference engine.
        infer: decoding settings.
        server_url: address of an OpenAI-compatible server, for engine ``openai``.
        server_model: the model's name there; further ones may be asked for by requests.
        config: YAML file of a `ServeConfig`.
        listens: whether it will listen on a port, which must then be free.
        settings: keys of `ServeConfig` that replace those of the file.

    Raises:
        UserError: a setting is wrong, the port is taken, model or database cannot be opened.
    """
    graph = select_run(**run)
    profile = graph.run.profile
    data = data_config(graph.run)
    serving = serve_config(config, settings | {"models": server_model[1:]}, data)
    if listens:
        require_free(serving.host, serving.port)
    decoding = infer_config(profile, engine, infer, server_url, next(iter(server_model), None))
    if decoding.engine == "vllm":
        if find_spec("vllm") is None:
            model = model or _profile_model(run, graph, decoding.engine)
            _go_on_in(profile.machine.environments.infer or VLLM_ENVIRONMENT)
        # People who ask one at a time are served by one copy.
        decoding = decoding.model_copy(update={"data_parallel_size": 1})
    # First what fails fast; loading a model, or even training it, takes its time.
    if serving.linker:
        require_linker(resolve(serving.linker))
    database = LiveDatabase(serving) if serving.db_url else None
    finder = _example_finder(serving.retrieval, run) if serving.retrieval else None
    model = model or _profile_model(run, graph, decoding.engine)
    name = decoding.server.model if decoding.server else model.resolve().name
    template = load_template(profile.model.template, model)
    asking = Asking(template, data.system, serving.schema_style)
    server = None
    # What shapes each token by its own rules is done in this process alone.
    rules = decoding.decoding
    by_token = rules.grammar or rules.scope
    if decoding.engine == "llama.cpp" and serving.llama_server and not by_token:
        model = find_gguf(model)
        server = LlamaServer(model, decoding)
        decoding = server.asked_by(decoding)
    try:
        loaded = load_engine(model, decoding, template.stop_words, graph.run.machine.device)
        return Service(loaded, decoding, asking, name, serving, database, finder, server)
    except BaseException:
        if server:
            server.close()
        raise


def _go_on_in(environment: str) -> None:
    """Go on as the same command in the environment that has vLLM, since this one has not.

    Raises:
        UserError: that environment is not there.
    """
    python = environment_python(environment)
    click.echo(f"text2sql: going on in {shown(python.parents[1])}, which has vLLM", err=True)
    os.execv(python, [str(python), "-m", "text2sql", *sys.argv[1:]])


def serve(service: Service) -> None:
    """Serve until SIGINT or SIGTERM; running requests are finished first."""
    config = service.config
    _set_up_logs(config)
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{host}:{config.port}"
    click.echo(f"text2sql: {address}/, for MCP {address}{PATH} (Ctrl-C stops)", err=True)
    server = uvicorn.Server(server_settings(config, make_app(service)))
    try:
        server.run()
    except KeyboardInterrupt:
        return  # uvicorn has shut down in order and only passes the signal on


def _set_up_logs(config: ServeConfig) -> None:
    url = config.db_url.get_secret_value() if config.db_url else ""
    token = config.token.get_secret_value() if config.token else ""
    set_up_logs([token, *url_secrets(url)])


def server_settings(config: ServeConfig, app: Any) -> uvicorn.Config:
    """Return the web server's settings."""
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        ws="websockets-sansio",
        ws_max_size=config.max_body_bytes,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=config.shutdown_seconds,
    )


def serve_config(file: Path | None, settings: dict[str, Any], data: DataConfig) -> ServeConfig:
    """Return the settings of file, options and environment; prompts look as in the training data.

    Raises:
        UserError: a key is unknown or a value wrong.
    """
    values: dict[str, Any] = {
        "schema_style": data.schema_style,
        "samples": data.samples,
        "personal_data": False,
    }
    if data.linker:  # a model that learnt from pruned schemas is asked with such
        values |= {"linker": data.linker, "schema_budget": data.schema_budget}
    values |= read_yaml(file) if file else {}
    given = {"token": os.environ.get(TOKEN_VARIABLE)} | settings
    values |= {key: value for key, value in given.items() if value not in (None, "", ())}
    return check_config(values, ServeConfig, str(file) if file else "serve")


def infer_config(
    profile: Profile,
    engine: str | None,
    infer: str | None,
    server_url: str | None,
    server_model: str | None,
) -> InferConfig:
    """Return the decoding settings that the options mean.

    Raises:
        UserError: they do not go together.
    """
    if engine == "llama.cpp" and infer is None and profile.quantization:
        infer = profile.quantization.infer
    config = load_infer_config(infer or profile.infer)
    engine = engine or config.engine
    if engine == config.engine and server_url is None:
        return config
    server = None
    if engine == "openai":
        if not (server_url and server_model):
            raise UserError(
                "engine openai needs --server-url and --server-model, or --infer with a YAML file"
                " that has the key server"
            )
        server = {"base_url": server_url, "model": server_model}
    values = config.model_dump() | {"engine": engine, "server": server}
    return check_config(values, InferConfig, "serve")


def _profile_model(run: dict[str, Any], graph: Graph, engine: str) -> Path:
    """Return the profile's model, made if it is not there yet; `--row` chooses whose."""
    profile = graph.run.profile
    chosen = profile.quantization.row if profile.quantization else profile.rows[-1].name
    row = run["row"] or chosen
    run = run | {"row": None}
    if engine == "llama.cpp":
        stage = graph.select([f"quantize:{DEFAULT_TYPE}"])[-1]
    else:
        stage = model_of(graph, graph.run.row(row))
    bring_up_to_date([stage.name], **run)
    return stage.output


def _example_finder(name: str, run: dict[str, Any]) -> ExampleFinder:
    """Open the knowledge base that a rag config names, made if it is not there yet."""
    config = load_retrieval_config(name)
    require_answerable(config)
    run = run | {"row": None, "rows": ALL_ROWS}
    graph = select_run(**run)
    stage = graph.get(f"knowledge-base:{config_name(config.knowledge_base)}")
    if stage is None:
        there = [key.partition(":")[2] for key in graph if key.startswith("knowledge-base:")]
        raise UserError(
            f"{name}: no row of profile '{graph.run.profile.name}' uses knowledge base"
            f" '{config.knowledge_base}'; those in use: {', '.join(there) or 'none'}"
        )
    bring_up_to_date([stage.name], **run)
    questions = stage.inputs["data"].output / QUESTIONS
    device = graph.run.machine.device
    return ExampleFinder(config, stage.config, stage.output, questions, device)
