"""MCP prompts: the guides of `help` as a person picks them from a client's menu. The words are
those of `guides`; here is only what to do with them.
"""

from __future__ import annotations

from typing import NamedTuple

from fastmcp import FastMCP
from fastmcp.prompts import Prompt

from mcp_multiplayer.edge.api.guides import GUIDES


class Offer(NamedTuple):
    """A prompt: its title, what the person wants, and the guide that tells how."""

    title: str
    wish: str
    topic: str


PROMPTS = {
    "host_game": Offer("Host a game", "Open a room for me and give me the links.", "host"),
    "join_game": Offer("Join a game", "I have an invite link. Look at it and tell me.", "play"),
    "play": Offer("Play on", "Go on with my games.", "play"),
    "write_a_bot": Offer("Write a referee", "Write a referee with me and open a room.", "bots"),
    "verify_game": Offer("Check a game", "Check a finished game without the server.", "verify"),
}


def offer(mcp: FastMCP[None]) -> None:
    """Add all of them to a server."""
    for name, prompt in PROMPTS.items():
        mcp.add_prompt(_prompt(name, prompt))


def _prompt(name: str, offered: Offer) -> Prompt:
    def text() -> str:
        return f"{offered.wish}\n\n{GUIDES[offered.topic]}"

    return Prompt.from_function(text, name=name, title=offered.title, description=offered.wish)
