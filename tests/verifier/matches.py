"""Random honest games through the real server: what players, clocks, errors and restarts do.

`world` is a server with two sandboxes and a small internet; `match` opens a room and plays
it as its seed says. Nothing here cheats, so nobody may be accused (`test_honest_games`).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.service.bot_manager import BotManager, BotSpec
from mcp_multiplayer.service.log_keys import LogKey, LogKeys
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Store
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript.seeds import commit_member
from mcp_multiplayer.verifier.replay import Replayer
from tests.harness import BOTS_DIR, LIMITS, Clock, Mint, manager
from tests.sandbox.outside import listening, make_chain
from tests.verifier.games import ACCOUNTS, KEY, Bundle, Game, Table
from tests.verifier.wild import NETTED, WILD, WORDS

PLAYERS = ("alice", "bob", "carol", "dave")
#: What rooms of the random games allow: less, so that limits are met.
ROOM = {**LIMITS, "hook_seconds": 3, "hook_fuel": 200_000, "output_kb": 8, "body_kb": 4}
HOOK = Limits(hook_seconds=3.0, fuel=200_000, output=8 << 10)


@dataclass
class World(Table):
    """A server that can be started again on what it has kept."""

    store: Store = field(default_factory=MemoryStore)
    second: Pool | None = None
    mint: Mint = field(default_factory=Mint)
    heads: RollbackGuard = field(default_factory=lambda: RollbackGuard(None))
    keys: tuple[LogKey, ...] = (KEY,)

    def restart(self) -> None:
        """New managers, as after a crash: what was in memory is gone."""
        if hasattr(self, "channels"):
            self.channels.alarms.close()
        custody = Signing(b"d" * 32, LogKeys(*self.keys), self.heads)
        self.channels = manager(
            self.store,
            self.clock,
            self.mint,
            custody=custody,
            limits=ROOM,
            max_rooms_per_account=10_000,  # one account opens all rooms of a test
        )
        self.bots = BotManager(
            custody,
            self.pool,
            now=self.clock,
            second=self.second,
            bots_dir=BOTS_DIR,
            hooks_per_minute=100_000,
        )
        self.channels.referees = self.bots


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """A server with two sandboxes; its referees reach servers of ours and nothing else."""
    ca, tls = make_chain(directory)
    async with AsyncExitStack() as stack:
        secure = await stack.enter_async_context(listening(tls))
        plain = await stack.enter_async_context(listening(None))
        names = ("api.coinbase.com", "api.example.com", "other.example.com")
        resolve = ",".join(
            f"{name}:443=127.0.0.1:{secure.port},{name}:80=127.0.0.1:{plain.port}" for name in names
        )
        egress = read_egress("none", "80,443", resolve)
        pool = Pool(limits=HOOK, broker=Broker(egress, limits=HOOK, ca_file=ca), spares=1)
        first = await stack.enter_async_context(pool)
        second = await stack.enter_async_context(
            Pool(limits=HOOK, surroundings=ELSEWHERE, spares=1)
        )
        made = World.__new__(World)
        World.__init__(made, None, None, first, Clock(), second=second)  # type: ignore[arg-type]
        del made.channels
        made.restart()
        yield made
        await made.channels.lines.finish()
        made.channels.alarms.close()


def replayer() -> Replayer:
    """A jail with the limits of these rooms."""
    return Replayer(HOOK)


# --- one game --------------------------------------------------------------------------------


@dataclass
class Match(Game):
    """A game that a seed plays. ``accounts`` are the labels' own; they change hands."""

    rng: random.Random = field(default_factory=random.Random)
    words: Sequence[str] = ()
    accounts: dict[str, str] = field(default_factory=lambda: dict(ACCOUNTS))
    tokens: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)  #: values promised and not yet opened

    @property
    def world(self) -> World:
        assert isinstance(self.table, World)
        return self.table

    @property
    def seated(self) -> list[str]:  # type: ignore[override]
        return [slot.label for slot in self.room.channel.seated]

    async def sit(self, who: str, entropy: str | None) -> None:
        joined = await self.table.channels.join_channel(
            self.accounts[who],
            self.tokens.get(who) or self.invites[who].partition(".")[0],
            entropy=entropy,
        )
        self.tokens[who] = joined.rejoin_token

    async def speak(self, who: str, body: Any, to: Sequence[str] | None = None) -> None:
        self.table.clock.advance(self.rng.choice((0.001, 0.25, 3.0)))
        await self.table.channels.post_message(
            self.accounts[who], self.room.channel_id, body, to=to, seat=who
        )

    async def change(self, who: str, *ops: dict[str, Any], spec: BotSpec | None = None) -> None:
        bots = {0: await self.table.bots.prepare(spec, owner=Owner("A"))} if spec else {}
        await self.table.channels.update_channel(
            self.accounts[who], self.room.channel_id, read_ops(ops), bots=bots
        )

    async def ring(self) -> None:
        due = self.room.channel.next_due
        if due is not None:
            self.table.clock.at = max(self.table.clock.at, due / 1000)
            self.table.channels.lines.settle_soon(self.room)
            await self.table.channels.lines.finish()

    async def crash(self) -> None:
        await self.table.channels.lines.finish()
        self.world.restart()
        self.room = self.table.channels.room(self.room.channel_id)
        await self.table.channels.lines.finish()

    async def play(self, moves: int) -> None:
        """So many things happen, some of which the room refuses."""
        for _ in range(moves):
            if self.room.channel.status == "closed":
                return
            act = self.rng.choices([one for one, _ in ACTS], [weight for _, weight in ACTS])[0]
            try:
                await act(self)
            except MultiplayerError:
                continue

    async def finish(self) -> None:
        """Most games end: by words, by leaving, by closing the room."""
        for word in self.rng.choice((ENDINGS, ENDINGS, ())):
            for who in self.seated:
                await self._quietly(self.speak(who, word))
        if self.rng.random() < 0.3:
            for who in self.seated[1:]:
                await self._quietly(self.leave(who))
        if self.rng.random() < 0.4 and self.seated:
            await self._quietly(self.change(self.seated[0], {"op": "close"}))
            for who in self.seated:
                if (waits := self.room.channel.proposal) is not None:
                    accept = {"op": "accept_change", "terms": waits.terms}
                    await self._quietly(self.change(who, accept))

    async def _quietly(self, action: Any) -> None:
        with suppress(MultiplayerError):
            await action

    async def leave(self, who: str) -> None:
        await self.table.channels.leave_channel(self.accounts[who], self.room.channel_id, who)

    def file(self, who: str) -> Bundle:
        return self.bundle(who)


