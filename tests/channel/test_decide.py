"""Who may do what, and when: every permission tried from every side."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import decide, invite_codes
from mcp_multiplayer.channel.commands import Ran, TakeSeat
from mcp_multiplayer.channel.decide import STRANGER
from mcp_multiplayer.channel.events import (
    Attach,
    Close,
    Detach,
    Invite,
    Leave,
    Msg,
    Propose,
    Rename,
    Run,
    Start,
)
from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.errors import (
    BadMessage,
    BadOp,
    BotNotFound,
    ChannelClosed,
    InvalidRequest,
    InviteInvalid,
    MultiplayerError,
    NotAdmin,
    NotMember,
    RejoinTokenInvalid,
    SeatAmbiguous,
    TermsChanged,
    TooLarge,
)
from tests.channel.table import BOTH, OPS, RECEIPT, SLOTS, WITH_ADMIN, Table, bot
from tests.harness import LIMITS

# --- update_channel: who x op --------------------------------------------------------------

NOBODY = dict.fromkeys(OPS, NotMember)
NO_ADMIN = dict.fromkeys(OPS, NotAdmin)
ALL = dict.fromkeys(OPS, None)
#: What touches the terms waits for consent when somebody else is seated.
ASKS = {op: Propose for op in ("set_bot", "attach_bot", "remove_bot", "set_admin")}
#: To accept what was never proposed is allowed and means nothing; to open what nobody said, too.
ACCEPTS = {"accept_change": TermsChanged, "open_sealed": BadOp}
#: The creator's rights are the creator's, to give to another player.
GIVES, GIVES_NOT = {"hand_over": None}, {"hand_over": NotAdmin}
NOBODY_TAKES = {"hand_over": BadOp}
HELPS = {"reissue_invite": None, "start": None}


SITUATIONS: dict[str, tuple[tuple[str, ...], dict[str, str], dict[str, dict[str, Any]]]] = {
    "nobody has joined": (
        SLOTS,
        {},
        {
            "host": ALL
            | NOBODY_TAKES
            | {"start": BadOp, "accept_change": NotAdmin, "open_sealed": NotAdmin},
            "eve": NOBODY,
        },
    ),
    "the creator sits alone": (
        SLOTS,
        {"alice": "host"},
        {"host": ALL | ACCEPTS | NOBODY_TAKES, "eve": NOBODY},
    ),
    "the creator sits alone on two seats": (
        SLOTS,
        {"alice": "host", "bob": "host"},
        {
            "host": ALL
            | NOBODY_TAKES
            | {"accept_change": SeatAmbiguous, "open_sealed": SeatAmbiguous},
            "eve": NOBODY,
        },
    ),
    "others have joined, no seat is admin": (
        SLOTS,
        BOTH,
        {
            "host": NO_ADMIN | HELPS | GIVES,
            "A": NO_ADMIN | ACCEPTS,
            "B": NO_ADMIN | ACCEPTS,
            "eve": NOBODY,
        },
    ),
    "the creator and another sit, no seat is admin": (
        SLOTS,
        {"alice": "host", "bob": "B"},
        {"host": NO_ADMIN | HELPS | ACCEPTS | GIVES, "B": NO_ADMIN | ACCEPTS, "eve": NOBODY},
    ),
    "another sits on the admin seat": (
        WITH_ADMIN,
        BOTH,
        {
            "host": NO_ADMIN | HELPS | GIVES,
            "A": ALL | ASKS | ACCEPTS | GIVES_NOT,
            "B": NO_ADMIN | ACCEPTS,
            "eve": NOBODY,
        },
    ),
    "the creator sits on the admin seat beside another": (
        WITH_ADMIN,
        {"alice": "host", "bob": "B"},
        {"host": ALL | ASKS | ACCEPTS, "B": NO_ADMIN | ACCEPTS, "eve": NOBODY},
    ),
}
MATRIX = [
    (situation, who, op, expected)
    for situation, (_, _, asked) in SITUATIONS.items()
    for who, answers in asked.items()
    for op, expected in answers.items()
]


@pytest.mark.parametrize(("situation", "who", "op", "expected"), MATRIX)
def test_each_op_is_open_to_those_who_may(
    situation: str, who: str, op: str, expected: type | None
) -> None:
    slots, seated, _ = SITUATIONS[situation]
    table = Table.of(*slots, bots=(bot(),), seated=seated)
    before = table.channel
    if expected is not None and issubclass(expected, MultiplayerError):
        with pytest.raises(expected):
            table.update(who, OPS[op])
        assert table.channel == before
        return
    happened = table.update(who, OPS[op])
    assert happened
    assert (type(happened[0]) is Propose) == (expected is Propose)


def test_the_matrix_covers_every_op_there_is() -> None:
    assert OPS.keys() == decide.MAY.keys()


def test_who_was_ever_joined_by_others_stays_bound_when_they_have_left() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated={"alice": "host", "bob": "B"})
    table.leave("B")
    with pytest.raises(NotAdmin, match="others have joined"):
        table.update("host", OPS["set_bot"])


def test_a_takeover_by_another_account_counts_as_a_join() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated={"alice": "host"})
    table.take_over("B", "alice")
    with pytest.raises(NotAdmin):
        table.update("host", OPS["rename"])


def test_the_creator_may_close_a_room_that_the_others_have_left() -> None:
    table = Table.of(seated={"bob": "B"})
    table.leave("B")
    assert table.update("host", OPS["close"]) == [Close()]


def test_an_admin_who_has_left_is_a_stranger() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    table.leave("A")
    with pytest.raises(NotMember):
        table.update("A", OPS["rename"])


def test_ops_are_all_or_nothing() -> None:
    table = Table.of(seated={"alice": "host"})
    before = table.channel
    with pytest.raises(BadOp):
        table.update("host", OPS["rename"], {"op": "yield_slot", "player_id": "zed"})
    assert table.channel == before


def test_ops_are_decided_in_order_on_what_the_ones_before_leave_behind() -> None:
    table = Table.of("bot:judge", "invite:alice", bots=(bot(),))
    happened = table.update(
        "host", OPS["remove_bot"], {"op": "attach_bot", "bot_code": "…"}, OPS["rename"]
    )
    assert [type(event) for event in happened] == [Detach, Attach, Rename]
    assert table.channel.bots[0].slot == "s0"


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_closed_room_can_be_changed_by_nobody(op: str) -> None:
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)
    table.update("A", OPS["close"])
    for who in ("host", "A", "B"):
        with pytest.raises(ChannelClosed):
            table.update(who, OPS[op])


@pytest.mark.parametrize("op", ["set_bot", "remove_bot"])
def test_a_referee_that_is_not_here_cannot_be_replaced(op: str) -> None:
    table = Table.of()
    with pytest.raises(BotNotFound):
        table.update("host", OPS[op])


def test_an_update_may_name_only_a_seat_of_its_own() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    with pytest.raises(NotMember):
        table.update("A", OPS["rename"], seat="bob")
    assert table.update("A", OPS["rename"], seat="alice")


def test_why_an_op_is_refused_names_the_admin_seats() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    with pytest.raises(NotAdmin, match="takes an admin seat; here that is alice"):
        table.update("B", OPS["rename"])


def test_start_closes_the_empty_seats_and_begins() -> None:
    table = Table.of(*SLOTS, seated={"alice": "A"})
    assert table.update("host", OPS["start"]) == [Start(["s2", "s3"])]
    assert [slot.state for slot in table.channel.seats] == ["taken", "closed", "closed"]
    assert table.channel.status == "playing"


def test_only_an_empty_seat_gets_a_new_invite() -> None:
    table = Table.of(seated={"bob": "B"})
    with pytest.raises(BadOp, match="bob is taken"):
        table.update("host", {"op": "reissue_invite", "player_id": "bob"})


def test_yielding_a_seat_empties_it_and_voids_what_opened_it() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    old = table.invites["bob"]
    happened = table.update("A", {"op": "yield_slot", "player_id": "bob"})
    assert [type(event) for event in happened] == [Leave, Invite]
    with pytest.raises(NotMember):
        table.post("B")
    with pytest.raises(RejoinTokenInvalid):
        table.take_over("B", "bob")
    with pytest.raises(InviteInvalid, match="replaced"):
        table.do(TakeSeat("B", old, table.now))
    assert table.join("C", "bob")


# --- seats ---------------------------------------------------------------------------------


def test_the_only_seat_speaks_without_being_named() -> None:
    table = Table.of(seated=BOTH)
    table.post("B")
    assert table.said[-1].sender == "bob"


def test_one_account_may_hold_two_seats_and_must_say_which_one_speaks() -> None:
    table = Table.of(seated={"alice": "A", "bob": "A"})
    with pytest.raises(SeatAmbiguous) as refused:
        table.post("A")
    assert "alice, bob" in str(refused.value)
    assert "seat=" in refused.value.hint
    table.post("A", seat="bob")
    assert table.said[-1].sender == "bob"


def test_nobody_speaks_from_the_seat_of_another() -> None:
    table = Table.of(seated=BOTH)
    with pytest.raises(NotMember, match="do not hold that seat") as refused:
        table.post("B", seat="alice")
    assert refused.value.hint == "Your seats here: bob."


@pytest.mark.parametrize("seat", [None, "alice", "nobody"])
def test_a_stranger_is_told_the_same_whatever_it_names(seat: str | None) -> None:
    table = Table.of(seated={"alice": "A"})
    with pytest.raises(NotMember) as refused:
        table.post("eve", seat=seat)
    assert str(refused.value) == STRANGER
    assert refused.value.hint == NotMember.hint


def test_the_creator_without_a_seat_looks_and_does_not_speak() -> None:
    table = Table.of(seated=BOTH)
    assert decide.may_look(table.channel, "host")
    assert not decide.may_look(table.channel, "eve")
    with pytest.raises(NotMember):
        table.post("host")


def test_leaving_frees_the_account_and_not_the_seat() -> None:
    table = Table.of(seated=BOTH)
    assert table.leave("B") == [Leave("s1")]
    seat = table.channel.seat("bob")
    assert seat
    assert (seat.state, seat.who) == ("left", "")
    with pytest.raises(NotMember):
        table.leave("B")


# --- posts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bot", "system", "control", "BOT", "System", "ｂｏｔ"])
def test_no_member_speaks_as_the_referee_or_the_server(kind: str) -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    with pytest.raises(BadMessage):
        table.post("A", kind=kind)


def test_a_kind_of_ones_own_is_fine() -> None:
    table = Table.of(seated=BOTH)
    table.post("A", kind="move")
    assert table.said[-1].kind == "move"


def test_a_body_may_be_as_large_as_the_limit_and_not_larger() -> None:
    table = Table.of(seated=BOTH)
    room = LIMITS["body_kb"] * 1024 - len(b'{"text":""}')
    assert table.post("A", {"text": "x" * room})
    with pytest.raises(TooLarge):
        table.post("A", {"text": "x" * (room + 1)})
    with pytest.raises(TooLarge):
        table.post("A", {"text": "x" * (room + 1)}, to=("bob",))


def test_a_full_room_takes_no_more_words_and_can_still_be_left() -> None:
    table = Table.of(seated=BOTH, limits={**LIMITS, "channel_mb": 1})
    with pytest.raises(TooLarge, match="full"):
        for _ in range(200):
            table.post("A", {"text": "x" * 16_000})
    assert table.channel.bytes > 1 << 20
    with pytest.raises(TooLarge, match="full"):
        table.update("host", {"op": "reissue_invite", "player_id": "alice"})
    assert table.leave("A")


def test_a_full_room_cannot_grow_by_changes_and_can_still_be_closed() -> None:
    table = Table.of(limits={**LIMITS, "channel_mb": 1})
    with pytest.raises(TooLarge, match="full"):
        for _ in range(60_000):
            table.update("host", *[{"op": "rename", "name": "x" * 80}] * 16)
    assert table.update("host", {"op": "close"})


def test_a_whisper_is_in_the_log_as_its_digest_only() -> None:
    table = Table.of(seated=BOTH)
    table.post("A", {"text": "psst-42"}, to=("bob",))
    assert b"psst-42" not in table.leaves[-1]
    assert table.said[-1].to == ("bob",)
    assert table.said[-1].body == {"sealed": invite_codes.seal("salt", {"text": "psst-42"})}


def test_a_whisper_may_go_to_a_referee_and_names_are_not_repeated() -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),), seated=BOTH)
    table.post("A", to=("bob", "bot:judge", "bob"))
    assert table.said[-1].to == ("bob", "bot:judge")


@pytest.mark.parametrize("to", [("zed",), ("bob", "bot:zed"), ("judge",), ("all",), ()])
def test_a_whisper_to_nobody_here_is_refused_with_who_is(to: tuple[str, ...]) -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),), seated=BOTH)
    with pytest.raises(BadMessage) as refused:
        table.post("A", to=to)
    assert "alice, bob, bot:judge" in refused.value.hint


def test_a_closed_room_is_silent_and_can_be_left() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    table.update("A", OPS["close"])
    with pytest.raises(ChannelClosed):
        table.post("B")
    assert table.leave("B")


def test_an_ended_room_goes_on_talking() -> None:
    table = Table.of("invite:alice", bots=(bot(),), seated={"alice": "A"})
    table.ran(end={"winners": ["alice"]})
    assert table.channel.status == "ended"
    assert table.post("A")


def test_messages_of_a_seat_are_counted_in_the_log() -> None:
    table = Table.of(seated=BOTH)
    happened = [*table.post("A"), *table.post("B"), *table.post("A")]
    counters = [(event.m["s"], event.m["c"]) for event in happened if isinstance(event, Msg)]
    assert counters == [("s0", 1), ("s1", 1), ("s0", 2)]


# --- runs ----------------------------------------------------------------------------------


def two_bots() -> Table:
    return Table.of("bot:judge", "bot:clerk", "invite:alice", bots=(bot(), bot("Clerk")))


def test_the_first_referee_owns_turn_and_end() -> None:
    table = two_bots()
    table.ran(0, turn={"players": ["alice"]})
    assert table.channel.turn
    claims: list[dict[str, Any]] = [{"turn": {"players": []}}, {"end": {"winners": []}}]
    for claim in claims:
        (event,) = table.ran(1, out=[{"k": "bot", "b": {}}], **claim)
        assert isinstance(event, Run)
        assert (event.res, event.out) == ("error:NotTheFirstBot", [])
    assert table.channel.turn
    assert table.channel.status == "open"


def test_whoever_replaces_the_first_referee_owns_turn_and_end() -> None:
    table = two_bots()
    table.update("host", OPS["set_bot"])
    assert [it.id for it in table.channel.bots] == ["clerk", "judge"]
    (kept,) = table.ran(1, turn={"players": ["alice"]})
    (refused,) = table.ran(0, turn={"players": []})
    assert isinstance(kept, Run)
    assert isinstance(refused, Run)
    assert (kept.res, refused.res) == ("ok", "error:NotTheFirstBot")


def test_a_silent_run_leaves_no_trace() -> None:
    assert two_bots().ran(0, silent=True) == []


def test_a_run_of_a_referee_that_is_gone_changes_nothing() -> None:
    table = two_bots()
    gone = table.channel.bots[0]
    table.update("host", {"op": "set_bot", "bot_id": "judge", "bot_code": "…"})
    run = Run("judge", gone.at, "on_message", 1, "ok", [{"k": "bot", "b": {}}], **RECEIPT)
    assert table.do(Ran(run, silent=False)) == []


def test_a_closed_room_hears_no_referee() -> None:
    table = two_bots()
    table.update("host", OPS["close"])
    assert table.ran(0, out=[{"k": "bot", "b": {}}]) == []


# --- referees and their slots --------------------------------------------------------------


def test_a_referee_takes_the_slot_it_names() -> None:
    table = Table.of("bot:x", "bot:y", "invite:a", bots=(bot(slot="y"), bot("Two", slot="bot:x")))
    assert [(it.id, it.slot) for it in table.channel.bots] == [("y", "s1"), ("x", "s0")]


def test_a_referee_too_many_gets_a_slot_of_its_own() -> None:
    table = Table.of("bot:x", "invite:a", bots=(bot(), bot(), bot()))
    assert [(it.id, it.slot) for it in table.channel.bots] == [
        ("x", "s0"),
        ("judge", "s2"),
        ("judge-2", "s3"),
    ]


def test_a_slot_that_is_not_there_cannot_be_named() -> None:
    with pytest.raises(InvalidRequest, match="no empty bot slot"):
        Table.of("bot:x", "invite:a", bots=(bot(slot="z"),))


def test_a_room_has_no_more_slots_than_its_limit() -> None:
    limits = {**LIMITS, "seats": 2}
    with pytest.raises(TooLarge, match="at most 2"):
        Table.of("bot:x", "invite:a", bots=(bot(), bot()), limits=limits)


def test_a_field_that_is_null_counts_as_left_out() -> None:
    (op,) = read_ops([{"op": "set_bot", "bot_id": "x", "bot_preset": "GuessBot", "bot_code": None}])
    assert op.fields == {"bot_id": "x", "bot_preset": "GuessBot"}


def test_a_seat_that_nobody_holds_is_not_left_when_it_is_yielded() -> None:
    table = Table.of(*SLOTS, bots=(bot(),))
    (invite,) = table.update("host", OPS["yield_slot"])
    assert isinstance(invite, Invite)


def test_start_closes_the_seats_that_were_left_and_those_that_were_never_taken() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated=BOTH)
    table.leave("B")
    table.update("host", OPS["start"])
    assert table.channel.status == "playing"
    assert [slot.state for slot in table.channel.seats] == ["taken", "closed", "closed"]
