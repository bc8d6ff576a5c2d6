"""Every answer says first what happened, then the messages, then turn: and log:, last next:."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.edge.api.guides import GUIDES, INSTRUCTIONS
from mcp_multiplayer.edge.api.operations.table import TABLE
from tests.edge.api.house import House, Said

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORBIDDEN = re.compile(
    r"\b(verified|proven|provabl[ey]|fair(ly|ness)?|guaranteed)\b", re.IGNORECASE
)
BIG = {"high": 10**9}  #: no guess of a test hits it
MESSAGE = re.compile(r"\[\d+\] ")


@dataclass(frozen=True)
class Game:
    """A game of GuessBot with a one-guess bet, from opening to reveal, in texts."""

    said: dict[str, Said]
    channel: str
    alice: str
    bob: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def game(house: House) -> Game:
    alice, bob = house.account(), house.account()
    said: dict[str, Said] = {}
    said["create_channel"] = await house.tool(
        alice, "create_channel", bot_preset="GuessBot", join_as="alice", bot_params=BIG
    )
    opened = said["create_channel"].data
    room = {"channel_id": opened["channel_id"]}
    link = opened["invite_links"]["bob"]
    said["inspect_invite"] = await house.tool(bob, "inspect_invite", invite_code=link)
    said["join_channel"] = await house.tool(
        bob,
        "join_channel",
        invite_code=link,
        expect_terms=said["inspect_invite"].data["terms"],
    )
    said["sync_messages"] = await house.tool(
        alice, "sync_messages", **room, cursor=opened["cursor"], until="my_turn"
    )
    said["get_channel_info"] = await house.tool(alice, "get_channel_info", **room)
    said["list_channels"] = await house.tool(alice, "list_channels")
    said["post_message"] = await house.tool(alice, "post_message", **room, body="guess 50")
    said["the end"] = await house.tool(bob, "post_message", **room, body="concede")
    said["get_bot_code"] = await house.tool(bob, "get_bot_code", **room)
    said["get_transcript"] = await house.tool(bob, "get_transcript", **room)
    said["list_bots"] = await house.tool(bob, "list_bots")
    said["help"] = await house.tool(bob, "help")
    events = [{"join": "alice"}, {"join": "bob"}, {"say": "heads", "as": "alice"}]
    said["try_bot"] = await house.tool(bob, "try_bot", bot_preset="CoinBot", events=events)
    said["health_check"] = await house.tool(bob, "health_check")
    said["leave_channel"] = await house.tool(bob, "leave_channel", **room)
    said["update_channel"] = await house.tool(
        alice, "update_channel", **room, ops=[{"op": "close"}]
    )
    other = await house.room(alice)
    said["attach_bot"] = await house.tool(
        alice, "attach_bot", channel_id=other["channel_id"], bot_preset="GuessBot"
    )
    return Game(said, room["channel_id"], alice, bob)


async def test_the_story_uses_every_operation(game: Game) -> None:
    assert game.said.keys() - {"the end"} == {entry.name for entry in TABLE}
    assert not [name for name, said in game.said.items() if said.refused]


async def test_the_last_line_and_no_other_is_the_call_to_make(game: Game) -> None:
    for name, said in game.said.items():
        outside = re.sub(r"(?ms)^(---sha256:\w+)$.*?^\1$", "", said.text)
        calls = [line for line in outside.split("\n") if line.startswith("next:")]
        assert calls == [said.lines[-1]], name


async def test_first_comes_what_happened_then_messages_then_the_state(game: Game) -> None:
    for name in ("join_channel", "post_message", "the end"):
        lines = game.said[name].lines
        kinds = ["message" if MESSAGE.match(line) else re.split(r"[:,]", line)[0] for line in lines]
        firsts = [kinds.index(kind) for kind in ("message", "log", "next")]
        assert firsts == sorted(firsts), name
        assert not MESSAGE.match(lines[0]), name


FIRST = {
    "create_channel": 'Room chn_{} "GuessBot". You are alice. Free: bob.',
    "inspect_invite": 'Invitation to chn_{} "GuessBot": you would be bob. Seated: alice. '
    "Nothing is joined yet.",
    "join_channel": 'You are bob in chn_{} "GuessBot". The game has begun.',
    "post_message": "posted [9]",
    "list_channels": "You have 1 room.",
    "leave_channel": 'You have left chn_{} "GuessBot".',
    "update_channel": 'Done: close in chn_{} "GuessBot".',
}


@pytest.mark.parametrize("name", FIRST)
async def test_the_first_line_says_what_happened(game: Game, name: str) -> None:
    assert game.said[name].lines[0] == FIRST[name].format(game.channel.removeprefix("chn_"))


async def test_whose_turn_it_is_and_what_is_expected_stand_on_lines_of_their_own(
    game: Game,
) -> None:
    assert 'turn: you\nexpect: "guess N, 1 to 1000000000"\nlog: ' in game.said["sync_messages"].text
    assert "turn: bob\nlog: " in game.said["post_message"].text  # what bob may say is for bob


async def test_who_has_the_turn_is_told_to_move_and_who_has_not_to_wait(game: Game) -> None:
    mine, theirs = game.said["sync_messages"].lines[-1], game.said["post_message"].lines[-1]
    assert re.fullmatch(
        rf'next: post_message\(channel_id="{game.channel}", body="<your move>", cursor=8, '
        r"wait_ms=45000\)",
        mine,
    )
    assert theirs == (
        f'next: sync_messages(channel_id="{game.channel}", cursor=11, until="my_turn", '
        "timeout_ms=45000)"
    )


async def test_who_has_the_turn_and_says_what_the_referee_does_not_know_is_told_so(
    house: House,
) -> None:
    table = await house.pair(bot_preset="GuessBot")
    for ask in (house.tool, house.rest):
        said = await ask(table.alice, "post_message", channel_id=table.id, body="my guess is 3")
        told = said.data["next"]
        assert told.startswith("the referee said nothing to that, so it was talk. A move is a body")
        assert 'from expect: post_message(channel_id="' in told


@pytest.mark.parametrize(
    ("who", "more"),
    [
        ("alice", {"body": "guess 0"}),  # it answered, though not with a turn
        ("alice", {"body": "you there?", "to": ["bob"]}),  # it could not hear
        ("bob", {"body": "take your time"}),  # it is not his turn
    ],
)
async def test_nobody_else_is_told_so(house: House, who: str, more: dict[str, Any]) -> None:
    table = await house.pair(bot_preset="GuessBot")
    account = {"alice": table.alice, "bob": table.bob}[who]
    said = await house.rest(account, "post_message", channel_id=table.id, **more)
    assert said.data["next"].startswith(("post_message(", "sync_messages("))


async def test_who_asks_for_another_game_is_told_how_to_wait_for_it(house: House) -> None:
    table = await house.pair(bot_preset="GuessBot")
    for who, body in ((table.bob, "concede"), (table.alice, "rematch")):
        said = await house.rest(who, "post_message", channel_id=table.id, body=body)
    again = "If another game was asked for: sync_messages waits for the others."
    assert said.data["next"].startswith("tell your user the result")
    assert said.data["next"].endswith(again)
    listen = {"channel_id": table.id, "cursor": said.data["cursor"]}
    waiting = asyncio.create_task(house.rest(table.alice, "sync_messages", **listen))
    begun = await house.rest(table.bob, "post_message", channel_id=table.id, body="rematch")
    assert begun.data["next"].startswith("post_message(")  # the next player moves first
    woken = await waiting
    while (woken.data.get("view") or {"status": "ended"})["status"] == "ended":
        assert woken.data["next"].endswith(again)  # so far it heard only bob
        listen["cursor"] = woken.data["cursor"]
        woken = await house.rest(table.alice, "sync_messages", **listen)
    assert woken.data["next"].startswith("sync_messages(")


async def test_nobody_waits_for_another_game_that_nobody_asked_for(house: House) -> None:
    table = await house.pair(bot_preset="GuessBot")
    said = await house.rest(table.bob, "post_message", channel_id=table.id, body="concede")
    seen = await house.rest(table.alice, "sync_messages", channel_id=table.id)
    last = await house.rest(
        table.alice,
        "sync_messages",
        channel_id=table.id,
        cursor=seen.data["cursor"],
        until="my_turn",
    )
    for one in (said, seen, last):
        assert one.data["next"].startswith("tell your user the result")
        assert "another game" not in one.data["next"]


async def test_after_a_game_everybody_is_told_how_to_check_it(house: House) -> None:
    table = await house.pair(bot_preset="GuessBot")
    said = await house.rest(table.bob, "post_message", channel_id=table.id, body="concede")
    seen = await house.rest(table.alice, "sync_messages", channel_id=table.id)
    for one in (said, seen):
        assert one.data["next"].endswith(
            f'get_transcript(channel_id="{table.id}"), then help("verify")'
        )


async def test_a_calls_arguments_are_those_the_caller_had(game: Game) -> None:
    terms = game.said["inspect_invite"].data["terms"]
    assert f'expect_terms="{terms}", entropy="<' in game.said["inspect_invite"].lines[-1]
    assert 'join_channel(invite_code="inv_' in game.said["inspect_invite"].lines[-1]


async def test_a_guest_is_told_who_could_cheat(game: Game) -> None:
    told = game.said["inspect_invite"].text
    power = "nobody can change the referee, or empty your seat, after you join."
    assert f"Who could cheat: {power} The operator" in told


async def test_the_end_gives_the_result_in_the_referees_words(game: Game) -> None:
    assert 'result, in the referee\'s words: {"reason":"bob conceded"' in game.said["the end"].text
    assert game.said["the end"].lines[-1].startswith("next: tell your user")


async def test_a_lost_thread_is_found_again_without_waiting(game: Game) -> None:
    assert (
        game.said["list_channels"]
        .lines[-1]
        .startswith(f'next: sync_messages(channel_id="{game.channel}", cursor=')
    )
    assert "timeout_ms=0" in game.said["list_channels"].lines[-1]


async def test_nothing_of_ours_calls_anything_verified(game: Game) -> None:
    ours = [re.sub(r"(?ms)^(---sha256:\w+)$.*?^\1$", "", said.text) for said in game.said.values()]
    ours = [re.sub(r"(?m)^\[\d+\] .*$", "", text) for text in ours]
    for text in [*ours, *GUIDES.values(), INSTRUCTIONS]:
        assert not FORBIDDEN.search(text), text


async def test_the_second_empty_wait_says_to_stop(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    wait = {"channel_id": pair.id, "cursor": pair.joined["cursor"], "timeout_ms": 1}
    first = await house.tool(pair.bob, "sync_messages", **wait)
    second = await house.tool(pair.bob, "sync_messages", **wait)
    assert first.lines[0] == f"Nothing after [{pair.joined['cursor']}]; waited 0 s."
    assert first.lines[-1].startswith("next: sync_messages(")
    assert second.lines[0].endswith("Second empty wait.")
    assert second.lines[-1].startswith("next: stop waiting. Tell your user it is alice's move")


HOUR = """
class Hour:
    def on_start(self):
        self.ctx.set_turn([self.ctx.players[0]], seconds=3600, expect="a word")
