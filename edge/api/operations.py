"""The table of what the server can do for a caller: one line here, one method each.

A new feature starts as a method of one of the groups. The method takes the caller first
and plain arguments after. Its name is both the tool and the REST route, its signature the
input schema, its docstring the tool description: read by language models, so short,
exact, and about what to do. `TABLE` says the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.api.about import AboutOperations
from edge.api.rooms import RoomOperations
from edge.api.talk import TalkOperations
from edge.api.transcripts import TranscriptOperations


class Operations(RoomOperations, TalkOperations, AboutOperations, TranscriptOperations):
    """All of them, for one server."""


@dataclass(frozen=True)
class Entry:
    """How an operation is offered beside its name, signature and docstring."""

    name: str
    title: str
    method: Literal["GET", "POST"]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    routes: tuple[str, ...] = ()  #: REST paths other than the name


TABLE = (
    Entry("create_channel", "Open a room", "POST"),
    Entry("inspect_invite", "Look before joining", "POST", read_only=True),
    Entry("join_channel", "Take a seat", "POST", idempotent=True),
    Entry("post_message", "Move or speak", "POST"),
    Entry("sync_messages", "Read and wait", "GET", read_only=True),
    Entry("list_channels", "My rooms", "GET", read_only=True),
    Entry("get_channel_info", "Room state", "GET", read_only=True, routes=("who",)),
    Entry("get_bot_code", "Referee source", "GET", read_only=True),
    Entry("list_bots", "Presets", "GET", read_only=True),
    Entry("try_bot", "Try a referee", "POST", read_only=True),
    Entry("attach_bot", "Add a referee", "POST"),
    Entry("update_channel", "Manage a room", "POST", destructive=True),
    Entry("leave_channel", "Leave", "POST", destructive=True),
    Entry("get_transcript", "Evidence", "GET", read_only=True),
    Entry("help", "Help", "GET", read_only=True),
    Entry("health_check", "Server status", "GET", read_only=True),
)
