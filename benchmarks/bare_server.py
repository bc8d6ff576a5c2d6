"""The reference: a FastMCP server as its documentation shows it, with one tool that does nothing.

Default settings throughout. The tool has `post_message`'s signature, so both servers
validate the same arguments.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

from fastmcp import FastMCP
from pydantic import Field


def server() -> FastMCP[None]:
    mcp: FastMCP[None] = FastMCP("bare")

    @mcp.tool
    async def post_message(
        channel_id: Annotated[str, Field(description="chn_…")],
        body: str | dict[str, Any],
        cursor: Annotated[int | None, Field(description="last cursor you were given")] = None,
        wait_ms: Annotated[int, Field(ge=0, le=45_000)] = 0,
        to: list[str] | None = None,
        kind: str = "user",
        seat: Annotated[str | None, Field(description="only if you hold several")] = None,
        idempotency_key: Annotated[str | None, Field(max_length=200)] = None,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
    ) -> None:
        """Does nothing."""

    return mcp


if __name__ == "__main__":
    server().run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
