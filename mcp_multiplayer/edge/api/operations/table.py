"""The table of operations: one line here, a method of the same name in `operations`.

It stands alone because the proxy reads it, too: which addresses there are is no secret, and what
is not there needs no token to be told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """How an operation is offered beside its name, signature and docstring."""

    name: str
    title: str
    method: Literal["GET", "POST"]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False  #: brings code into a room that may ask other servers
    routes: tuple[str, ...] = ()  #: REST paths other than the name


TABLE = (
    Entry("create_channel", "Open a room", "POST", open_world=True),
    Entry("inspect_invite", "Look before joining", "POST", read_only=True),
    Entry("join_channel", "Take a seat", "POST", idempotent=True),
    Entry("post_message", "Move or speak", "POST"),
    Entry("sync_messages", "Read and wait", "GET", read_only=True),
    Entry("list_channels", "My rooms", "GET", read_only=True),
    Entry("get_channel_info", "Room state", "GET", read_only=True, routes=("who",)),
    Entry("get_bot_code", "Referee source", "GET", read_only=True),
    Entry("list_bots", "Presets", "GET", read_only=True),
    Entry("try_bot", "Try a referee", "POST", read_only=True, open_world=True),
    Entry("attach_bot", "Add a referee", "POST", open_world=True),
    Entry("update_channel", "Manage a room", "POST", destructive=True, open_world=True),
    Entry("leave_channel", "Leave", "POST", destructive=True),
    Entry("get_transcript", "Evidence", "GET", read_only=True),
    Entry("help", "Help", "GET", read_only=True),
    Entry("health_check", "Server status", "GET", read_only=True),
)
