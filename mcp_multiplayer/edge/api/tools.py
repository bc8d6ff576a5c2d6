"""Operations as MCP tools, both protocol eras on one endpoint.

FastMCP keeps what it is good at (lists, schemas, both eras, transports); what it hands on of
``tools/call`` (`mcp_call` answers most by itself) goes to our dispatch directly, which is three
times faster than through FastMCP's tool wrappers (`benchmarks/`) and gives both projections the
same errors. No output schemas: they triple the tokens a model pays for the list.

The seams used here are not public in FastMCP 4.1: the low-level server (``_mcp_server``), its
look-up of input schemas, without which every modern call lists all tools, and what it declares of
itself. `tests/edge/api/test_tools.py` and `test_protocol.py` fail when an upgrade moves them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from fastmcp import FastMCP
from fastmcp.server.low_level import LowLevelServer
from fastmcp.tools.base import Tool, ToolResult
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    Icon,
    ServerCapabilities,
    ToolAnnotations,
)
from mcp_types import Tool as MCPTool

from mcp_multiplayer.edge import product
from mcp_multiplayer.edge.api import prompts, resources
from mcp_multiplayer.edge.api.dispatch import Dispatch, Operation
from mcp_multiplayer.edge.api.guides import INSTRUCTIONS
from mcp_multiplayer.edge.api.mcp_call import answer, result_of
from mcp_multiplayer.edge.identity import Identify

log = logging.getLogger(__name__)


class _Listed(Tool):
    """A tool as it is listed; calls do not come this way."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        raise NotImplementedError("tools/call is answered by our own handler")

    def to_mcp_tool(self, **overrides: Any) -> MCPTool:
        """Without FastMCP's own tags, which a model would pay for on every list."""
        return super().to_mcp_tool(**{"_meta": None, **overrides})


def server(
    website: str,
    version: str,
    dispatch: Dispatch,
    identify: Identify,
) -> FastMCP[None]:
    """Return a FastMCP server whose tools are the operations."""
    mark = Icon(src=f"{website}{product.FAVICON}", mime_type="image/svg+xml", sizes=["any"])
    mcp: FastMCP[None] = FastMCP(
        product.NAME,
        instructions=INSTRUCTIONS,
        version=version,
        website_url=website,
        icons=[mark],
    )
    schemas: dict[str, Mapping[str, Any]] = {}
    for operation in dispatch.operations.values():
        mcp.add_tool(_listed(operation))
        schemas[operation.name] = operation.schema
    prompts.offer(mcp)
    resources.offer(mcp, dispatch, identify)
    low = mcp._mcp_server
    low.title, low.description = product.NAME, product.DESCRIPTION

    async def call(
        ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult:
        assert ctx.request is not None  # calls come over HTTP only
        said, failed = await answer(
            dispatch, identify(ctx.request.scope), params.name, params.arguments or {}
        )
        meta = cast(Mapping[str, Any] | None, params.meta)  # a map open to any key
        return CallToolResult.model_validate(result_of(said, failed, meta))

    low.add_request_handler("tools/call", CallToolRequestParams, call)
    low.get_tool_input_schema = schemas.get
    _as_served(low)
    return mcp


def info(mcp: FastMCP[None]) -> dict[str, Any]:
    """What names the server in each result of the modern era."""
    return mcp._mcp_server.server_info_stamp


def _as_served(low: LowLevelServer[Any]) -> None:
    """Declare what is served. A server without sessions sends no notice of a change and no log to
    its clients, and has no pages for MCP Apps, all of which FastMCP declares."""
    low.notification_options = NotificationOptions()
    low._request_handlers.pop("logging/setLevel")
    declared = low.get_capabilities

    def capabilities(*args: Any, **kwargs: Any) -> ServerCapabilities:
        return declared(*args, **kwargs).model_copy(update={"extensions": None})

    low.get_capabilities = capabilities  # type: ignore[method-assign]


def _listed(operation: Operation) -> Tool:
    """Every hint is given: what is left out counts as destructive and open to the world."""
    entry = operation.entry
    return _Listed(
        name=entry.name,
        title=entry.title,
        description=operation.description,
        parameters=dict(operation.schema),
        annotations=ToolAnnotations(
            title=entry.title,
            read_only_hint=entry.read_only,
            destructive_hint=entry.destructive,
            idempotent_hint=entry.read_only or entry.idempotent,
            open_world_hint=entry.open_world,
        ),
    )
