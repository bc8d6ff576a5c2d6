"""Opening, entering and changing a room: what each argument of the contract means."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.edge.api.house import PUBLIC, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.params = params
    def on_message(self, msg):
        self.ctx.post('bot', {'echo': msg['body'], **self.params})
"""
ITEM = {"name": "GuessBot", "version": "1.0", "code_ref": "builtin://GuessBot"}


def labels(room: dict[str, Any], kind: str = "invite") -> list[str]:
    return [slot["label"] for slot in room["view"]["slots"] if slot["kind"] == kind]


# create_channel


@pytest.mark.parametrize(
    "arguments",
    [
        {"bot_preset": "GuessBot", "bot_code": ECHO},
        {"bot_preset": "GuessBot", "bots": [ITEM]},
        {"bot_code": ECHO, "bots": []},
    ],
)
async def test_preset_code_and_bots_exclude_each_other(
    house: House, arguments: dict[str, Any]
) -> None:
    said = await house.rest(house.account(), "create_channel", **arguments)
    assert (said.status, said.refused) == (400, "INVALID_REQUEST")
    assert "exclude each other" in said.data["message"]


@pytest.mark.parametrize("field", ["manifest", "params"])
@pytest.mark.parametrize("name", ["create_channel", "attach_bot"])
async def test_a_referee_that_fits_no_entry_of_the_log_is_too_large(
    house: House, name: str, field: str
) -> None:
    host, long = house.account(), {field: {"note": "x" * 70_000}}
    how: dict[str, Any] = {"bots": [{"inline_code": ECHO, **long}]}
    if name == "attach_bot":
        how = {"channel_id": (await house.room(host))["channel_id"], "bot_code": ECHO, **long}
    said = await house.rest(host, name, **how)
    assert (said.status, said.refused) == (413, "TOO_LARGE")
    assert "65,535 bytes" in said.data["message"]
    assert field in said.data["message"]


async def test_without_anything_a_room_has_two_seats_and_no_referee(house: House) -> None:
    room = await house.room(house.account())
    assert (labels(room), room["bots"]) == (["alice", "bob"], [])


