"""Who sees what: the one filter between the log and every reader.

On the other side are members who must not see each other's private words. Every
message leaves the server through `open_for`; without an opening that was kept for
the reader, a private body is what the log holds: its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from mcp_multiplayer.channel.events import (
    Admin,
    Ask,
    Attach,
    Close,
    Detach,
    Event,
    Handover,
    Join,
    Leave,
    Msg,
    Offer,
    Propose,
    Rename,
    Restored,
    Run,
    Takeover,
    Unseal,
)
from mcp_multiplayer.channel.model import Bot, Channel, Slot

#: What the server keeps to open one private message: {"": [salt, body]} for a whole body,
#: {name: [salt, value]} for named values (RFC 9901 disclosures in parts).
Opening: TypeAlias = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Message:
    """One message as members count them. ``body`` is what everybody may see."""

    id: int
    entry: int
    sender: str  #: a player id, ``bot:<id>`` or ``system``
    kind: str
    body: Mapping[str, Any]
    ts: int  #: ms since the epoch
    to: tuple[str, ...] | None = None
    opening: Opening | None = None  #: what opened it, for a reader who may hold the digest to it


def count(event: Event) -> int:
    """How many messages the event is to a reader; agrees with `messages`."""
    match event:
        case Attach():
            return 3
        case Join() | Takeover() | Leave() | Admin() | Rename() | Detach() | Propose():
            return 1
        case Close() | Restored() | Unseal() | Offer() | Handover():
            return 1
        case Ask():
            return event.by is not None
        case Msg():
            return 1
        case Run():
            if event.res != "ok":
                return 1
            return len(event.out) + (event.turn is not None) + (event.end is not None)
        case _:
            return 0


def messages(
    channel: Channel, event: Event, *, entry: int, ts: int, first: int
) -> tuple[Message, ...]:
    """What members read of one entry. ``channel`` is any later state of the room
    (labels never change), ``first`` the id of the first message."""
    said = _said(channel, event)
    return tuple(
        Message(first + offset, entry, sender, kind, body, ts, to)
        for offset, (sender, kind, body, to) in enumerate(said)
    )


_Said: TypeAlias = tuple[str, str, Mapping[str, Any], tuple[str, ...] | None]


def _system(**body: Any) -> _Said:
    return ("system", "system", body, None)


def _said(channel: Channel, event: Event) -> list[_Said]:  # noqa: C901  a flat table of all events
    match event:
        case Attach():
            return _announced(event)
        case Join(slot):
            return [_came(channel, "joined", slot)]
        case Takeover(slot):
            return [_came(channel, "taken_over", slot)]
        case Leave(slot, deleted):
            gone = {"account": "deleted"} if deleted else {}
            return [_came(channel, "left", slot, **gone)]
        case Admin(slot, on):
            return [_system(type="admin", player_id=channel.label(slot), admin=on)]
        case Rename(name):
            return [_system(type="renamed", name=name)]
        case Detach(bot):
            return [_system(type="bots_announced", bots=[], removed=bot)]
        case Propose(slot, ops, terms):
            by = channel.label(slot)
            shown = [_brief(op) for op in ops]
            return [_system(type="change_proposed", by=by, changes=shown, terms=terms)]
        case Offer(slot, terms):
            op = {"op": "hand_over", "player_id": channel.label(slot)}
            return [_system(type="change_proposed", by="creator", changes=[op], terms=terms)]
        case Handover(slot):
            return [_system(type="handed_over", player_id=channel.label(slot))]
        case Ask(ops, by=by) if by is not None:
            return [_system(type=by, ops=ops)]
        case Close():
            return [_system(type="closed")]
        case Restored(size):
            return [_system(type="closed", reason="entries were lost", signed_size=size)]
        case Unseal(slot, bot_id, _, key):
            return [
                _system(
                    type="open_sealed",
                    player_id=channel.label(slot),
                    bot_id=bot_id,
                    opened=key is not None,
                )
            ]
        case Msg(m):
            return [(channel.label(m["s"]), m["k"], *_body(m))]
        case Run():
            return _ran(event)
        case _:
            return []


def _came(channel: Channel, what: str, slot_id: str, **more: Any) -> _Said:
    """Somebody came or went; of a spectator it says so."""
    slot = channel.slot(slot_id)
    role = {} if slot.plays else {"role": "spectator"}
    return _system(type=what, player_id=slot.label, slot_id=slot_id, **role, **more)


def _brief(op: Mapping[str, Any]) -> dict[str, Any]:
    """A proposed op as members read it: its referee without the manifest, which is announced
    when it comes; its hash stands here."""
    bot = op.get("bot")
    if bot is None:
        return dict(op)
    return {**op, "bot": {key: value for key, value in bot.items() if key != "manifest"}}


def _announced(event: Attach) -> list[_Said]:
    walls = {} if event.isolation is None else {"isolation": event.isolation}
    brief = {"bot_id": event.bot, "name": event.name, "code_hash": event.code_hash}
    library = {} if event.library is None else {"library": event.library}
    return [
        _system(type="bots_announced", bots=[brief]),
        _system(
            type="bot:attach",
            bot_id=event.bot,
            name=event.name,
            code_hash=event.code_hash,
            **library,
            manifest_hash=event.manifest_hash,
            params=event.params,
            seed_commitment=event.commit,
        ),
        _system(type="bot:manifest", bot_id=event.bot, manifest=event.manifest, **walls),
    ]


def _ran(event: Run) -> list[_Said]:
    if event.res != "ok":
        error = "FuelLimit" if event.res == "fuel" else event.res.partition(":")[2]
        return [
            _system(
                type="bot:error", bot_id=event.bot, hook=event.hook, error=error, line=event.line
            )
        ]
    said: list[_Said] = [(f"bot:{event.bot}", item["k"], *_body(item)) for item in event.out]
    if event.turn is not None:
        players = event.turn["players"]
        said.append(
            _system(
                type="turn",
                player=players[0] if players else None,
                players=players,
                deadline=event.turn.get("deadline"),
                expect=event.turn.get("expect"),
                **({"to": event.turn["to"]} if "to" in event.turn else {}),
            )
        )
    if event.end is not None:
        said.append(_system(**{**event.end, "type": "ended"}))
    return said


def _body(item: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...] | None]:
    to = tuple(item["to"]) if "to" in item else None
    return (item["b"] if "b" in item else {"sealed": item["d"]}), to


def readers(message: Message) -> frozenset[str] | None:
    """Who may see the whole body: names as in ``sender``; None means everybody."""
    return None if message.to is None else frozenset((message.sender, *message.to))


def open_for(message: Message, names: frozenset[str], opening: Opening | None) -> Message:
    """Return the message as the reader called ``names`` may see it.

    ``opening`` is what was kept for it, if anything. A reader who is not addressed gets
    the message as the log has it.
    """
    allowed = readers(message)
    if allowed is None or opening is None or not allowed & names:
        return message
    if "" in opening:
        return replace(message, body=opening[""][1], opening=opening)
    shown = {name: value for name, (_, value) in opening.items()}
    return replace(message, body={**message.body, **shown}, opening=opening)


def is_out(channel: Channel, message: Message) -> bool:
    """True when a private message is no secret of a running game: every referee that said or heard
    it has let its seed out since, and if it keeps what it hears, that was opened since; between
    players, the game is over."""
    names = (message.sender, *(message.to or ()))
    bots = [channel.bot(name[4:]) for name in names if name.startswith("bot:")]
    if not bots:
        return channel.status in ("ended", "closed")
    return all(
        bot is not None
        and bot.at <= message.entry < bot.dice.first  # it was this one, and in an epoch before
        and (not bot.keeps_sealed or message.entry < bot.kept.since)
        for bot in bots
    )


def is_disclosed(channel: Channel, message: Message) -> bool:
    """True when the log has opened what a member said to referees alone: it is no secret any more,
    and every member can read it there."""
    heard = message.to is not None and any(name.startswith("bot:") for name in message.to)
    return heard and not message.sender.startswith("bot:") and is_out(channel, message)


def author_may_read(channel: Channel, at: int, epoch: int, *, used: bool) -> bool:
    """True when the room's creator may read what the referee of attach ``at`` printed, and why it
    failed, in this epoch of its seed: while nobody else has sat down, else when that seed is out.
    ``used``: a run of the epoch stands in the log, so its seed came out when the referee went."""
    if not channel.shared:
        return True
    bot = next((bot for bot in channel.bots if bot.at == at), None)
    return used if bot is None else bot.dice.epoch > epoch


def opens(message: Message, names: frozenset[str]) -> bool:
    """True when the reader may see the whole message."""
    allowed = readers(message)
    return allowed is None or bool(allowed & names)


def view(
    channel: Channel, channel_id: str, *, mine: frozenset[str], head: Mapping[str, Any]
) -> dict[str, Any]:
    """The room's state as a caller sees it. ``mine`` are its own labels."""
    turn = channel.turn
    return {
        "channel_id": channel_id,
        "name": channel.name,
        "status": channel.status,
        "slots": [_slot(slot, mine) for slot in channel.slots],
        "turn": None
        if turn is None
        else {
            "players": list(turn.players),
            "yours": bool(mine & frozenset(turn.players)),
            "deadline": turn.deadline,
            "expect": turn.expect,
            "to": None if turn.to is None else list(turn.to),
        },
        "result": channel.result,
        "bots": [bot_item(bot) for bot in channel.bots],
        "head": dict(head),
        **({} if channel.sealed is None else {"opening": opening(channel)}),
        **({"lost": True} if channel.lost else {}),
        **({"kept": kept} if (kept := _kept(channel)) else {}),
    }


