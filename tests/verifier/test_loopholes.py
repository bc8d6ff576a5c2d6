"""Records that a server with every key, or a player with it, would like to see called PROVEN.

Each is forged as its author could forge it: nothing in the file is out of order, and what is wrong
with it only somebody notices who looks at the right place.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.service.bot_manager import BotSpec
from mcp_multiplayer.service.hook_io import message_json
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from tests.sandbox.outside import listening
from tests.verifier.games import (
    ALICE,
    BOB,
    Bundle,
    Game,
    Table,
    codes,
    reforge,
    states,
    table,
    verify,
    violations,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GREETER = """
class GreeterBot:
    def on_init(self):
        self.ctx.post("bot", {"text": "welcome"})
    def on_message(self, message):
        self.ctx.end({"winners": []})
"""

OTHER = """
class OtherBot:
    def on_message(self, message):
        self.ctx.end({"winners": [message["sender"]]})
"""

WHISPERER = """
class WhispererBot:
    def on_message(self, message):
        if message["body"]["text"] == "over":
            return self.ctx.end({"winners": []})
        self.ctx.post("bot", {"secret": "the king is in the cellar"}, to=[message["sender"]])
"""

ASKER = """
import requests

class AskerBot:
    def on_message(self, message):
        if message["body"]["text"] == "end":
            return self.ctx.end({"winners": []})
        self.ctx.post("bot", {"status": requests.get("http://a.example/").status_code})
"""


async def changed(game: Game, who: str, op: dict[str, Any], code: str | None = None) -> None:
    bots = {}
    if code is not None:
        bots[0] = await game.table.bots.prepare(BotSpec(code=code), owner=Owner("A"))
    await game.table.channels.update_channel(who, game.room.channel_id, read_ops([op]), bots=bots)


# --- the dice --------------------------------------------------------------------------------


async def test_a_value_is_written_down_again_where_it_no_longer_counts(
    server: Table, jail: Executor
) -> None:
    """The dice hold what the server liked; what bob gave stands under his name, only too late."""
    game = await server.open("GuessBot", slots=("invite:alice:admin", "invite:bob"))
    await game.join("alice", ALICE)
    await game.join("bob", "a value of the server's own liking")
    made = await changed_invite(game)
    await server.channels.join_channel("B", made, entropy=BOB)
    await game.say("alice", "concede")
    checked = verify(game.bundle(), jail, gave=[("bob", BOB)])
    assert "I_GAVE_LATE" in codes(checked) and states(checked)["DICE"] != "PROVEN"


async def changed_invite(game: Game) -> str:
    """Bob's seat is emptied; the code of its new invite."""
    await game.leave("bob")  # the server says so
    done = await game.update("alice", {"op": "reissue_invite", "player_id": "bob"})
    return str(done.invites["bob"]).partition(".")[0]


# --- the referee -----------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asking() -> AsyncIterator[Bundle]:
    """A finished game whose referee asked the network."""
    async with listening(None) as outside:
        egress = read_egress("none", "80", f"a.example:80=127.0.0.1:{outside.port}")
        async with table(egress=egress, twice=True) as online:
            game = await (await online.open(code=ASKER)).seated()
            for word in ("one", "two", "end"):
                await game.say("alice", word)
            yield game.bundle()


async def test_a_question_that_is_not_recorded_is_called_not_deterministic(
    asking: Bundle, jail: Executor
) -> None:
    """A replay without the answer fails in the same way: that is no proof that the hook did."""
    forged = asking.copy()
    run = next(one for one in forged.of("run") if "fx" in one)
    del run["fx"]
    run |= {"res": "error:NonDeterministic", "out": []}
    checked = verify(reforge(forged), jail)
    assert states(checked)["RULES"] != "PROVEN"


async def test_a_referee_whispers_what_it_never_said_while_its_seed_is_not_out(
    server: Table, jail: Executor
) -> None:
    """Of a second referee no seed comes out with the game's end; its digests bind nobody yet."""
    game = await server.open(code=GREETER, slots=("invite:alice:admin", "invite:bob"))
    await changed(game, "A", {"op": "attach_bot", "bot_code": WHISPERER}, WHISPERER)
    await game.seated()
    await game.say("alice", "tell me")
    forged = game.bundle()
    whisper = next(run for run in forged.of("run") if any("d" in one for one in run["out"]))
    whisper["out"][0]["d"] = b64u(bytes(32))
    forged.openings.clear()
    checked = verify(reforge(forged), jail)
    assert states(checked)["RULES"] != "PROVEN"


# --- the invite ------------------------------------------------------------------------------