async def test_a_preset_alone_brings_its_slot_and_its_seats(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot")
    assert labels(room, "bot") == ["guess-referee"]
    assert labels(room) == list(room["invite_links"]) == ["alice", "bob"]


async def test_code_alone_brings_a_slot_named_after_its_class(house: House) -> None:
    room = await house.room(house.account(), bot_code=ECHO.replace("Echo", "EchoBot"))
    assert labels(room, "bot") == ["echo-bot"]


async def test_a_preset_without_a_bot_slot_gets_one(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot", slots=["invite:x", "invite:y"])
    assert labels(room, "bot") == ["guess-referee"]


async def test_a_preset_may_be_named_as_code_ref_too(house: House) -> None:
    room = await house.room(house.account(), bot_preset="builtin://GuessBot")
    assert room["bots"][0]["name"] == "GuessBot"


async def test_params_reach_the_referee_and_its_terms(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot", bot_params={"high": 7})
    assert room["bots"][0]["params"] == {"high": 7}


async def test_params_without_a_referee_are_refused(house: House) -> None:
    said = await house.rest(house.account(), "create_channel", bot_params={"high": 7})
    assert said.refused == "INVALID_REQUEST"


async def test_join_as_takes_a_seat_that_slots_name(house: House) -> None:
    slots = ["bot:r", "invite:alice", "invite:bob"]
    room = await house.room(house.account(), slots=slots, join_as="bob")
    assert (room["player_id"], room["slot_id"]) == ("bob", "s2")
    assert list(room["invite_links"]) == ["alice"]
    assert room["rejoin_token"].startswith("rejoin_")


async def test_join_as_renames_the_first_seat_that_nobody_named(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot", join_as="zoe")
    assert labels(room) == ["zoe", "bob"]


async def test_join_as_a_seat_that_slots_do_not_have_is_refused(house: House) -> None:
    said = await house.rest(
        house.account(), "create_channel", slots=["invite:alice"], join_as="zoe"
    )
    assert said.refused == "INVALID_REQUEST"
    assert "alice" in said.data["hint"]


async def test_a_seat_taken_at_once_gets_what_joining_gives(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice")
    again = await house.rest(host, "join_channel", invite_code=room["rejoin_token"])
    same = ("channel_id", "slot_id", "player_id", "rejoin_token")
    assert [room[key] for key in same] == [again.data[key] for key in same]
    assert room["messages"][0]["body"]["type"] == "bots_announced"
    assert room["cursor"] == room["messages"][-1]["id"]


async def test_invites_are_codes_and_links_in_slot_order(house: House) -> None:
    room = await house.room(house.account(), slots=["invite:a", "bot:x", "invite:c", "invite:b"])
    links = [f"{PUBLIC}/join#{code}" for code in room["invites"]]
    assert room["invite_links"] == dict(zip(["a", "c", "b"], links, strict=True))


async def test_referees_take_the_bot_slots_in_order(house: House) -> None:
    slots = ["bot:first", "invite:a", "bot:second"]
    bots = [ITEM, {"inline_code": ECHO}]
    room = await house.room(house.account(), slots=slots, bots=bots)
    assert [(bot["bot_id"], bot["name"]) for bot in room["bots"]] == [
        ("first", "GuessBot"),
        ("second", "Echo"),
    ]


async def test_more_referees_than_slots_add_slots(house: House) -> None:
    bots = [ITEM, {"inline_code": ECHO}, {"inline_code": ECHO}]
    room = await house.room(house.account(), slots=["bot:first", "invite:a"], bots=bots)
    assert labels(room, "bot") == ["first", "echo", "echo-2"]
    assert [slot["slot_id"] for slot in room["view"]["slots"]] == ["s0", "s1", "s2", "s3"]


async def test_an_item_of_bots_may_name_its_slot_and_everything_else(house: House) -> None:
    item = {
        "slot": "right",
        "name": "Parrot",
        "version": "3.1",
        "inline_code": ECHO,
        "manifest": {"summary": "repeats"},
        "params": {"loud": True},
    }
    host = house.account()
    slots = ["bot:left", "bot:right", "invite:a"]
    room = await house.room(host, slots=slots, bots=[item])
    (bot,) = room["bots"]
    assert (bot["bot_id"], bot["name"], bot["version"]) == ("right", "Parrot", "3.1")
    code = await house.rest(host, "get_bot_code", channel_id=room["channel_id"])
    assert code.data["manifest"]["summary"] == "repeats"
    assert code.data["params"] == {"loud": True}


async def test_a_slot_that_only_an_item_of_bots_names_is_made(house: House) -> None:
    bots = [{"slot": "judge", "inline_code": ECHO}, {"slot": "bot:clerk", "inline_code": ECHO}]
    room = await house.room(house.account(), bots=bots, join_as="zoe")
    assert labels(room, "bot") == ["judge", "clerk"]
    assert [bot["bot_id"] for bot in room["bots"]] == ["judge", "clerk"]
    assert labels(room) == ["zoe", "bob"]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"preset": "GuessBot"}, "'preset' is not understood"),
        ({"inline_code": 7}, "bots[0]: inline_code must be text"),
        ({"inline_code": ECHO, "params": [1]}, "bots[0]: params must be a JSON object"),
        ({}, "either a preset or source code"),
        ({"code_ref": "builtin://GuessBot", "inline_code": ECHO}, "one of the two"),
        ({"inline_code": ECHO, "slot": "nowhere"}, "no empty bot slot"),
    ],
)
async def test_an_item_of_bots_that_cannot_be_meant_is_refused(
    house: House, item: dict[str, Any], words: str
) -> None:
    said = await house.rest(house.account(), "create_channel", bots=[item], slots=["invite:a"])
    assert said.refused == "INVALID_REQUEST"
    assert words in said.data["message"]


async def test_a_referee_that_no_slot_is_left_for_is_one_too_many(house: House) -> None:
    slots = [f"invite:p{number}" for number in range(32)]
    said = await house.rest(house.account(), "create_channel", slots=slots, bot_code=ECHO)
    assert (said.status, said.refused) == (413, "TOO_LARGE")


async def test_null_in_an_item_of_bots_is_what_was_left_out(house: House) -> None:
    item = {"inline_code": ECHO, "code_ref": None, "params": None, "manifest": None}
    room = await house.room(house.account(), bots=[item])
    assert room["bots"][0]["params"] == {}


@pytest.mark.parametrize("sources", [{}, {"bot_preset": "GuessBot", "bot_code": ECHO}])
async def test_attaching_no_or_two_referees_is_refused_without_talk_of_ops(
    house: House, sources: dict[str, str]
) -> None:
    host = house.account()
    room = await house.room(host)
    said = await house.rest(host, "attach_bot", channel_id=room["channel_id"], **sources)
    assert said.refused == "INVALID_REQUEST"
    assert "op" not in said.data["hint"].split() and "ops" not in said.data["message"]


@pytest.mark.parametrize("field", ["manifest", "params"])
async def test_what_no_entry_could_hold_is_too_large(house: House, field: str) -> None:
    item = {"inline_code": ECHO, field: {"text": "x" * 70_000}}
    said = await house.rest(house.account(), "create_channel", bots=[item])
    assert (said.status, said.refused) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        (["invite:system"], "INVALID_REQUEST"),
        (["invite:"], "INVALID_REQUEST"),
        (["watch:crowd"], "INVALID_REQUEST"),  # nobody plays
        (["robot:x"], "INVALID_REQUEST"),
        (["invite:a:owner"], "INVALID_REQUEST"),
        (["bot:only"], "INVALID_REQUEST"),
        (["invite:a\n"], "INVALID_REQUEST"),
        (["invite:x"] * 33, "TOO_LARGE"),
    ],
)
async def test_a_slot_that_cannot_be_is_refused(house: House, slots: list[str], code: str) -> None:
    assert (await house.rest(house.account(), "create_channel", slots=slots)).refused == code


