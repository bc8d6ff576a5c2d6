"""What a member was shown must be what stands in the record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.outputs import message_json
from tests.verifier.games import Game, Table, codes, states, verify
from verifier.executor import Executor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def played(server: Table) -> tuple[Game, list[dict[str, Any]]]:
    """A finished game, and all its messages as the tools return them."""
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "guess 50")
    await game.say("alice", "for your eyes only", to=["bob"])
    await game.say("bob", "concede")
    room = game.room
    names = frozenset({"bob"})
    shown = [room.shown(message, names) for message in room.messages_after(0, 500)]
    return game, [message_json(room.channel_id, message) for message in shown]


async def test_the_messages_of_the_record_are_not_objected_to(
    server: Table, jail: Executor
) -> None:
    game, shown = await played(server)
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(shown))])
    assert not codes(checked) & {"E_SHOWN", "I_ARGUMENT", "I_LINE_AHEAD"}


@pytest.mark.parametrize("name", ["body", "sender", "kind", "ts", "entry"])
async def test_another_message_than_stands_there_is_found_out(
    server: Table, jail: Executor, name: str
) -> None:
    game, shown = await played(server)
    told = next(one for one in shown if one["body"].get("type") == "judge")
    told[name] = {"type": "judge", "result": "correct"} if name == "body" else "otherwise"
    checked = verify(game.bundle(), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in codes(checked)
    assert states(checked)["SAME FOR ALL"] == "VIOLATED"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[" * 100_000, '[{"id": null}, {"id": 10000}]'])
async def test_what_is_no_list_of_its_messages_accuses_nobody(
    server: Table, jail: Executor, text: str
) -> None:
    game, _ = await played(server)
    checked = verify(game.bundle(), jail, saw=[("bob", text)])
    assert "E_SHOWN" not in codes(checked)


async def test_a_message_that_the_record_does_not_have_leaves_it_open(
    server: Table, jail: Executor
) -> None:
    game, shown = await played(server)
    invented = {**shown[-1], "id": shown[-1]["id"] + 1, "body": {"type": "ended", "winners": []}}
    checked = verify(game.bundle(), jail, saw=[("bob", json.dumps([*shown, invented]))])
    assert "I_LINE_AHEAD" in codes(checked)
    assert states(checked)["SAME FOR ALL"] == "NOT PROVEN"


@pytest.mark.parametrize("private", [True, False])
async def test_a_message_shown_to_others_than_stands_there_is_found_out(
    server: Table, jail: Executor, private: bool
) -> None:
    game, shown = await played(server)
    told = next(one for one in shown if one["sender"] == "alice" and ("to" in one) == private)
    told.update({"to": ["alice"]} if not private else {"to": ["alice", "bob"]})
    checked = verify(game.bundle(), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in codes(checked)
