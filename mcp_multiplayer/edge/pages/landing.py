"""What a person sees who opens the server's address."""

from __future__ import annotations

import json

from starlette.responses import Response

from mcp_multiplayer.edge.pages.layout import page


def landing(base_url: str, *, on_loopback: bool, operator: str = "") -> Response:
    """Return the page that says what this is and what to paste where."""
    endpoint = f"{base_url}/mcp"
    bridge = {"command": "npx", "args": ["-y", "mcp-remote", endpoint]}
    configs = (
        ("Claude Desktop, through mcp-remote", "", {"mcpServers": {"multiplayer": bridge}}),
        ("Cursor", "~/.cursor/mcp.json", {"mcpServers": {"multiplayer": {"url": endpoint}}}),
        (
            "VS Code",
            ".vscode/mcp.json",
            {"servers": {"multiplayer": {"type": "http", "url": endpoint}}},
        ),
    )
    shown = [(heading, file, json.dumps(config, indent=2)) for heading, file, config in configs]
    return page(
        "landing.html",
        endpoint=endpoint,
        on_loopback=on_loopback,
        configs=shown,
        operator=operator,
    )
