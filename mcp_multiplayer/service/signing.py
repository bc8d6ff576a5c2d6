"""What only the server holds of a room's proof: seeds, signing keys, the heads it has signed.

Trusted by every member of every room: whoever has the dice key can foresee all dice that are not
revealed yet, whoever has a log key can sign heads. Both belong into the backup of the keys. The
record of signed heads must not go back with an old database: it is what notices that one came back.

A head is signed only where no hook is due (`Replica.settled_head`), after it is on the disk, and
recorded before the note leaves.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.commands import Host
from mcp_multiplayer.channel.events import Disclose, Event, Key, Msg, Restored, Reveal, Unseal
from mcp_multiplayer.channel.model import Bot, Channel
from mcp_multiplayer.sandbox.runtime import runtime
from mcp_multiplayer.service.hook_io import Epoch
from mcp_multiplayer.service.log_keys import LogKeys
from mcp_multiplayer.service.receipts import first_leaves
from mcp_multiplayer.service.replica import Replica, SignedHead, decode
from mcp_multiplayer.service.rollback_guard import Equivocation, RollbackGuard
from mcp_multiplayer.storage.base import Store
from mcp_multiplayer.transcript import checkpoint, merkle, seeds
from mcp_multiplayer.transcript.entries import b64u

log = logging.getLogger(__name__)
_BATCH = 512


class Signing:
    """See the module. ``dice_key`` is the 32 bytes that all seeds come from."""

    def __init__(self, dice_key: bytes, keyring: LogKeys, heads: RollbackGuard) -> None:
        self._dice_key = dice_key
        self.keyring = keyring
        self._heads = heads
        self.host = Host(runtime(), self._commit, self._vkey)
        self._seed = lru_cache(maxsize=4096)(self._derive)

    @classmethod
    def fresh(cls, mint: Callable[[int], bytes] = secrets.token_bytes) -> Signing:
        """Keys that die with the process, for rooms that do."""
        return cls(mint(32), LogKeys.fresh(), RollbackGuard(None))

    # --- seeds -----------------------------------------------------------------------------

    def _derive(self, origin: str, bot: str, epoch: int) -> bytes:
        text = f"mpx/seeds-of/1\n{origin}\n{bot}".encode()
        return seeds.chain_seed(hmac.digest(self._dice_key, text, "sha256"), epoch)

    def _commit(self, origin: str, bot: str) -> str:
        return seeds.commit_seed(origin, bot, 0, self._seed(origin, bot, 0))

    def epoch(self, channel: Channel, bot: Bot, on: int) -> Epoch:
        """The keys of the bot's present epoch, for a hook that entry ``on`` calls."""
        name, number = bot.dice_name, bot.dice.epoch
        seed = self._seed(channel.origin, name, number)
        return Epoch.of(seed, channel, bot, on, blinding=self._blinding(channel, bot))

    def _blinding(self, channel: Channel, bot: Bot) -> bytes | None:
        """What blinds the states of a bot that keeps what it hears; nothing that a seed tells,
        else who knows the seed could guess at a price by the state that holds it."""
        if not bot.keeps_sealed:
            return None
        text = f"mpx/blinding-of/1\n{channel.origin}\n{bot.dice_name}\n{bot.kept.nth}"
        return hmac.digest(self._dice_key, text.encode(), "sha256")

    def complete(self, room: Replica, happened: Iterable[Event]) -> list[Event]:
        """The events with every seed that comes out, and before it what was said to its bot
        in private since the last one; the last consent likewise, with what was kept until then."""
        events: list[Event] = []
        for event in happened:
            if isinstance(event, Unseal) and event.key == "":
                bot = room.channel.bot(event.bot)
                assert bot is not None
                events += self._said_to(room, bot, bot.kept.since)
                blinding = self._blinding(room.channel, bot)
                assert blinding is not None
                event = replace(event, key=b64u(blinding))
            if isinstance(event, Reveal) and not event.seed:
                bot = room.channel.bot(event.bot)
                assert bot is not None
                if bot.dice.sealed:
                    events += self._said_to(room, bot, bot.dice.first)
                seed = self._seed(room.channel.origin, bot.dice_name, event.epoch)
                event = Reveal(event.bot, event.at, event.epoch, b64u(seed))
            events.append(event)
        return events

    def _said_to(self, room: Replica, bot: Bot, start: int) -> list[Event]:
        """Openings of what was said to it in private from this entry on."""
        events: list[Event] = []
        while leaves := room.store.leaves(room.channel_id, start, _BATCH):
            start = leaves[-1].number + 1
            for leaf in leaves:
                said = decode(leaf)
                if not isinstance(said, Msg) or f"bot:{bot.id}" not in said.m.get("to", ()):
                    continue
                opening = room.opening_of(leaf.messages)
                if opening is not None:
                    salt, body = opening[""]
                    events.append(Disclose(leaf.number, salt, body))
        return events

    # --- heads -----------------------------------------------------------------------------

    def _vkey(self, origin: str) -> str:
        return self.keyring.newest.vkey(origin)

    def head(self, room: Replica) -> SignedHead:
        """The room's last head with nothing pending, signed, and recorded as such."""
        head = room.settled_head
        if room.signed is None or room.signed.size != head.size:
            root = head.root  # some hashes: once
            try:
                room.signed = SignedHead(head.size, root, self._sign(room, head.size, root))
            except OSError as error:  # a full disk, say: whoever asks next may be luckier
                log.error("no head of %s is signed: %s", room.channel_id, error)
                return SignedHead(head.size, root)
        return room.signed

    def _sign(self, room: Replica, size: int, root: bytes) -> str | None:
        key, channel = room.settled_key, room.channel
        if not size or not key or channel.lost:
            return None
        try:
            self._heads.record(room.channel_id, size, root)
            return self.keyring.checkpoint(key, channel.origin, size, root)
        except (Equivocation, LookupError) as error:
            log.error("no head of %s is signed: %s", room.channel_id, error)
            return None

    def look_at(self, room: Replica) -> None:
        """Shut a room that was just loaded and does not hold a head that was signed, so that
        nobody takes it for what it was; `chores` puts that into the log."""
        channel, here = room.channel, (room.head.size, room.head.root)
        highest = self._heads.highest(room.channel_id)
        if not channel.key or channel.lost or highest is None or highest[0] < here[0]:
            return
        if highest != here:
            told = "%s has lost entries: a head of size %d was signed, %d are here"
            log.error(told, room.channel_id, highest[0], here[0])
            room.missing = Restored(highest[0], b64u(highest[1]))
            shut = evolve(channel, room.missing, Place(room.head.size, room.head.ts))
            size, messages, weight = channel.size, channel.messages, channel.bytes
            room.channel = replace(shut, size=size, messages=messages, bytes=weight)

    def chores(self, room: Replica) -> list[Event]:
        """What has to be written down before anything else happens in a room that was just
        loaded: that entries were lost, or that heads are signed by another key from here on."""
        channel = room.channel
        if room.missing is not None:
            return [room.missing]
        if not channel.key or channel.lost or channel.status == "closed":
            return []
        if self._vkey(channel.origin) == channel.key:
            return []
        if self.keyring.by_vkey(channel.key) is None:
            log.error("the key that signs %s is not here any more", room.channel_id)
            return []
        return [Key(*self.keyring.rotation(channel.origin, channel.key))]


def pin(store: Store, channel_id: str, channel: Channel) -> str:
    """What an invite carries of the log: ``.<n>.<fingerprint>`` over its first entries, all the
    attaches of the bots that are here among them; nothing for a room without a key."""
    if not channel.key:
        return ""
    size = 1 + max((bot.at for bot in channel.bots), default=0)
    peaks: tuple[bytes, ...] = ()
    for leaf in first_leaves(store, channel_id, size):
        peaks = merkle.push(leaf.number, peaks, leaf.hash)
    root = merkle.root(peaks)
    return f".{size}.{checkpoint.invite_fingerprint(channel.key, channel.origin, size, root)}"
