"""The FastAPI app: routes around the service."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from text2sql import __version__
from text2sql.schema import Schema, render_schema
from text2sql.schema.text import parse_schema
from text2sql.serve import results
from text2sql.serve.guard import Guard
from text2sql.serve.jobs import watch_jobs
from text2sql.serve.mcp_server import McpRoute
from text2sql.serve.messages import Accepted, Answer, Ask, Refusal, error_answer, invalid
from text2sql.serve.presence import hung_up, while_asked
from text2sql.serve.service import Service
from text2sql.serve.stream import converse

STATIC = str(files("text2sql.serve") / "static")
PAGES = {"/": "index.html", "/results": "results.html", "/docs": "docs.html"}
DESCRIPTION = "Questions in plain words to checked SQL. Errors are {error: {kind, message}}."


class SchemaText(BaseModel):
    """A schema as text."""

    db_schema: str


def make_app(service: Service) -> FastAPI:
    """Return the app of a service; the service is closed when the app shuts down."""
    mcp = McpRoute(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.sessions.run():
            yield
        await asyncio.to_thread(service.close)  # what was cut off is told so meanwhile

    app = FastAPI(
        title="text2sql",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's own pages load their scripts from another host; /docs is ours.
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Guard, config=service.config, metrics=service.metrics, access=service.access)
    _handle_errors(app)
    _add_questions(app, service)
    _add_operations(app, service)
    app.router.routes.append(mcp)
    _add_pages(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)  # what is refused here is of that kind as well
    async def on_refusal(request: Request, error: HTTPException) -> JSONResponse:
        return error_answer(error, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_answer(invalid(error.errors()), request.state.request_id)

    @app.exception_handler(Exception)
    async def on_defect(request: Request, error: Exception) -> JSONResponse:
        defect = Refusal(500, "defect", "a defect of the service; see its log")
        return error_answer(defect, request.state.request_id)


def _add_questions(app: FastAPI, service: Service) -> None:
    @app.post("/text2sql")
    async def text2sql(ask: Ask, request: Request) -> Answer:
        """Answer a question with SQL, and with the rows it returns where `execute` is set."""
        answer = service.ask(ask, request.state.asker)
        return await while_asked(answer, hung_up(request.receive))

    @app.post("/accepted")
    async def accept(given: Accepted, request: Request) -> dict[str, bool]:
        """Keep an answer that was found right, or put right, as a training pair."""
        await service.accept(given, request.state.asker)
        return {"kept": True}

    @app.get("/schema")
    def schema(request: Request) -> dict[str, Any]:
        """The configured database's schema, as M-Schema and as JSON."""
        return describe(service.schema_for(request.state.asker))

    @app.post("/schema")
    def read_schema(given: SchemaText) -> dict[str, Any]:
        """A schema given as text, as M-Schema and as JSON."""
        most = service.config.max_schema_characters
        if len(given.db_schema) > most:
            raise Refusal(413, "too_long", f"db_schema: {most} characters are allowed")
        parsed = parse_schema(given.db_schema)
        if parsed is None:
            raise Refusal(422, "invalid_request", "no tables were recognised in db_schema")
        return describe(parsed)

    @app.websocket("/ws/text2sql")
    async def stream(socket: WebSocket) -> None:
        await converse(socket, service)

    @app.websocket("/ws/jobs")
    async def jobs(socket: WebSocket) -> None:
        await watch_jobs(socket, service.access)


def describe(schema: Schema) -> dict[str, Any]:
    """Return a schema as JSON, with its M-Schema text."""
    return {
        "db_id": schema.db_id,
        "m_schema": render_schema(schema, "m-schema"),
        "tables": [
            {
                "name": table.name,
                "columns": [
                    {"name": column.name, "type": column.type, "primary_key": column.primary_key}
                    for column in table.columns
                ],
            }
            for table in schema.tables
        ],
        "foreign_keys": [dataclasses.asdict(key) for key in schema.foreign_keys],
    }


def _add_operations(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    def health() -> JSONResponse:
        """Whether questions are being answered; 503 when not."""
        alive = service.alive
        state = {"status": "ok" if alive else "failed", "model": service.models.usual(None)}
        return JSONResponse(state, 200 if alive else 503)

    @app.get("/info")
    def info(request: Request) -> dict[str, Any]:
        """What is served: model, database, limits."""
        config, database, asker = service.config, service.database, request.state.asker
        name = service.schema_for(asker).db_id if database else None
        return {
            "model": service.models.usual(name),
            "models": service.models.names,
            "version": __version__,
            "database": name,
            "executes": bool(database and database.executes and asker.rights.run),
            "accepts": service.accepted.allows(asker),
            "max_question_characters": config.max_question_characters,
            "max_schema_characters": config.max_schema_characters,
            "max_rows": config.max_rows,
            "query_seconds": config.query_seconds,
            "request_seconds": config.request_seconds,
        }

    @app.get("/metrics")
    def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")


def _add_pages(app: FastAPI) -> None:
    runs = "The runs there are records of, with their tables."
    app.get("/api/results", description=runs)(results.list_runs)
    row = "Every question of a row of a results table: gold, prediction, verdict, error class."
    app.get("/api/results/{run}/{row}", description=row)(results.questions)

    def add(path: str, name: str) -> None:
        @app.get(path, include_in_schema=False)
        def page() -> FileResponse:
            return FileResponse(f"{STATIC}/{name}")

    for path, name in PAGES.items():
        add(path, name)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
