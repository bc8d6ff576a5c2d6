"""What pages are streamed of a room: the same as its reader reads, no mark moved, nothing twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.edge.api.house import House, open_house

GAME = {"bot_preset": "GuessBot", "bot_params": {"high": 9}}


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as made:
        yield made


class Stream:
    """Events of a room as a page reads them."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.status = answer.status_code

    async def next(self) -> tuple[str, Any]:
        """The next event: its kind, and its data."""
        kind, data = "", ""
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and kind:
                return kind, json.loads(data) if kind == "room" else data
        return "over", None

    async def until(self, message: int) -> list[dict[str, Any]]:
        """What is said up to the message of this number."""
        said: list[dict[str, Any]] = []
        while not said or said[-1]["id"] < message:
            kind, data = await self.next()
            assert kind == "room"
            said += data["messages"]
        return said


@asynccontextmanager
async def events(house: House, account: str | None, **query: Any) -> AsyncIterator[Stream]:
    path = "/watch_events" if account is None else "/events"
    headers = {} if account is None else house.statement(account)
    async with house.http.stream("GET", path, params=query, headers=headers) as answer:
        yield Stream(answer)


async def test_a_page_is_given_what_a_member_reads(house: House) -> None:
    pair = await house.pair(**GAME)
    async with events(house, pair.alice, channel_id=pair.id) as stream:
        _, first = await stream.next()
    read = (await house.rest(pair.alice, "sync_messages", channel_id=pair.id, cursor=0)).data
    assert first["messages"] == read["messages"]
    info = (await house.rest(pair.alice, "get_channel_info", channel_id=pair.id)).data
    assert first["view"] == info["view"]
    (bot,) = first["bots"]
    assert bot["manifest"]["show"] and bot["since"] == 1 and bot["ships"]


async def test_a_post_is_an_event_and_no_mark_moves(house: House) -> None:
    pair = await house.pair()
    async with events(house, pair.bob, channel_id=pair.id) as stream:
        await stream.next()
        said = await house.rest(pair.alice, "post_message", channel_id=pair.id, body="hello")
        (heard,) = await stream.until(said.data["msg_id"])
        assert heard["body"] == {"text": "hello"}
    (room,) = (await house.rest(pair.bob, "list_channels")).data["channels"]
    assert room["unread"] == 1


async def test_who_was_cut_off_goes_on_where_it_was(house: House) -> None:
    pair = await house.pair()
    async with events(house, pair.bob, channel_id=pair.id) as stream:
        _, first = await stream.next()
    for number in range(3):
        await house.rest(pair.alice, "post_message", channel_id=pair.id, body=f"word {number}")
    async with events(house, pair.bob, channel_id=pair.id, cursor=first["cursor"]) as stream:
        _, rest = await stream.next()
    assert [one["body"]["text"] for one in rest["messages"]] == ["word 0", "word 1", "word 2"]


async def test_private_words_are_sealed_for_whoever_watches(house: House) -> None:
    host = house.account()
    room = await house.room(
        host, join_as="alice", listed=True, slots=["invite:alice", "invite:bob"]
    )
    guest = house.account()
    await house.rest(guest, "join_channel", invite_code=room["invites"][0])
    await house.rest(
        host, "post_message", channel_id=room["channel_id"], body="psst 7261", to=["bob"]
    )
    async with events(house, None, channel_id=room["channel_id"]) as stream:
        _, first = await stream.next()
    assert "7261" not in json.dumps(first)
    assert "sealed" in first["messages"][-1]["body"]
    async with events(house, guest, channel_id=room["channel_id"]) as stream:
        _, first = await stream.next()
    assert first["messages"][-1]["body"] == {"text": "psst 7261"}


async def test_a_room_that_is_not_listed_needs_its_link(house: House) -> None:
    pair = await house.pair()
    info = (await house.rest(pair.alice, "get_channel_info", channel_id=pair.id)).data
    code = info["watch_link"].partition("#")[2]
    async with events(house, None, channel_id=pair.id, watch=code) as stream:
        assert stream.status == 200
    for wrong in ("", code[:-1], code + "x", "wat_"):
        async with events(house, None, channel_id=pair.id, watch=wrong) as stream:
            assert stream.status == 403
    other = await house.pair()
    async with events(house, None, channel_id=other.id, watch=code) as stream:
        assert stream.status == 403


async def test_with_listing_off_a_listed_room_needs_its_link_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, listed_rooms="off") as house:
        room = await house.room(house.account(), join_as="alice", listed=True)
        async with events(house, None, channel_id=room["channel_id"]) as stream:
            assert stream.status == 403
        assert (await house.http.get("/listed_rooms")).json() == {"rooms": []}


