"""Which rooms of an account are found again, and what finding them costs."""

from __future__ import annotations

import pytest

from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.base import Store
from tests.harness import Clock, Mint, manager, opened


class Loads:
    """Counts the logs that are folded from the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, load = 0, Replica.load

        def counted(store: Store, channel_id: str) -> Replica | None:
            self.count += 1
            return load(store, channel_id)

        monkeypatch.setattr(Replica, "load", counted)


async def many(channels: ChannelManager, clock: Clock, count: int) -> list[str]:
    """Rooms of the account A, one a second, the newest first."""
    made: list[str] = []
    for _ in range(count):
        clock.advance(1)
        made.insert(0, (await opened(channels, account="A", join_as="alice"))[0].channel_id)
    return made


async def close(channels: ChannelManager, channel_id: str) -> None:
    await channels.update_channel("A", channel_id, read_ops([{"op": "close"}]), bots={})


async def test_the_rooms_closed_over_years_cost_nothing_to_list_or_to_open_another(
    store: Store, clock: Clock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = manager(store, clock, mint)
    *closed, last = await many(first, clock, 12)
    for channel_id in closed:
        await close(first, channel_id)
    again, loads = manager(store, clock, mint), Loads(monkeypatch)
    assert [room.channel_id for room, _ in again.rooms_of("A").rooms] == [last]
    assert await opened(again, account="A")
    assert loads.count == 1


async def test_closed_rooms_are_listed_for_who_asks_for_them(
    store: Store, clock: Clock, mint: Mint
) -> None:
    channels = manager(store, clock, mint)
    old, new, still_open = reversed(await many(channels, clock, 3))
    token = channels.own_seat(room := channels.room(new), room.channel.seats[0]).rejoin_token
    for channel_id in (old, new):
        clock.advance(1)
        await close(channels, channel_id)
    await channels.join_channel("A", token)  # coming back does not open it
    assert [room.channel_id for room, _ in channels.rooms_of("A", closed=True).rooms] == [new, old]
    assert still_open in [room.channel_id for room, _ in channels.rooms_of("A").rooms]
    assert channels.owner(Replica.load(store, old) or room) == Owner("A")


async def test_who_has_taken_a_room_over_pays_for_its_hooks(
    store: Store, clock: Clock, mint: Mint
) -> None:
    channels = manager(store, clock, mint)
    room, codes = await opened(channels, account="A", network="10.0.0.1")
    await channels.join_channel("B", codes["bob"])
    assert channels.owner(room) == Owner("A", "10.0.0.1")
    ops: list[dict[str, str]] = [{"op": "hand_over", "player_id": "bob"}]
    await channels.update_channel("A", room.channel_id, read_ops(ops), bots={})
    assert room.channel.proposal is not None
    ops = [{"op": "accept_change", "terms": room.channel.proposal.terms}]
    await channels.update_channel("B", room.channel_id, read_ops(ops), bots={})
    assert channels.owner(room) == Owner("B")
    assert channels.owner(Replica.load(store, room.channel_id) or room) == Owner("B")


@pytest.mark.parametrize("closed", [False, True])
async def test_a_list_of_many_rooms_comes_in_pages(
    store: Store, clock: Clock, mint: Mint, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    first = manager(store, clock, mint)
    made = await many(first, clock, 7)
    for channel_id in reversed(made if closed else []):
        clock.advance(1)
        await close(first, channel_id)
    channels, loads = manager(store, clock, mint), Loads(monkeypatch)
    found, cursor = [], None
    for _ in range(3):
        page = channels.rooms_of("A", closed=closed, limit=3, cursor=cursor)
        found += [room.channel_id for room, _ in page.rooms]
        cursor = page.cursor
        assert loads.count == len(found)
    assert (found, cursor) == (made, None)


@pytest.mark.parametrize("cursor", ["", "7", "x.chn_y", "1.", "9" * 30 + ".chn_x", "1.chn_x\n"])
async def test_a_place_in_the_list_that_nobody_was_given_is_refused(
    channels: ChannelManager, cursor: str
) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        channels.rooms_of("A", cursor=cursor)
