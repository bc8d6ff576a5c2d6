"""What a member was shown must be what stands in the record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.service.hook_io import message_json
from mcp_multiplayer.verifier import report
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Game, Table, codes, states, verify

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def played(server: Table) -> tuple[Game, list[dict[str, Any]]]:
    """A finished game, and all its messages as the tools return them."""
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "guess 50")
    await game.say("alice", "for your eyes only", to=["bob"])
    await game.say("bob", "concede")
    return game, told(game)


def told(game: Game) -> list[dict[str, Any]]:
    """All messages of a game as the tools return them to bob."""
    room, names = game.room, frozenset({"bob"})
    shown = [room.shown(message, names) for message in room.messages_after(0, 500)]
    return [message_json(room.channel_id, message) for message in shown]


async def test_the_messages_of_the_record_are_not_objected_to(
    server: Table, jail: Executor
) -> None:
    game, shown = await played(server)
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(shown))])
    assert not codes(checked) & {"E_SHOWN", "I_ARGUMENT", "I_LINE_AHEAD"}
    (saw,) = report.data(checked)["saw"]
    assert saw == {"who": "bob", "messages": len(shown), "private": 1}
    assert f"bob: {len(shown)} messages that they saw stand here so" in report.text(checked)


@pytest.mark.parametrize("name", ["body", "sender", "kind", "ts", "entry"])
async def test_another_message_than_stands_there_is_found_out(
    server: Table, jail: Executor, name: str
) -> None:
    game, shown = await played(server)
    judged = next(one for one in shown if one["body"].get("type") == "judge")
    judged[name] = {"type": "judge", "result": "correct"} if name == "body" else "otherwise"
    checked = verify(game.bundle(), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in codes(checked)
    assert states(checked)["SAME FOR ALL"] == "VIOLATED"
    said = report.data(checked)
    (finding,) = [one for one in said["findings"] if one["code"] == "E_SHOWN"]
    assert judged["id"] in finding["messages"] and not said["saw"]


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
    changed = next(one for one in shown if one["sender"] == "alice" and ("to" in one) == private)
    changed.update({"to": ["alice"]} if not private else {"to": ["alice", "bob"]})
    checked = verify(game.bundle(), jail, saw=[("bob", json.dumps(shown))])
    assert "E_SHOWN" in codes(checked)


# --- what people have to compare ---------------------------------------------------------------


async def test_a_member_who_kept_only_the_words_is_believed_as_far_as_they_go(
    server: Table, jail: Executor
) -> None:
    game, shown = await played(server)
    for kept in (("id", "body"), ("id", "sender"), ("id", "ts", "kind"), ("id",)):
        some = [{name: one[name] for name in kept} for one in shown]
        checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(some))])
        assert not codes(checked) & {"E_SHOWN", "I_ARGUMENT"}, kept
    (last,) = [one for one in some if one["id"] == shown[-1]["id"]]
    last["sender"] = "alice"
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(some))])
    assert "E_SHOWN" in codes(checked)


def answer(shown: list[dict[str, Any]]) -> str:
    """As `sync_messages` prints it, with its other lines."""
    page = [render_text.message(one) for one in shown]
    return "\n".join(
        [*page, "turn: you, 3 min left", 'expect: {"text":"[7] x: 1"}', "next: call it"]
    )


async def test_the_text_that_a_tool_printed_can_be_pasted(server: Table, jail: Executor) -> None:
    game, shown = await played(server)
    assert {"system", "alice"} < {one["sender"] for one in shown}
    for text in (answer(shown), json.dumps({"messages": shown, "cursor": 9})):
        checked = verify(game.bundle("bob"), jail, saw=[("bob", text)])
        assert not codes(checked) & {"E_SHOWN", "I_ARGUMENT", "I_LINE_AHEAD"}


HOW = [
    *("board left out", "fen left out", "board as …", "san as …"),
    *("another board", "another fen", "another field left out"),
]


@pytest.mark.parametrize("how", HOW)
async def test_a_board_may_be_left_out_of_a_printed_text_but_not_be_another(
    server: Table, jail: Executor, how: str
) -> None:
    game = await (await server.open("ChessBot")).seated()
    for who, move in (("alice", "e4"), ("bob", "e5"), ("alice", "resign")):
        await game.say(who, move)
    shown = told(game)
    row = next(one for one in shown if one["body"].get("type") == "move")
    if how.endswith(" as …"):
        row["body"][how.removesuffix(" as …")] = "…"
    elif how in ("another board", "another fen"):
        name = how.removeprefix("another ")
        row["body"][name] = row["body"][name].replace("P", "Q", 1)
    else:
        del row["body"][{"board left out": "board", "fen left out": "fen"}.get(how, "san")]
    checked = verify(game.bundle("bob"), jail, saw=[("bob", answer(shown))])
    honest = how in ("board left out", "fen left out", "board as …")
    assert ("E_SHOWN" in codes(checked)) == (not honest)


@pytest.mark.parametrize("how", ["another word", "another sender", "to others", "another turn"])
async def test_a_printed_text_that_differs_is_found_out(
    server: Table, jail: Executor, how: str
) -> None:
    game, shown = await played(server)
    lines = answer(shown).split("\n")
    place = {"another turn": '"type":"turn"'}.get(how, "guess 50")
    row = next(n for n, line in enumerate(lines) if place in line)
    old, new = {
        "another word": ("guess 50", "guess 51"),
        "another sender": ("alice", "bob"),
        "to others": (": ", " -> bob: "),
        "another turn": ('["', '["carol","'),
    }[how]
    lines[row] = lines[row].replace(old, new, 1)
    checked = verify(game.bundle("bob"), jail, saw=[("bob", "\n".join(lines))])
    assert "E_SHOWN" in codes(checked)


async def test_messages_of_another_room_accuse_nobody(server: Table, jail: Executor) -> None:
    game, _ = await played(server)
    _, elsewhere = await played(server)
    elsewhere[-1]["body"] = {"text": "said there"}
    checked = verify(game.bundle("bob"), jail, saw=[("bob", json.dumps(elsewhere))])
    assert "I_ARGUMENT" in codes(checked) and "E_SHOWN" not in codes(checked)


@pytest.mark.parametrize("text", ["turn: you", "[3] alice: guess 5", '[3] alice: "gue', "hello"])
async def test_a_text_without_a_whole_message_accuses_nobody(
    server: Table, jail: Executor, text: str
) -> None:
    game, _ = await played(server)
    checked = verify(game.bundle("bob"), jail, saw=[("bob", text)])
    assert "I_ARGUMENT" in codes(checked) and "E_SHOWN" not in codes(checked)