async def test_a_referee_is_exchanged_under_a_player_who_is_said_to_be_the_host(
    server: Table, jail: Executor
) -> None:
    """Alone in the room, and under the account that opened it, bob is asked nothing."""
    game = await server.open(code=GREETER)
    code = game.invites["bob"].partition(".")[0]
    joined = await server.channels.join_channel("A", code)  # so it is written down
    await changed(game, "A", {"op": "set_bot", "bot_id": "greeter-bot", "bot_code": OTHER}, OTHER)
    await server.channels.join_channel("B", joined.rejoin_token, entropy=BOB)
    await game.join("alice", ALICE)
    await game.say("alice", "over")
    checked = verify(game.bundle("bob"), jail, invites=[game.invites["bob"]], me="bob")
    assert states(checked)["RULES"] != "PROVEN"


async def test_a_referee_is_exchanged_between_two_joins_of_a_seat(
    server: Table, jail: Executor
) -> None:
    """Bob's invite is used up in his name; then another referee comes, and then he."""
    game = await server.open(code=GREETER)
    code = game.invites["bob"].partition(".")[0]
    await server.channels.join_channel("A", code)
    await changed(game, "A", {"op": "yield_slot", "player_id": "bob"})
    await changed(game, "A", {"op": "set_bot", "bot_id": "greeter-bot", "bot_code": OTHER}, OTHER)
    done = await game.update("alice", {"op": "reissue_invite", "player_id": "bob"})
    await server.channels.join_channel("B", done.invites["bob"].partition(".")[0], entropy=BOB)
    await game.join("alice", ALICE)
    await game.say("alice", "over")
    checked = verify(game.bundle("bob"), jail, invites=[game.invites["bob"]], me="bob")
    assert states(checked)["RULES"] != "PROVEN"


@pytest.mark.parametrize("op", ["remove_bot", "set_admin"])
async def test_the_terms_change_otherwise_between_invite_and_join(
    server: Table, jail: Executor, op: str
) -> None:
    """An invite pins who judges and who may change it: not only who comes to sit there."""
    game = await server.open(code=GREETER)
    await changed(game, "A", {"op": "attach_bot", "bot_code": OTHER}, OTHER)
    invite = (await game.update("alice", {"op": "reissue_invite", "player_id": "bob"})).invites
    fields: dict[str, dict[str, Any]] = {
        "remove_bot": {"bot_id": "greeter-bot"},
        "set_admin": {"player_id": "alice", "admin": True},
    }
    await changed(game, "A", {"op": op, **fields[op]})
    await server.channels.join_channel("B", invite["bob"].partition(".")[0], entropy=BOB)
    await game.join("alice", ALICE)
    await game.say("alice", "over")
    checked = verify(game.bundle("bob"), jail, invites=[invite["bob"]], me="bob")
    assert states(checked)["RULES"] != "PROVEN"


async def test_a_seat_agrees_because_its_account_proposed(server: Table, jail: Executor) -> None:
    """With carol to be asked it looks like consent; of bob's there is none."""
    seats = ("invite:alice:admin", "invite:bob", "invite:carol")
    game = await server.open(code=GREETER, slots=seats)
    await game.join("alice", ALICE)
    bob = await server.channels.join_channel("B", game.invites["bob"].partition(".")[0])
    await game.join("carol", "carol says 0123456789abcdef")
    await server.channels.join_channel("A", bob.rejoin_token)  # so it is written down
    await changed(game, "A", {"op": "set_bot", "bot_id": "greeter-bot", "bot_code": OTHER}, OTHER)
    proposal = game.room.channel.proposal
    assert proposal is not None
    await game.update("carol", {"op": "accept_change", "terms": proposal.terms})
    again = game.table.channels
    await again.join_channel("B", bob.rejoin_token)
    await game.say("carol", "over")
    checked = verify(game.bundle("bob"), jail, me="bob")
    assert "I_CONSENT" in codes(checked) and states(checked)["RULES"] != "PROVEN"
    everybody = ["alice", "bob", "carol"]
    assert "I_CONSENT" not in codes(verify(game.bundle("bob"), jail, confirmed=everybody))


async def test_a_seat_is_emptied_with_the_consent_of_one_that_was_never_asked(
    server: Table, jail: Executor
) -> None:
    """Bob is said to be of alice's account, so that carol's consent seems to be the last."""
    seats = ("invite:alice:admin", "invite:bob", "invite:carol", "invite:dave")
    game = await server.open(code=GREETER, slots=seats)
    for who in ("alice", "carol", "dave"):
        await game.join(who, f"{who} says 0123456789abcdef")
    bob = await server.channels.join_channel("B", game.invites["bob"].partition(".")[0])
    await server.channels.join_channel("A", bob.rejoin_token)  # so it is written down
    op = read_ops([{"op": "yield_slot", "player_id": "dave"}])
    await server.channels.update_channel("A", game.room.channel_id, op, bots={}, seat="alice")
    assert game.room.channel.proposal is not None
    accept = {"op": "accept_change", "terms": game.room.channel.proposal.terms}
    await game.update("carol", accept)
    assert game.room.channel.players == ("alice", "carol", "bob")
    await game.say("carol", "over")
    checked = verify(game.bundle("carol"), jail, me="carol")
    assert "I_CONSENT" in codes(checked) and states(checked)["RULES"] != "PROVEN"


