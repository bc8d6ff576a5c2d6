"""What the manager's operations come to. Values; the edge turns them into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.service.messages import Page
from mcp_multiplayer.service.replica import Replica


@dataclass(frozen=True)
class Seat:
    """A caller in a room: whose eyes look and whose mark moves."""

    room: Replica
    slot: Slot

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.slot.label})


@dataclass(frozen=True)
class Joined:
    seat: Seat
    rejoin_token: str
    page: Page


@dataclass(frozen=True)
class Posted:
    seat: Seat
    msg_id: int
    ts: int  #: ms since the epoch
    page: Page
    pending: bool  #: the referees have not finished with it yet
    cut: bool = False  #: it would still wait, but the server is about to end


@dataclass(frozen=True)
class Synced:
    seat: Seat
    page: Page
    waited: float  #: seconds
    empty_waits: int  #: in a row, this one included
    cut: bool = False  #: it would still wait, but the server is about to end


@dataclass(frozen=True)
class Updated:
    room: Replica
    invites: Mapping[str, str]  #: label -> fresh code
    proposed: bool  #: it waits for everybody's consent
