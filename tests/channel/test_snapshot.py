"""A snapshot is read back as the fold that was written."""

from __future__ import annotations

import json

from hypothesis import given

from mcp_multiplayer.channel import snapshot
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.events import Accept, Event, Genesis
from mcp_multiplayer.transcript.entries import Head
from tests.channel.strategies import EVENTS
from tests.channel.table import BOTH, NOW, OPS, WITH_ADMIN, Table, bot
from tests.channel.test_properties import Moves, played


@given(Moves)
def test_any_room_is_read_back_as_it_was_written(moves: list[int]) -> None:
    table = played(moves)
    assert snapshot.read(snapshot.write(table.channel, table.head)) == (table.channel, table.head)


@given(EVENTS)
def test_any_event_leaves_a_state_that_can_be_written_down(event: Event) -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),), seated=BOTH)
    if isinstance(event, Accept | Genesis):
        return
    after = evolve(table.channel, event, Place(9, NOW))
    assert snapshot.read(snapshot.write(after, table.head)) == (after, table.head)


def test_what_waits_for_consent_is_kept() -> None:
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)
    table.update("A", OPS["set_bot"])
    kept = snapshot.read(snapshot.write(table.channel, table.head))
    assert kept
    assert kept[0].proposal == table.channel.proposal


def test_a_snapshot_of_another_form_is_not_read() -> None:
    data = json.loads(snapshot.write(Table.of().channel, Head()))
    assert snapshot.read(json.dumps({**data, "form": snapshot.FORM + 1}).encode()) is None
    assert snapshot.read(b"{}") is None