async def test_a_running_game_is_closed_by_one_account_that_is_said_to_hold_all_seats(
    server: Table, jail: Executor
) -> None:
    game = await server.open(code=GREETER, slots=("invite:alice:admin", "invite:bob"))
    await game.join("alice", ALICE)
    bob = await server.channels.join_channel("B", game.invites["bob"].partition(".")[0])
    await server.channels.join_channel("A", bob.rejoin_token)
    close = read_ops([{"op": "close"}])
    await server.channels.update_channel("A", game.room.channel_id, close, bots={}, seat="alice")
    assert game.room.channel.status == "closed"
    checked = verify(game.bundle("alice"), jail, me="alice")
    assert "I_CONSENT" in codes(checked) and states(checked)["RULES"] != "PROVEN"


# --- what was shown --------------------------------------------------------------------------


async def test_a_message_is_shown_that_does_not_stand_there(server: Table, jail: Executor) -> None:
    """The last word that bob read, that he has won, is in no record."""
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "concede")
    room = game.room
    shown = [
        message_json(room.channel_id, room.shown(one, frozenset({"bob"})))
        for one in room.messages_after(0, 500)
    ]
    last = {**shown[-1], "id": shown[-1]["id"] + 1, "body": {"type": "ended", "winners": ["bob"]}}
    lines = [f"alice: {len(game.bundle().entries)} {game.bundle().roots()[-1][:24]}"]
    saw = [("bob", json.dumps([*shown, last]))]
    checked = verify(game.bundle("bob"), jail, me="bob", lines=lines, saw=saw)
    assert states(checked)["SAME FOR ALL"] != "PROVEN"


@pytest.mark.parametrize("name", ["sender", "ts", "to"])
async def test_another_envelope_is_shown_than_stands_there(
    server: Table, jail: Executor, name: str
) -> None:
    """Words of carol's to bob that the record has as alice's; public ones that he took for a
    secret."""
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "a word", to=["bob"])
    await game.say("alice", "a word")
    await game.say("alice", "concede")
    room = game.room
    shown = [
        message_json(room.channel_id, room.shown(one, frozenset({"bob"})))
        for one in room.messages_after(0, 500)
    ]
    words = [one for one in shown if one["body"] == {"text": "a word"}]
    told = words[1] if name == "to" else words[0]
    told[name] = ["bob"] if name == "to" else "otherwise"
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in codes(checked)


HALF = """
class HalfBot:
    def on_message(self, message):
        self.ctx.post("bot", {"score": 3}, private={"hand": "aces"}, to=["bob"])
        self.ctx.end({"winners": []})
"""


async def test_the_public_half_of_a_private_message_is_shown_otherwise(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open(code=HALF)).seated()
    await game.say("alice", "go")
    room = game.room
    shown = [
        message_json(room.channel_id, room.shown(one, frozenset({"bob"})))
        for one in room.messages_after(0, 500)
    ]
    saw = [("bob", json.dumps(shown))]
    assert not violations(verify(game.bundle("bob"), jail, saw=saw))
    hand = next(one for one in shown if "score" in one["body"])
    assert hand["body"]["hand"] == "aces"
    hand["body"]["score"] = 300
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in violations(checked)


HIDDEN = """
class HiddenBot:
    def on_message(self, message):
        dice = getattr(self.ctx, "ran" + "dom")
        number = dice.randint(1, 1000)
        self.ctx.post("bot", {"number": number})
        if message["body"]["text"] == "over":
            self.ctx.end({"winners": []})
"""


async def test_a_draw_is_passed_to_the_next_by_a_hook_that_was_killed(
    server: Table, jail: Executor
) -> None:
    """Its source does not show that it draws, so nothing warned of the choice between two."""
    game = await (await server.open(code=HIDDEN)).seated()
    for word in ("one", "over"):
        await game.say("alice", word)
    forged = game.bundle()
    one, over = forged.of("run")
    assert not forged.of("attach")[0]["reach"]["dice"]
    over["out"] = one["out"]
    over["rng"] = one["rng"]
    one |= {"res": "killed:TimeLimit", "out": [], "rng": [*one["rng"][:2], 0]}
    checked = verify(reforge(forged), jail)
    assert not violations(checked) and "I_LIMIT" in codes(checked)
    assert states(checked)["DICE"] == "NOT PROVEN"
