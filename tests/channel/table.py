"""A room as a list in and a list out: the pure half alone, with its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.channel import decide, events, invite_codes, view
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.commands import (
    Command,
    Create,
    Expire,
    GiveUp,
    Host,
    NewBot,
    Post,
    Ran,
    TakeOver,
    TakeSeat,
    Update,
)
from mcp_multiplayer.channel.events import Event, Run
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.ops import NEED_INVITE, read_ops
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import Head, place
from tests.harness import LIMITS

NOW = 1_800_000_000_000
#: What every run has: a state that stays as it was, no dice drawn.
RECEIPT: dict[str, Any] = {"now": NOW, "st": ["s", "s"], "rng": ["kid", 0, 0]}
HOST = Host(
    "cpython-3.11.7/mpx-1", lambda _, name: f"seed of {name}", lambda origin: f"key {origin}"
)


def bot(name: str = "Judge", **fields: Any) -> NewBot:
    """A referee as `bot_manager` would hand it over."""
    given: dict[str, Any] = {
        "name": name,
        "version": "1",
        "code_hash": "sha256:" + "0" * 64,
        "manifest": {"rules": "be nice"},
        "manifest_hash": "sha256:" + "1" * 64,
        "params": {},
        "reach": {"network": False, "dice": False},
        "hooks": ("on_message",),
        "label": name.lower(),
    }
    return NewBot(**(given | fields))


@dataclass
class Table:
    """See the module. Accounts are their own ``who``; the creator is ``host``."""

    channel: Channel = field(default_factory=Channel)
    head: Head = field(default_factory=Head)
    leaves: list[bytes] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    invites: dict[str, str] = field(default_factory=dict)  #: label -> newest invite's hash
    now: int = NOW
    reissued: int = 0

    @classmethod
    def of(
        cls,
        *slots: str,
        bots: tuple[NewBot, ...] = (),
        join_as: str | None = None,
        entropy: str | None = None,
        seated: Mapping[str, str] | None = None,
        limits: Mapping[str, Any] = LIMITS,
    ) -> Table:
        """Open a room and seat ``seated`` (label -> account) one after the other."""
        made = cls()
        specs = slot_specs(slots or ("invite:alice", "invite:bob"), max_seats=LIMITS["seats"])
        made.invites = {
            slot.label: invite_codes.digest(f"inv_{slot.label}")
            for slot in specs
            if slot.kind != "bot" and slot.label != join_as
        }
        create = Create(
            origin="localhost/c/chn_test",
            name="test",
            creator="host",
            slots=specs,
            invites=made.invites,
            limits=limits,
            nonce="00",
            bots=bots,
            join_as=join_as,
            entropy=entropy,
        )
        made.happen(decide.create(create, HOST))
        for label, who in (seated or {}).items():
            made.join(who, label)
        return made

    def happen(self, what: list[Event]) -> list[Event]:
        """Append events and fold them."""
        for event in what:
            data, after = place(self.head, events.write(event), self.now)
            at = Place(self.head.size, after.ts, len(data))
            first = self.channel.messages + 1
            self.channel = evolve(self.channel, event, at)
            self.said += view.messages(self.channel, event, entry=at.entry, ts=at.ts, first=first)
            self.leaves.append(data)
            self.head = after
        return what

    def do(self, command: Command) -> list[Event]:
        return self.happen(decide.decide(self.channel, command, HOST))

    def join(self, who: str, label: str, **fields: Any) -> list[Event]:
        return self.do(TakeSeat(who, self.invites[label], self.now, **fields))

    def leave(self, who: str, label: str | None = None) -> list[Event]:
        return self.do(GiveUp(who, label))

    def take_over(
        self, who: str, label: str, generation: int = 0, entropy: str | None = None
    ) -> list[Event]:
        seat = self.channel.seat(label)
        assert seat
        return self.do(TakeOver(who, seat.id, generation, entropy))

    def post(
        self,
        who: str,
        body: Mapping[str, Any] | None = None,
        *,
        seat: str | None = None,
        kind: str = "user",
        to: tuple[str, ...] | None = None,
    ) -> list[Event]:
        body = {"text": "hi"} if body is None else body
        sealed = None if to is None else invite_codes.seal("salt", body)
        return self.do(Post(who, seat, kind, body, len(canonical(body)), to, sealed))

    def update(
        self,
        who: str,
        *ops: dict[str, Any],
        bots: Mapping[int, NewBot] | None = None,
        seat: str | None = None,
    ) -> list[Event]:
        """Ask for ops; invites and referees that they need are supplied. Returns what is carried
        out, without the request that stands before it."""
        read = read_ops(ops)
        invites = {}
        for number, op in enumerate(read):
            if op.op in NEED_INVITE:
                self.reissued += 1
                invites[number] = invite_codes.digest(f"inv_{self.reissued}")
        brought = bots or {n: bot("New") for n, op in enumerate(read) if "bot_code" in op.fields}
        happened = self.do(Update(who, seat, read, brought, invites))
        for event in happened:
            if isinstance(event, events.Invite):
                self.invites[self.channel.label(event.slot)] = event.hash
        return [event for event in happened if not isinstance(event, events.Ask)]

    def ran(self, number: int = 0, *, silent: bool = False, **fields: Any) -> list[Event]:
        """A hook of the room's bot ``number`` has come back."""
        it = self.channel.bots[number]
        given: dict[str, Any] = {"res": "ok", "out": [], "on": it.at, **RECEIPT}
        given["now"] = self.head.ts  # where its entry comes to stand
        run = Run(bot=it.id, at=it.at, hook="on_message", **(given | fields))
        return self.do(Ran(run, silent))

    def expire(self) -> list[Event]:
        """Look at the clocks."""
        return self.do(Expire(self.now))

    @property
    def types(self) -> list[str]:
        """What the server and the members have said, for short."""
        return [str(one.body.get("type", one.kind)) for one in self.said]


#: One call of each op, for rooms with these slots.
OPS: dict[str, dict[str, Any]] = {
    "set_bot": {"op": "set_bot", "bot_id": "judge", "bot_code": "…"},
    "attach_bot": {"op": "attach_bot", "bot_code": "…"},
    "remove_bot": {"op": "remove_bot", "bot_id": "judge"},
    "set_admin": {"op": "set_admin", "player_id": "alice", "admin": True},
    "yield_slot": {"op": "yield_slot", "player_id": "alice"},
    "rename": {"op": "rename", "name": "new"},
    "reissue_invite": {"op": "reissue_invite", "player_id": "carol"},
    "start": {"op": "start"},
    "close": {"op": "close"},
    "accept_change": {"op": "accept_change", "terms": "sha256:00"},
    "open_sealed": {"op": "open_sealed", "bot_id": "judge"},
    "hand_over": {"op": "hand_over", "player_id": "bob"},
}
SLOTS = ("bot:judge", "invite:alice", "invite:bob", "invite:carol")
WITH_ADMIN = ("bot:judge", "invite:alice:admin", "invite:bob", "invite:carol")
BOTH = {"alice": "A", "bob": "B"}