ENDINGS = ("end", "concede", "resign", "opt out", "done", "cancel")


async def _speak(game: Match) -> None:
    who, word = game.rng.choice(game.seated or ["alice"]), game.rng.choice(game.words)
    word = word.replace("#", str(game.rng.randint(1, 100)))
    bots = [f"bot:{bot.id}" for bot in game.room.channel.bots]
    to = [game.rng.choice(bots)] if bots and game.rng.random() < 0.4 else None
    await game.speak(who, word, to)


async def _chat(game: Match) -> None:
    who = game.rng.choice(game.seated or ["alice"])
    others = [f for f in game.seated if f != who]
    to = [game.rng.choice(others)] if others and game.rng.random() < 0.5 else None
    body = game.rng.choice(["hm", {"n": 1.0, "deep": [[], {"ä": "€ \U0001f600"}]}, "x" * 5000])
    await game.speak(who, body, to)


async def _ring(game: Match) -> None:
    await game.ring()


async def _crash(game: Match) -> None:
    await game.crash()


async def _rejoin(game: Match) -> None:
    """Somebody comes back with the token, perhaps from another account, perhaps saying more."""
    who = game.rng.choice(list(game.tokens))
    if game.rng.random() < 0.5:
        game.accounts[who] += "x"
    await game.sit(who, game.held.pop(who, None))


async def _open(game: Match) -> None:
    for who in list(game.held):
        await game.sit(who, game.held.pop(who))


async def _leave(game: Match) -> None:
    if len(game.seated) > 1:
        await game.leave(game.rng.choice(game.seated))


async def _manage(game: Match) -> None:
    who = game.rng.choice(PLAYERS[: len(game.tokens)])
    ops: list[dict[str, Any]] = [
        {"op": "rename", "name": f"room {game.rng.random()}"},
        {"op": "start"},
        {"op": "yield_slot", "player_id": who},
        {"op": "reissue_invite", "player_id": who},
        {"op": "set_admin", "player_id": who, "admin": game.rng.random() < 0.5},
    ]
    await game.change(game.seated[0], game.rng.choice(ops))


async def _exchange(game: Match) -> None:
    """Another referee, with everybody's consent or none."""
    bots = [bot.id for bot in game.room.channel.bots]
    code = game.rng.choice((WILD, NETTED))
    if bots and game.rng.random() < 0.6:
        op = {"op": "set_bot", "bot_id": game.rng.choice(bots), "bot_code": code}
    elif len(bots) < 3:
        op = {"op": "attach_bot", "bot_code": code}
    else:
        op = {"op": "remove_bot", "bot_id": game.rng.choice(bots)}
    spec = BotSpec(code=code) if "bot_code" in op else None
    await game.change(game.seated[0], op, spec=spec)
    for who in game.seated:
        proposal = game.room.channel.proposal
        if proposal is not None and game.rng.random() < 0.85:
            try:
                await game.change(who, {"op": "accept_change", "terms": proposal.terms})
            except MultiplayerError:
                continue