async def test_whoever_opened_a_room_and_has_no_seat_sees_its_state_and_no_word(
    house: House,
) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, slots=["invite:alice", "invite:bob"])
    await house.rest(guest, "join_channel", invite_code=room["invites"][0])
    await house.rest(guest, "post_message", channel_id=room["channel_id"], body="among us")
    async with events(house, host, channel_id=room["channel_id"]) as stream:
        _, first = await stream.next()
    assert first["messages"] == [] and first["view"]["name"]
    async with events(house, house.account(), channel_id=room["channel_id"]) as stream:
        assert stream.status == 403


async def test_whoever_opened_a_room_and_has_no_seat_is_given_no_link_that_reads_it(
    house: House,
) -> None:
    host = house.account()
    for listed in (False, True):
        room = await house.room(host, slots=["invite:alice", "invite:bob"], listed=listed)
        info = await house.rest(host, "get_channel_info", channel_id=room["channel_id"])
        assert ("watch_link" in info.data) == listed
        guest = house.account()
        await house.rest(guest, "join_channel", invite_code=room["invites"][0])
        info = await house.rest(guest, "get_channel_info", channel_id=room["channel_id"])
        assert "watch_link" in info.data


async def test_the_stream_of_a_closed_room_ends_and_says_why(house: House) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice")
    async with events(house, host, channel_id=room["channel_id"]) as stream:
        await stream.next()
        await house.rest(
            host, "update_channel", channel_id=room["channel_id"], ops=[{"op": "close"}]
        )
        kinds = [await stream.next()]
        while kinds[-1][0] != "over":
            kinds.append(await stream.next())
    assert ("end", "closed") in kinds


async def test_who_loses_the_seat_loses_the_stream(house: House) -> None:
    pair = await house.pair()
    async with events(house, pair.bob, channel_id=pair.id) as stream:
        await stream.next()
        await house.rest(pair.bob, "leave_channel", channel_id=pair.id)
        kind, data = await stream.next()
        while kind == "room":
            assert all(one["sender"] == "system" for one in data["messages"])
            kind, data = await stream.next()
    assert (kind, data) == ("end", "gone")


async def test_the_end_of_the_server_is_told(house: House) -> None:
    pair = await house.pair()
    async with events(house, pair.bob, channel_id=pair.id) as stream:
        await stream.next()
        await house.face.stop()
        assert await stream.next() == ("end", "restarting")
        assert await stream.next() == ("over", None)


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "-1"}, {"channel_id": "nope"}, {}])
async def test_odd_questions_are_refused(house: House, query: dict[str, str]) -> None:
    for account in (None, house.account()):
        async with events(house, account, **query) as stream:
            assert 400 <= stream.status < 500


async def test_listed_rooms_are_found_until_they_are_closed(house: House) -> None:
    host = house.account()
    first = await house.room(host, join_as="alice", listed=True, name="First")
    await house.room(host, join_as="alice", name="Unlisted")
    second = await house.room(host, join_as="alice", listed=True, name="Second")
    found = (await house.http.get("/listed_rooms")).json()["rooms"]
    assert {room["name"] for room in found} == {"First", "Second"}
    await house.rest(host, "update_channel", channel_id=first["channel_id"], ops=[{"op": "close"}])
    found = (await house.http.get("/listed_rooms")).json()["rooms"]
    assert [room["channel_id"] for room in found] == [second["channel_id"]]


async def test_listing_is_part_of_the_terms(house: House) -> None:
    room = await house.room(house.account(), join_as="alice", listed=True)
    card = (await house.http.post("/invite_card", json={"invite_code": room["invites"][0]})).json()
    assert card["listed"] is True
    said = await house.tool(house.account(), "inspect_invite", invite_code=room["invites"][0])
    assert "watch" in said.text


async def test_whoever_may_watch_may_have_the_record_and_nobody_else(house: House) -> None:
    pair = await house.pair(**GAME)
    info = (await house.rest(pair.alice, "get_channel_info", channel_id=pair.id)).data
    ask = {"channel_id": pair.id, "watch": info["watch_link"].partition("#")[2]}
    found = await house.http.get("/watch_record", params=ask)
    assert (found.status_code, found.headers["content-type"]) == (200, "application/zip")
    for wrong in ({**ask, "watch": "wat_no"}, {"channel_id": pair.id}, {"channel_id": "x"}, {}):
        assert 400 <= (await house.http.get("/watch_record", params=wrong)).status_code < 500