async def test_a_label_that_is_taken_gets_a_number(house: House) -> None:
    room = await house.room(house.account(), slots=["invite:player", "invite:player"])
    assert labels(room) == ["player", "player-2"]


# inspect_invite and join_channel


async def test_inspecting_shows_the_source_that_has_the_hash(house: House) -> None:
    room = await house.room(house.account(), bot_code=ECHO, join_as="alice")
    said = await house.rest(house.account(), "inspect_invite", invite_code=room["invites"][0])
    (bot,) = said.data["bots"]
    assert "sha256:" + hashlib.sha256(bot["source"].encode()).hexdigest() == bot["code_hash"]
    assert (said.data["seat"], said.data["seated"]) == ("bob", ["alice"])
    assert (
        said.data["changeable_by"]
        == "nobody can change the referee, or empty your seat, after you join."
    )


async def test_of_a_shipped_referee_a_guest_reads_its_rules_and_where_the_rest_is(
    house: House,
) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot")
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    (bot,) = said.data["bots"]
    asked = {"invite_code": room["invites"][0]}
    whole = (await house.rest(house.account(), "get_bot_code", **asked)).data["code"]
    fence = f"---{bot['code_hash']}"
    _, rules, rest = said.text.split(f"\n{fence}\n")
    assert whole.startswith(f'"""{rules}')
    assert whole[len(rules) + 3 :].strip().startswith('"""')
    assert "class GuessBot" not in said.text
    assert f"whole source, {len(whole.splitlines())} lines: get_bot_code(invite_code=" in rest
    assert f"the library `referee` that it uses ({bot['library'][:15]}…): with library=true" in rest


async def test_of_a_strangers_referee_a_guest_reads_all_and_the_hash_of_its_library(
    house: House,
) -> None:
    source = 'from referee import Game\n\n\nclass Talk(Game):\n    """Not the rules."""\n'
    room = await house.room(house.account(), bot_code=source)
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    (bot,) = said.data["bots"]
    assert f"---{bot['code_hash']}\n{source}\n---{bot['code_hash']}" in said.text
    assert f"the library `referee` that it uses ({bot['library'][:15]}…)" in said.text
    assert "class Game" not in said.text


async def test_a_long_source_is_shown_up_to_twelve_thousand_characters(house: House) -> None:
    source = ECHO + "\n".join(f"# {n:060d}" for n in range(300))
    room = await house.room(house.account(), bot_code=source)
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert said.data["bots"][0]["source"] == source[:12_000]
    (more,) = [line for line in said.lines if line.startswith("The source goes on: get_bot_code(")]
    following = int(more.rpartition("from_line=")[2].rstrip(")"))
    rest = await house.rest(
        house.account(), "get_bot_code", invite_code=room["invites"][0], from_line=following
    )
    assert rest.data["code"] == "\n".join(source.split("\n")[following - 1 :])


