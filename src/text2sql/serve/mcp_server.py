"""The tools over the Model Context Protocol, and its route of the web service, `/mcp`."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ToolEntry
from pydantic import BaseModel, ValidationError
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from text2sql import __version__
from text2sql.serve.access import local_asker
from text2sql.serve.messages import Refusal, invalid
from text2sql.serve.presence import Gone, while_asked
from text2sql.serve.service import Service
from text2sql.serve.tools import TOOLS

log = logging.getLogger("text2sql.serve")

PATH = "/mcp"
INSTRUCTIONS = (
    "Asks one database, which it can only read. list_tables and describe_table show what is there;"
    " ask writes SQL for a question; run gives the rows of a SELECT."
)
READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
MAX_ERROR_CHARACTERS = 500


def make_mcp_server(service: Service) -> Server[Any]:
    """Return what answers the protocol's messages by calling the tools on a service."""
    entries = [
        ToolEntry(
            name=name,
            description=tool.description,
            input_schema=_input_schema(tool.takes, service.models.names),
            output_schema=tool.returns.model_json_schema(mode="serialization"),
            annotations=READS,
        )
        for name, tool in TOOLS.items()
    ]

    async def list_tools(
        _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=entries)

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        return await _call(service, context, params)

    return Server(
        "text2sql",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _input_schema(takes: type[BaseModel], models: list[str]) -> dict[str, Any]:
    """Return the schema of a tool's arguments, with the models to choose from if it takes one."""
    schema = takes.model_json_schema()
    if "model" in schema["properties"]:
        if len(models) > 1:
            schema["properties"]["model"]["enum"] = [None, *models]
        else:
            del schema["properties"]["model"]
    return schema


async def _call(
    service: Service, context: ServerRequestContext[Any], params: CallToolRequestParams
) -> CallToolResult:
    """Call a tool while its asker is there; what goes wrong is a result with one line."""
    started = time.monotonic()
    request = context.request  # of HTTP; stdin has none
    asker = request.state.asker if request else local_asker(secrets.token_hex(8))
    gone = request.state.gone if request else asyncio.Event()
    outcome = "cancelled"
    try:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise Refusal(404, "not_found", f"no such tool; there are {', '.join(TOOLS)}")
        arguments = tool.takes.model_validate(params.arguments or {})

        async def work() -> BaseModel:
            return await tool.call(service, arguments, asker)

        result = await while_asked(work(), gone.wait())
        outcome = "done"
        return _success(result)
    except ValidationError as error:
        outcome = "invalid_request"
        return _failure(invalid(error.errors()))
    except Refusal as refusal:
        outcome = "gone" if isinstance(refusal, Gone) else "refused"
        return _failure(refusal)
    except Exception:
        outcome = "defect"
        log.exception("tool %s failed", params.name[:50])
        return _failure(Refusal(500, "defect", "a defect of the service; see its log"))
    finally:
        fields = {
            "request_id": asker.request_id,
            "tool": params.name[:50],
            "outcome": outcome,
            "seconds": round(time.monotonic() - started, 4),
            "client": asker.client,
        }
        log.info("tool", extra={"fields": fields})


def _success(result: BaseModel) -> CallToolResult:
    content = result.model_dump(mode="json")
    text = json.dumps(content, ensure_ascii=False)  # for clients that know no structured content
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content)


def _failure(refusal: Refusal) -> CallToolResult:
    line = " ".join(refusal.detail.split())[:MAX_ERROR_CHARACTERS]
    return CallToolResult(content=[TextContent(type="text", text=line)], is_error=True)


class McpRoute(Route):
    """The protocol over streamable HTTP; `sessions.run()` must be entered while it serves.

    Hosts, origins and tokens are the guard's business, as for every other path. GET, by which a
    client waits for messages that answer no request, is refused: there are none.

    Args:
        service: what the tools are called on.
    """

    def __init__(self, service: Service) -> None:
        self.sessions = StreamableHTTPSessionManager(
            app=make_mcp_server(service),
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=service.config.max_body_bytes,
        )
        super().__init__(PATH, _Endpoint(self.sessions), methods=["POST", "DELETE"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether a request is ours, and which route it takes, for the guard's counters."""
        match, child = super().matches(scope)
        return match, {**child, "route": self} if child else child


class _Endpoint:
    """Hands requests to the sessions, and tells their tools when the client is gone."""

    def __init__(self, sessions: StreamableHTTPSessionManager) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = scope["state"]["gone"] = asyncio.Event()

        async def watched() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.set()
            return message

        await self._sessions.handle_request(scope, watched, send)
