"""No name can make one party look like another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.channel.identifiers import (
    LABEL,
    RESERVED,
    SlotSpec,
    players_kind,
    room_name,
    slot_spec,
    slot_specs,
    unique,
)
from mcp_multiplayer.errors import BadMessage, InvalidRequest, MultiplayerError, TooLarge


def test_a_slot_is_a_bot_a_seat_or_an_admin_seat() -> None:
    assert slot_spec("bot:referee") == SlotSpec("bot", "referee")
    assert slot_spec("invite:bob") == SlotSpec("invite", "bob")
    assert slot_spec("invite:bob:admin") == SlotSpec("invite", "bob", admin=True)
    assert slot_spec("watch:carol") == SlotSpec("watch", "carol")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "bob",
        "seat:bob",
        "invite:",
        "invite:bob:king",
        "bot:x:admin",
        "invite:a b",
        "invite:a:admin:x",
        "watch:eve:admin",
        "watch:system",
        "watch:",
        "invite:-a",
        "invite:_a",
        "invite:b\n",
        "invite:" + "a" * 33,
        "invite:bób",
        "invite:bot:x",
        "Invite:bob",
    ],
)
def test_what_is_not_a_slot_is_refused_with_the_forms_that_exist(spec: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        slot_spec(spec)
    assert refused.value.hint


@pytest.mark.parametrize("label", sorted(RESERVED))
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_no_player_is_called_like_the_server_or_like_everybody(label: str, spell: object) -> None:
    assert callable(spell)
    with pytest.raises(InvalidRequest, match="reserved"):
        slot_spec(f"invite:{spell(label)}")


def test_labels_that_are_wanted_twice_get_numbers() -> None:
    made = slot_specs(["invite:player", "invite:player", "watch:Player"], max_seats=8)
    assert [slot.label for slot in made] == ["player", "player-2", "Player-3"]


def test_a_referee_and_a_player_may_share_a_label_because_a_bots_sender_has_a_prefix() -> None:
    made = slot_specs(["bot:alice", "invite:alice"], max_seats=8)
    assert [(slot.kind, slot.label) for slot in made] == [("bot", "alice"), ("invite", "alice")]


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a-2-2", "b" * 32, "b" * 28]), max_size=40))
def test_labels_are_unique_and_stay_labels(labels: list[str]) -> None:
    taken: set[str] = set()
    for label in labels:
        made = unique(label, taken)
        assert made.lower() not in taken
        assert LABEL.fullmatch(made)
        taken.add(made.lower())


def test_a_room_without_a_seat_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least one seat"):
        slot_specs(["bot:x"], max_seats=8)


def test_more_slots_than_allowed_are_too_large() -> None:
    assert len(slot_specs(["invite:a"] * 3, max_seats=3)) == 3
    with pytest.raises(TooLarge):
        slot_specs(["invite:a"] * 4, max_seats=3)


@pytest.mark.parametrize("kind", ["user", "move", "chat.aside", "x-1", "User"])
def test_a_player_may_name_its_own_kinds(kind: str) -> None:
    assert players_kind(kind) == kind


@pytest.mark.parametrize(
    "kind",
    [
        "bot",
        "system",
        "control",
        "BOT",
        "System",
        "cOnTrOl",
        "bot ",
        " bot",
        "ｂｏｔ",
        "b\u200bot",
        "ſystem",
        "bot\n",
        "bot:attach",
        "",
        "1st",
        "x" * 33,
        "a b",
    ],
)
def test_no_spelling_of_a_kind_makes_a_players_words_the_servers(kind: str) -> None:
    with pytest.raises(BadMessage):
        players_kind(kind)


@given(st.text(max_size=90))
def test_a_rooms_name_is_one_line_or_refused(name: str) -> None:
    try:
        assert room_name(name) == name
    except MultiplayerError:
        return
    assert len(name) <= 80
    assert len(name.splitlines()) <= 1
    name.encode()


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "a\u2029b", "\x00", "\u202egnp", "\ud800"])
def test_a_rooms_name_cannot_fake_a_line_or_turn_the_text_around(name: str) -> None:
    with pytest.raises(InvalidRequest):
        room_name(name)