def _kept(channel: Channel) -> dict[str, Any]:
    """Who has said something in private to each referee that keeps it closed, or was told something
    by it, and who of them agrees to have it opened: labels of seats."""
    return {
        bot.id: {
            "parties": [channel.label(slot) for slot, _ in bot.kept.by],
            "agreed": [channel.label(slot) for slot, who in bot.kept.by if who in bot.kept.agreed],
        }
        for bot in channel.bots
        if bot.kept.by
    }


def opening(channel: Channel) -> dict[str, Any]:
    """Whose commitments keep the game from beginning; ``until`` in ms since the epoch."""
    waiting = [channel.label(slot) for slot in channel.unopened]
    return {"waiting_for": waiting, "until": channel.opens}


def _slot(slot: Slot, mine: frozenset[str]) -> dict[str, Any]:
    return {
        "slot_id": slot.id,
        "kind": slot.kind,
        "label": slot.label,
        "state": slot.state,
        "admin": slot.admin,
        "you": slot.kind != "bot" and slot.label in mine,
    }


def bot_item(bot: Bot) -> dict[str, Any]:
    """One item of every ``bots[]``."""
    return {
        "bot_id": bot.id,
        "name": bot.name,
        "version": bot.version,
        "code_hash": bot.code_hash,
        "manifest_hash": bot.manifest_hash,
        "params": dict(bot.params),
        "reach": dict(bot.reach),
        **({} if bot.library is None else {"library": bot.library}),
        "sealed": "kept" if bot.keeps_sealed else "opened",
    }