"""


async def test_how_much_time_is_left_stands_wherever_the_turn_does(house: House) -> None:
    pair = await house.pair(bot_code=HOUR)
    channel = {"channel_id": pair.id}
    left = r"(1 h|59 min( \d+ s)?) left"
    told = await house.tool(pair.alice, "sync_messages", **channel, cursor=0)
    (turn,) = [one["body"] for one in told.data["messages"] if one["body"].get("type") == "turn"]
    deadline = told.data["view"]["turn"]["deadline"]
    assert turn["deadline"] == deadline
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z", deadline)
    assert re.search(rf"^turn: you, {left}$", told.text, re.MULTILINE)
    wait = {**channel, "cursor": told.data["cursor"], "timeout_ms": 1}
    for _ in range(2):
        waited = await house.tool(pair.bob, "sync_messages", **wait)
    assert re.search(rf"^turn: alice, {left}$", waited.text, re.MULTILINE)
    assert re.search(rf"stop waiting. Tell your user it is alice's move, {left};", waited.text)
    for account, whose in ((pair.alice, "YOUR TURN, .*, your"), (pair.bob, "for alice, .*, their")):
        listed = await house.tool(account, "list_channels")
        assert listed.data["channels"][0]["deadline"] == deadline
        assert re.search(rf"{whose} clock {left}$", listed.text, re.MULTILINE)


async def test_whose_turn_it_is_is_never_told_to_stop_waiting(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    wait = {"channel_id": pair.id, "cursor": pair.joined["cursor"], "timeout_ms": 1}
    for _ in range(3):
        said = await house.tool(pair.alice, "sync_messages", **wait)
    assert said.lines[-1].startswith("next: post_message(")


async def test_a_page_that_was_cut_says_where_to_go_on(house: House) -> None:
    pair = await house.pair()
    said = await house.tool(pair.bob, "sync_messages", channel_id=pair.id, cursor=0, limit=1)
    assert "(more follow)" in said.lines
    assert said.lines[-1] == (
        f'next: there is more: sync_messages(channel_id="{pair.id}", cursor=1, timeout_ms=0)'
    )


async def test_who_holds_two_seats_finds_the_seat_in_every_call(house: House) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice")
    joined = await house.tool(host, "join_channel", invite_code=room["invites"][0])
    assert joined.lines[-1].count('seat="bob"') == 2
    listed = await house.tool(host, "list_channels")
    assert 'seat="alice"' in listed.lines[-1]


async def test_a_creator_without_a_seat_is_told_to_look_not_to_read(house: House) -> None:
    host = house.account()
    room = await house.room(host)
    listed = await house.tool(host, "list_channels")
    assert listed.lines[-1] == f'next: get_channel_info(channel_id="{room["channel_id"]}")'


async def test_who_has_nothing_to_do_is_told_so(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    await house.tool(pair.bob, "sync_messages", channel_id=pair.id, cursor=0, limit=500)
    listed = await house.tool(pair.bob, "list_channels")
    assert listed.lines[-1] == "next: nothing waits for you; tell your user."


async def test_who_has_more_rooms_is_not_told_that_nothing_waits(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    await house.room(pair.alice, join_as="alice")
    listed = await house.tool(pair.alice, "list_channels", limit=1)
    older = f'list_channels(cursor="{listed.data["cursor"]}")'
    assert listed.lines[-1] == f"next: {older}"
    further = await house.tool(pair.alice, "list_channels", cursor=listed.data["cursor"])
    assert "YOUR TURN" in further.text


async def test_a_fresh_invite_comes_with_what_to_do_with_it(house: House) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice")
    ops = [{"op": "reissue_invite", "player_id": "bob"}]
    said = await house.tool(host, "update_channel", channel_id=room["channel_id"], ops=ops)
    assert said.lines[-1] == "next: give your user the link to pass on, in full."
    assert said.data["invite_links"]["bob"] in said.lines


async def test_a_change_that_needs_consent_says_how_the_others_give_it(house: House) -> None:
    host, guest = house.account(), house.account()
    slots = ["bot:referee", "invite:alice:admin", "invite:bob"]
    room = await house.room(host, bot_preset="GuessBot", slots=slots, join_as="alice")
    await house.rest(guest, "join_channel", invite_code=room["invites"][0])
    channel = {"channel_id": room["channel_id"]}
    ops = [{"op": "set_bot", "bot_id": "referee", "bot_preset": "GuessBot", "params": {"high": 9}}]
    said = await house.tool(host, "update_channel", **channel, ops=ops)
    terms = said.data["proposed_terms"]
    assert said.lines[0] == f"Waiting for bob to accept terms {terms}."
    assert f'ops=[{{"op":"accept_change","terms":"{terms}"}}])' in said.lines[-1]
    heard = await house.tool(guest, "sync_messages", **channel, cursor=0, timeout_ms=0)
    assert heard.data["view"]["proposed"] == {"terms": terms, "waiting_for": ["bob"]}
    asked = next(line for line in heard.lines if line.startswith("proposed: "))
    assert asked.endswith(f'[{{"op":"accept_change","terms":"{terms}"}}])')
    waits = await house.tool(host, "get_channel_info", **channel)
    assert "proposed: see change_proposed; it waits for bob" in waits.lines
    ops = [{"op": "accept_change", "terms": terms}]
    done = await house.tool(guest, "update_channel", **channel, ops=ops)
    assert done.lines[0].startswith("Done: accept_change")
    assert done.data["bots"][0]["params"] == {"high": 9}
    assert "proposed" not in done.data["view"]


async def test_a_players_words_to_the_author_reach_the_creator_only(house: House) -> None:
    source = (
        "class Loud:\n"
        "    def __init__(self, ctx, params):\n        self.ctx = ctx\n"
        "    def on_message(self, msg):\n        print('heard it')\n        1 / 0\n"
        "    def on_leave(self, player):\n        self.ctx.end({'winners': []})\n"
    )
    pair = await house.pair(bot_code=source)
    heard = await house.tool(pair.bob, "post_message", channel_id=pair.id, body="x")
    assert "heard it" not in heard.text
    assert '"error":"ZeroDivisionError","line":6' in heard.text
    await house.rest(pair.bob, "leave_channel", channel_id=pair.id)
    mine = await house.tool(pair.alice, "sync_messages", channel_id=pair.id, timeout_ms=0)
    note = next(line for line in mine.lines if line.startswith("author log: "))
    assert "heard it" in note
    assert mine.data["author_log"][0]["line"] == 6
