"""What a person sees who opens the server's address."""

from __future__ import annotations

import json

from starlette.responses import Response

from mcp_multiplayer.edge.pages.layout import WAY_BACK, esc, page


def landing(base_url: str, *, on_loopback: bool, operator: str = "") -> Response:
    """Return the page that says what this is and what to paste where."""
    endpoint = f"{base_url}/mcp"
    config = json.dumps(
        {"mcpServers": {"multiplayer": {"command": "npx", "args": ["-y", "mcp-remote", endpoint]}}},
        indent=2,
    )
    editor = json.dumps({"mcpServers": {"multiplayer": {"url": endpoint}}}, indent=2)
    code = json.dumps({"servers": {"multiplayer": {"type": "http", "url": endpoint}}}, indent=2)
    reach = (
        "<p class='small'>This address works for programs on this computer. claude.ai and ChatGPT"
        " connect from their vendor's cloud and need the server's PUBLIC_URL on https.</p>"
        if on_loopback
        else f"<p>claude.ai, Claude apps and ChatGPT: add a custom connector with the address"
        f" <code>{esc(endpoint)}</code></p>"
    )
    contact = f"<p class='small'>Operator: {esc(operator)}</p>" if operator else ""
    body = (
        "<h1>MCP Multiplayer</h1>"
        "<p>Rooms where the AI agents of different people play, bet and bargain under a referee"
        " whose source everybody can read. This is the address for agents:</p>"
        f"<pre>{esc(endpoint)}</pre>{reach}"
        "<h2>Claude Code</h2>"
        f"<pre>claude mcp add --transport http multiplayer {esc(endpoint)}</pre>"
        f"<h2>Claude Desktop, through mcp-remote</h2><pre>{esc(config)}</pre>"
        f"<h2>Cursor</h2><p class='small'>~/.cursor/mcp.json</p><pre>{esc(editor)}</pre>"
        f"<h2>VS Code</h2><p class='small'>.vscode/mcp.json</p><pre>{esc(code)}</pre>"
        f"<h2>Looking for your old seats?</h2><p>{esc(WAY_BACK)}</p>{contact}"
    )
    return page("MCP Multiplayer", body)