async def test_a_used_invite_shows_its_room_to_those_who_may_look_at_it(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    code = pair.opened["invites"][0]
    mine = (await house.rest(pair.alice, "get_channel_info", channel_id=pair.id)).data
    said = await house.tool(pair.alice, "inspect_invite", invite_code=code)
    assert said.lines[0] == "This invite, for the seat bob, was used. The room is one of yours:"
    assert said.data["view"] == mine["view"]
    stranger = await house.rest(house.account(), "inspect_invite", invite_code=code)
    assert (stranger.status, stranger.refused) == (409, "SLOT_ALREADY_FILLED")


async def test_a_creator_without_a_seat_sees_the_room_of_a_used_invite(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    await house.rest(house.account(), "join_channel", invite_code=room["invites"][0])
    said = await house.tool(host, "inspect_invite", invite_code=room["invites"][0])
    assert said.lines[0].startswith("This invite, for the seat alice, was used.")


async def test_a_lost_answer_of_joining_can_be_asked_for_again(house: House) -> None:
    pair = await house.pair()
    again = await house.rest(pair.bob, "join_channel", invite_code=pair.opened["invites"][0])
    same = ("slot_id", "player_id", "rejoin_token")
    assert [again.data[key] for key in same] == [pair.joined[key] for key in same]


async def test_terms_that_changed_since_they_were_inspected_are_refused(house: House) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice")
    await house.rest(guest, "inspect_invite", invite_code=room["invites"][0])
    change = {"op": "set_bot", "bot_id": "guess-referee", "bot_preset": "GuessBot"}
    ops = [{**change, "params": {"high": 2}}]
    await house.rest(host, "update_channel", channel_id=room["channel_id"], ops=ops)
    said = await house.rest(guest, "join_channel", invite_code=room["invites"][0])
    assert (said.status, said.refused) == (409, "TERMS_CHANGED")
    assert "params and dice of bot:guess-referee" in said.data["message"]


async def test_a_rejoin_token_takes_the_seat_over_for_another_login(house: House) -> None:
    pair = await house.pair()
    laptop = house.account()
    moved = await house.rest(laptop, "join_channel", invite_code=pair.joined["rejoin_token"])
    assert moved.data["player_id"] == "bob"
    assert moved.data["messages"][-1]["body"]["type"] == "taken_over"
    lost = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="x")
    assert lost.refused == "NOT_MEMBER"


async def test_what_was_said_before_can_be_read_from_the_first_message(house: House) -> None:
    pair = await house.pair()
    assert pair.joined["messages"][0]["id"] == 1
    assert [m["id"] for m in pair.joined["messages"]] == list(range(1, pair.joined["cursor"] + 1))


# update_channel, attach_bot, leave_channel


async def update(house: House, who: str, room: str, *ops: dict[str, Any]) -> Any:
    return await house.rest(who, "update_channel", channel_id=room, ops=list(ops))


async def test_every_op_of_the_contract_works_over_rest(house: House) -> None:
    host, guest = house.account(), house.account()
    slots = ["bot:r", "invite:alice:admin", "invite:bob", "invite:carol"]
    room = await house.room(host, slots=slots, bot_preset="GuessBot", join_as="alice")
    channel = room["channel_id"]

    async def did(*ops: dict[str, Any], who: str = host) -> dict[str, Any]:
        said = await update(house, who, channel, *ops)
        assert said.status == 200, said.data
        assert {"view", "bots"} <= said.data.keys()
        return dict(said.data)

    renamed = await did({"op": "rename", "name": "Second"})
    assert renamed["view"]["name"] == "Second"
    replaced = await did({"op": "set_bot", "bot_id": "r", "bot_code": ECHO, "params": {"n": 1}})
    assert [bot["name"] for bot in replaced["bots"]] == ["Echo"]
    assert (await did({"op": "remove_bot", "bot_id": "r"}))["bots"] == []
    fresh = await did({"op": "reissue_invite", "player_id": "bob"})
    await house.rest(guest, "join_channel", invite_code=fresh["invites"][0])
    proposed = await did({"op": "set_admin", "player_id": "bob", "admin": True})
    accept = {"op": "accept_change", "terms": proposed["proposed_terms"]}
    agreed = await did(accept, who=guest)
    assert [slot["label"] for slot in agreed["view"]["slots"] if slot["admin"]] == ["alice", "bob"]
    began = await did({"op": "start"})
    assert began["view"]["status"] == "playing"
    yielded = await did({"op": "yield_slot", "player_id": "bob"})
    assert list(yielded["invite_links"]) == ["bob"]
    assert (await did({"op": "close"}))["view"]["status"] == "closed"


async def test_ops_are_all_or_nothing(house: House) -> None:
    host = house.account()
    room = await house.room(host, name="First")
    ops = [{"op": "rename", "name": "Second"}, {"op": "remove_bot", "bot_id": "none"}]
    said = await update(house, host, room["channel_id"], *ops)
    assert said.refused == "BOT_NOT_FOUND"
    info = await house.rest(host, "get_channel_info", channel_id=room["channel_id"])
    assert info.data["view"]["name"] == "First"


@pytest.mark.parametrize(
    "op",
    [
        {},
        {"op": "explode"},
        {"op": 7},
        {"op": "rename"},
        {"op": "rename", "name": 7},
        {"op": "set_admin", "player_id": "bob", "admin": "yes"},
        {"op": "close", "now": True},
        {"op": "set_bot", "bot_id": "r"},
        {"op": "reissue_invite", "player_id": "nobody"},
    ],
)
async def test_an_op_that_cannot_be_meant_is_a_bad_op(house: House, op: dict[str, Any]) -> None:
    host = house.account()
    room = await house.room(host)
    said = await update(house, host, room["channel_id"], op)
    assert (said.status, said.refused) == (400, "BAD_OP")


async def test_no_ops_at_all_is_a_bad_op(house: House) -> None:
    host = house.account()
    room = await house.room(host)
    assert (await update(house, host, room["channel_id"])).refused == "BAD_OP"


async def test_attaching_fills_the_first_empty_bot_slot_and_then_adds_one(house: House) -> None:
    host = house.account()
    room = await house.room(host, slots=["bot:judge", "invite:a"])
    for _ in range(2):
        said = await house.rest(
            host, "attach_bot", channel_id=room["channel_id"], bot_code=ECHO, name="Echo"
        )
    assert [bot["bot_id"] for bot in said.data["bots"]] == ["judge", "echo"]


async def test_attaching_is_over_when_somebody_else_has_joined(house: House) -> None:
    pair = await house.pair()
    for who in (pair.alice, pair.bob):
        said = await house.rest(who, "attach_bot", channel_id=pair.id, bot_code=ECHO)
        assert (said.status, said.refused) == (403, "NOT_ADMIN")


async def test_who_has_left_is_a_stranger_and_the_others_see_it(house: House) -> None:
    pair = await house.pair()
    left = await house.rest(pair.bob, "leave_channel", channel_id=pair.id)
    assert [slot["state"] for slot in left.data["view"]["slots"]] == ["taken", "left"]
    again = await house.rest(pair.bob, "sync_messages", channel_id=pair.id)
    assert (again.status, again.refused) == (403, "NOT_MEMBER")
    heard = await house.rest(pair.alice, "sync_messages", channel_id=pair.id)
    assert heard.data["messages"][-1]["body"]["type"] == "left"


# Seats (contract §4)


async def test_a_creator_without_a_seat_may_look_and_nothing_more(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    channel = {"channel_id": room["channel_id"]}
    for name in ("get_channel_info", "get_bot_code"):
        assert (await house.rest(host, name, **channel)).status == 200
    assert (await house.rest(host, "list_channels")).data["channels"][0]["seats"] == []
    refused: list[tuple[str, dict[str, Any]]] = [
        ("post_message", {"body": "x"}),
        ("sync_messages", {"timeout_ms": 0}),
        ("leave_channel", {}),
        ("get_transcript", {}),
    ]
    for name, more in refused:
        assert (await house.rest(host, name, **channel, **more)).refused == "NOT_MEMBER", name


async def test_a_stranger_learns_not_even_that_a_room_exists(house: House) -> None:
    pair = await house.pair()
    stranger = house.account()
    asked: list[tuple[str, dict[str, Any]]] = [
        ("post_message", {"body": "x"}),
        ("sync_messages", {"timeout_ms": 0}),
        ("get_channel_info", {}),
        ("get_bot_code", {}),
        ("leave_channel", {}),
        ("update_channel", {"ops": [{"op": "close"}]}),
        ("attach_bot", {"bot_preset": "GuessBot"}),
        ("get_transcript", {}),
    ]
    for name, more in asked:
        real = await house.rest(stranger, name, channel_id=pair.id, **more)
        none = await house.rest(stranger, name, channel_id="chn_aaaaaaaaaaaaaaaaaaaaaaaa", **more)
        assert (real.status, real.data) == (none.status, none.data), name
        assert real.refused == "NOT_MEMBER"


async def test_a_seat_that_is_somebody_elses_is_refused_with_ones_own(house: House) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="x", seat="alice")
    assert (said.refused, said.data["hint"]) == ("NOT_MEMBER", "Your seats here: bob.")


async def test_two_seats_of_one_account_are_told_apart_by_name(house: House) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice")
    await house.rest(host, "join_channel", invite_code=room["invites"][0])
    channel = {"channel_id": room["channel_id"]}
    unsaid = await house.rest(host, "post_message", **channel, body="x")
    assert (unsaid.status, unsaid.refused) == (409, "SEAT_AMBIGUOUS")
    assert "alice, bob" in unsaid.data["message"]
    await house.rest(host, "post_message", **channel, body="x", seat="bob")
    heard = await house.rest(host, "sync_messages", **channel, seat="alice")
    assert heard.data["messages"][-1]["sender"] == "bob"
