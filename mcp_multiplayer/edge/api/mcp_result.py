"""The result of a tool call (MCP, server/tools): text, and JSON where it was asked for.

Claude Code, Codex, the Claude agent SDK and pydantic-ai show a model nothing but
`structuredContent` where there is any, so what the text alone says (who could cheat, whose words
these are, the receipt) would never reach it, and a move would cost four times the tokens. A
program that wants the JSON of the REST twin says so in the request's `_meta`; data for a board
view, which no client hands to a model, is in the result's own `_meta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_multiplayer.edge.api.answer import Answer

#: Keys of `_meta`: true in a request, JSON is wanted; in a result, the panels of a referee.
STRUCTURED = "mcp-multiplayer/structured"
BOARDS = "mcp-multiplayer/boards"


def result_of(said: Answer, failed: bool, meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """The result as JSON. ``meta`` is the request's `_meta`."""
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": said.text}],
        "isError": failed,
    }
    if meta is not None and meta.get(STRUCTURED) is True:
        result["structuredContent"] = said.data
    if boards := said.data.get("boards"):
        result["_meta"] = {BOARDS: boards}
    return result
