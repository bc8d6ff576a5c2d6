"""What stays of an entry whose words were erased."""

from __future__ import annotations

import pytest
from hypothesis import given

from mcp_multiplayer.channel import erasure, view
from mcp_multiplayer.channel.events import Disclose, Event, Msg, Run
from mcp_multiplayer.errors import BadOp
from tests.channel.strategies import BY_TYPE, EVENTS
from tests.channel.table import BOTH, WITH_ADMIN, Table, bot

SPEAKING = (Msg, Run, Disclose)
ROOM = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH).channel


@given(BY_TYPE[Msg] | BY_TYPE[Run] | BY_TYPE[Disclose])
def test_an_entry_without_words_has_as_many_messages_as_before(event: Event) -> None:
    empty = erasure.emptied(event)
    assert view.count(empty) == view.count(event)
    assert erasure.emptied(empty) == empty


@given(BY_TYPE[Msg] | BY_TYPE[Run])
def test_of_public_words_nothing_is_shown(event: Event) -> None:
    empty = erasure.emptied(event)
    for message in view.messages(ROOM, empty, entry=1, ts=1, first=1):
        if message.sender != "system" and message.to is None:
            assert message.body == erasure.GONE
        if message.body.get("type") in ("turn", "ended"):
            assert not message.body.get("expect")
            assert message.body["type"] == "turn" or message.body["erased"]


@given(EVENTS)
def test_what_shapes_a_room_cannot_be_erased(event: Event) -> None:
    if isinstance(event, SPEAKING):
        return
    with pytest.raises(BadOp):
        erasure.emptied(event)