async def _unseal(game: Match) -> None:
    """Some or all agree to open what a referee keeps."""
    bots = [bot.id for bot in game.room.channel.bots if bot.kept.by]
    op = {"op": "open_sealed", "bot_id": game.rng.choice(bots or ["wild"])}
    for who in game.seated:
        if game.rng.random() < 0.8:
            with suppress(MultiplayerError):
                await game.change(who, op)


ACTS: Sequence[tuple[Callable[[Match], Any], int]] = (
    *((_speak, 60), (_chat, 8), (_ring, 7), (_crash, 3), (_rejoin, 4), (_open, 4), (_leave, 2)),
    *((_manage, 4), (_exchange, 2), (_unseal, 2)),
)

#: What the players of the shipped referees say; # is a number.
PRESETS: dict[str, Sequence[str]] = {
    "AuctionBot": ("bid #", "bid 5", "pass", "rematch"),
    "BetBot": ("accept", "accept", "number #", "yes", "no", "concede", "rematch"),
    "BlackjackBot": ("bet 10", "bet 10", "insurance", "hit", "stand", "double", "split", "stand"),
    "ChessBot": ("e4", "e5", "d4", "d5", "Nf3", "Nc6", "f3", "g4", "Qh4#", "resign", "rematch"),
    "CoinBot": ("heads", "tails", "rematch"),
    "ConnectFourBot": ("1", "2", "3", "4", "4", "drop 5", "6", "7", "rematch"),
    "DealBot": ("limit #", "limit #", "cancel", "rematch"),
    "GuessBot": ("guess #", "guess #", "guess 50", "rematch"),
    "JudgeBot": ("propose be kind", "cancel", "claim no", "fulfilled", "deny it", "rest"),
    "MemoryExchangeBot": ("opt in", "opt in", "ask what", "answer #", "release", "withhold"),
    "PriceBot": ("price", "guess #", "price ETH"),
    "RockPaperScissorsBot": ("rock", "paper", "scissors"),
    "TicTacToeBot": ("1", "2", "3", "4", "5", "6", "7", "8", "9", "rematch"),
    "TlsBot": ("check", "check api.coinbase.com", "history", "compare 00"),
    "WordBot": ("e", "a", "r", "t", "i", "n", "guess harvest", "rematch"),
    "TriviaBot": ("A", "B", "C", "D", "pass", "rematch"),
}


async def match(table: World, seed: int, preset: str | None = None, moves: int = 14) -> Match:
    """Play the game of this seed: with a shipped referee, or with ones that do everything."""
    rng = random.Random(f"match {seed}")
    specs = [BotSpec(preset="TLSBot" if preset == "TlsBot" else preset)] if preset else []
    if not specs:
        sources = rng.choice(((WILD,), (NETTED,), (WILD, NETTED), (NETTED, WILD)))
        sealed = rng.choice(("opened", "opened", "kept"))
        for code in sources:  # who keeps what it hears has no network
            about = {"label": "wild", "sealed": "opened" if code is NETTED else sealed}
            specs.append(BotSpec(code=code, manifest=about if rng.random() < 0.3 else None))
    count = (
        2 if preset in ("ChessBot", "TicTacToeBot", "RockPaperScissorsBot") else rng.choice((2, 3))
    )
    admin = rng.choice(("", ":admin"))
    slots = [f"invite:{who}{admin if who == 'alice' else ''}" for who in PLAYERS[:count]]
    bots = [await table.bots.prepare(spec, owner=Owner("A")) for spec in specs]
    opener = rng.random() < 0.3
    room, invites = await table.channels.create_channel(
        "A",
        host="mp.example",
        name=f"match {seed}",
        slots=slot_specs(tuple(slots), max_seats=32),
        bots=bots,
        join_as="alice" if opener else None,
        entropy="alice opens with 00112233" if opener and rng.random() < 0.7 else None,
    )
    game = Match(table, room, dict(invites), rng=rng, words=PRESETS[preset] if preset else WORDS)
    if opener:
        game.tokens["alice"] = table.channels.own_seat(
            room,
            room.channel.seat("alice"),  # type: ignore[arg-type]
        ).rejoin_token
    await _seat(game, [who for who in PLAYERS[:count] if who in invites])
    await game.play(moves)
    await game.finish()
    await table.channels.lines.finish()
    return game


async def _seat(game: Match, players: Sequence[str]) -> None:
    """Everybody comes, with words, with a promise of words, or without."""
    for who in players:
        value = f"{who} says {game.rng.getrandbits(96):024x}"
        how = game.rng.choice(("value", "value", "promise", "none"))
        if how == "promise":
            slot = game.room.channel.seat(who)
            assert slot is not None
            promise = commit_member(game.room.channel.origin, slot.id, value)
            game.held[who] = value
            value = f"commit:{promise}"
        await game.sit(who, None if how == "none" else value)
        if game.rng.random() < 0.2:
            await game.speak(who, "early")
    if game.rng.random() < 0.8:
        await _open(game)
