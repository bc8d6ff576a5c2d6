"""A second account that knows every id a member can see reads, posts, joins and rejoins nothing,
and learns nothing: the refusal is word for word that of a channel which does not exist.

Stopped by edge/api (a seat belongs to an account, whoever names it) and
channel/decide.py (`seat_of`, `may_look`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.players import Json, Player, fastmcp_client, rest, wire
from tests.sample import sample

pytestmark = pytest.mark.servers

NOWHERE = "chn_" + "a" * 24  #: well formed, and nobody's

CLIENTS: dict[str, Callable[[str, str], AbstractAsyncContextManager[Player]]] = {
    "rest": rest,
    "mcp-legacy": lambda base, name: wire(base, name, "legacy"),
    "mcp-modern": lambda base, name: wire(base, name, "2026-07-28"),
    "fastmcp": lambda base, name: fastmcp_client(base, name, "2026-07-28"),
}

DEEDS: list[tuple[str, Json]] = [
    ("post_message", {"body": "guess 42"}),
    ("post_message", {"body": "psst", "to": ["bot:guess-referee"]}),
    ("sync_messages", {"cursor": 0, "timeout_ms": 0}),
    ("sync_messages", {"timeout_ms": 20_000}),
    ("get_channel_info", {}),
    ("get_bot_code", {"bot_id": "guess-referee"}),
    ("attach_bot", {"bot_preset": "GuessBot"}),
    ("leave_channel", {}),
    ("update_channel", {"ops": [{"op": "close"}]}),
    ("update_channel", {"ops": [{"op": "start"}]}),
    ("update_channel", {"ops": [{"op": "rename", "name": "mine"}]}),
    ("update_channel", {"ops": [{"op": "reissue_invite", "player_id": "bob"}]}),
    ("update_channel", {"ops": [{"op": "yield_slot", "player_id": "bob"}]}),
    ("update_channel", {"ops": [{"op": "set_admin", "player_id": "bob", "admin": True}]}),
]


async def furnish(alice: Player, bob: Player) -> tuple[Json, Json, list[Any]]:
    """A room in mid-game. Return what each member got on entering, and all they can see."""
    made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
    link = made["invite_links"]["bob"]
    inspected = await bob.call("inspect_invite", invite_code=link)
    joined = await bob.call("join_channel", invite_code=link)
    room = made["channel_id"]
    await alice.call("post_message", channel_id=room, body="guess 0")
    seen: list[Any] = [{"terms": inspected["terms"]}]
    for member in (alice, bob):
        seen.append(await member.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0))
        seen.append(await member.call("get_channel_info", channel_id=room))
    return made, joined, seen


def strings(value: Any) -> Iterator[str]:
    """Every string and number in a JSON value, each key as well."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from strings(key)
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)
        case None | bool():
            pass
        case _:
            yield str(value)


@pytest.mark.parametrize("client", sample(CLIENTS, {"rest", "mcp-legacy"}))
async def test_a_stranger_who_knows_every_id_is_refused_as_if_there_were_no_channel(
    pair: Pair, client: str
) -> None:
    async with (
        rest(pair.base, "alice") as alice,
        rest(pair.base, "bob") as bob,
        CLIENTS[client](pair.base, "mallory") as mallory,
    ):
        made, _, before = await furnish(alice, bob)
        seats = [None, "alice", "bob", "s0", "s1", "s2", "bot:guess-referee", "system"]
        for operation, arguments in DEEDS:
            for seat in seats if operation != "get_bot_code" else [None]:
                told = arguments if seat is None else {**arguments, "seat": seat}
                refused = [
                    await mallory.refusal(operation, channel_id=room, **told)
                    for room in (made["channel_id"], NOWHERE)
                ]
                assert [r.code for r in refused] == ["NOT_MEMBER"] * 2, (operation, told)
                assert refused[0].text == refused[1].text, (operation, told)
                assert refused[0].status == refused[1].status, (operation, told)
        await unchanged(made["channel_id"], alice, bob, before)


@pytest.mark.parametrize("client", sample(["rest", "mcp-modern"], {"rest"}))
async def test_nothing_a_member_can_see_opens_a_seat(pair: Pair, client: str) -> None:
    async with (
        rest(pair.base, "alice") as alice,
        rest(pair.base, "bob") as bob,
        CLIENTS[client](pair.base, "mallory") as mallory,
    ):
        made, joined, before = await furnish(alice, bob)
        known = {text for text in strings(before) if len(text) <= 200}
        assert made["channel_id"] in known
        for secret in (made["rejoin_token"], joined["rejoin_token"], *made["invites"]):
            assert not any(secret in text for text in strings(before))
        for text in sorted(known):
            bare = text.removeprefix("chn_")
            for code in (text, f"inv_{bare}", f"rejoin_{bare}", f"{pair.base}/join#inv_{bare}"):
                for operation in ("join_channel", "inspect_invite"):
                    refused = await mallory.refusal(operation, invite_code=code)
                    assert refused.code in ("INVITE_INVALID", "REJOIN_TOKEN_INVALID"), code
        assert (await mallory.call("list_channels"))["channels"] == []
        await unchanged(made["channel_id"], alice, bob, before)


async def test_a_used_invite_is_no_use_to_another_account(pair: Pair) -> None:
    async with (
        rest(pair.base, "alice") as alice,
        rest(pair.base, "bob") as bob,
        rest(pair.base, "mallory") as mallory,
    ):
        made, joined, before = await furnish(alice, bob)
        link = made["invite_links"]["bob"]
        assert (await mallory.refusal("join_channel", invite_code=link)).code == (
            "SLOT_ALREADY_FILLED"
        )
        again = await bob.call("join_channel", invite_code=link)
        assert again["rejoin_token"] == joined["rejoin_token"]
        await unchanged(made["channel_id"], alice, bob, before)


async def unchanged(room: str, alice: Player, bob: Player, before: list[Any]) -> None:
    """Both members see exactly what they saw, down to the root of the log."""
    after: list[Any] = before[:1]
    for member in (alice, bob):
        after.append(await member.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0))
        after.append(await member.call("get_channel_info", channel_id=room))
    assert after == before
