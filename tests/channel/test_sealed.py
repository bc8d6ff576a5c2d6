"""What is said in private to a referee that keeps it: who may have it opened, and when."""

from __future__ import annotations

import pytest

from mcp_multiplayer.channel.events import Unseal
from mcp_multiplayer.channel.model import Kept
from mcp_multiplayer.channel.view import is_out
from mcp_multiplayer.errors import BadOp, BotNotFound, NotAdmin, NotMember
from tests.channel.table import BOTH, OPS, Table, bot

SLOTS = ("bot:judge", "invite:alice", "invite:bob", "invite:carol", "watch:wendy")
TO = ("bot:judge",)
OPEN = OPS["open_sealed"]


def keeping(**seated: str) -> Table:
    """A room whose referee keeps what it hears."""
    judge = bot(manifest={"sealed": "kept"})
    return Table.of(*SLOTS, bots=(judge,), seated=BOTH | seated)


def test_who_alone_has_said_something_opens_it_alone() -> None:
    table = keeping()
    table.post("A", to=TO)
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1, "")]
    assert table.channel.bots[0].kept == Kept(since=table.channel.size, nth=1)


def test_all_who_have_said_something_must_agree_and_nobody_else() -> None:
    table = keeping(carol="C")
    table.post("A", to=TO)
    table.post("B", to=TO)
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1)]
    with pytest.raises(BadOp, match="you said nothing"):
        table.update("C", OPEN)
    assert table.update("B", OPEN) == [Unseal("s2", "judge", 1, "")]


def test_to_agree_twice_is_to_agree_once() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.update("A", OPEN)
    assert table.update("A", OPEN) == []
    assert table.channel.bots[0].kept.without() == ("s2",)


def test_who_says_more_has_not_agreed_to_that() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.update("A", OPEN)
    table.post("A", to=TO)
    assert table.update("B", OPEN) == [Unseal("s2", "judge", 1)]
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1, "")]


def test_what_is_said_after_the_opening_is_kept_again() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.update("A", OPEN)
    assert table.update("A", OPEN) == []  # the answer to the last one was lost
    table.post("A", to=TO)
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1, "")]
    assert table.channel.bots[0].kept.nth == 2


def test_what_somebody_said_who_has_left_is_opened_by_nobody_else() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.leave("B")
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1)]
    with pytest.raises(NotMember):
        table.update("B", OPEN)
    assert table.channel.bots[0].kept.without() == ("s2",)


def test_who_takes_a_seat_over_with_its_token_speaks_for_what_was_said_from_it() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.take_over("A2", "alice")
    assert table.update("A2", OPEN) == [Unseal("s1", "judge", 1, "")]


def test_who_takes_another_seat_over_has_not_agreed_for_it() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.update("A", OPEN)
    table.take_over("A", "bob")
    assert table.channel.bots[0].kept.without() == ("s1", "s2")
    assert table.update("A", OPEN, seat="bob") == [Unseal("s2", "judge", 1, "")]


def test_who_comes_back_to_a_seat_agrees_again() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.update("A", OPEN)
    table.take_over("A2", "alice")
    table.update("B", OPEN)
    table.take_over("A", "alice")
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1, "")]


def test_who_was_told_something_in_private_has_to_agree_too() -> None:
    table = keeping(carol="C")
    table.post("A", to=TO)
    table.ran(out=[{"k": "bot", "d": "digest", "to": ["carol"]}], end={"winners": []})
    table.expire()
    assert table.channel.bots[0].kept.without() == ("s1", "s3")
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1)]
    assert table.update("C", OPEN) == [Unseal("s3", "judge", 1, "")]


def test_what_it_dealt_is_not_opened_while_its_dice_are_not_out() -> None:
    """The key that opens its states would tell what it drew for others."""
    table = keeping()
    table.post("A", to=TO)
    table.ran()
    with pytest.raises(BadOp, match="dice of bot:judge are not out"):
        table.update("A", OPEN)
    table.ran(end={"winners": []})
    assert table.update("A", OPEN) == [Unseal("s1", "judge", 1, "")]


def test_after_the_end_it_is_not_opened_while_another_game_is_dealt() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.ran(end={"winners": []})
    table.ran()
    table.ran(rng=["kid", 0, 1])
    with pytest.raises(BadOp, match="dice of bot:judge are not out"):
        table.update("A", OPEN)


def test_what_was_said_to_the_referee_before_is_not_opened_by_who_speaks_to_the_next() -> None:
    judge = bot(manifest={"sealed": "kept"})
    table = Table.of("bot:judge", "invite:alice:admin", "invite:bob", bots=(judge,), seated=BOTH)
    table.post("B", to=TO)
    said = table.channel.size
    table.leave("B")
    table.update("A", OPS["set_bot"], bots={0: judge})
    table.post("A", to=TO)
    assert table.channel.bots[0].kept.since > said
    assert table.update("A", OPEN) == [Unseal("s1", "judge", table.channel.bots[0].at, "")]


def test_what_is_said_to_players_or_to_all_is_not_kept() -> None:
    table = keeping()
    table.post("A")
    table.post("A", to=("bob",))
    with pytest.raises(BadOp, match="you said nothing"):
        table.update("A", OPEN)


def test_a_referee_that_opens_everything_at_the_end_keeps_nothing() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated=BOTH)
    table.post("A", to=TO)
    with pytest.raises(BadOp, match="opened when the game ends"):
        table.update("A", OPEN)
    assert table.channel.bots[0].kept == Kept(since=1)


@pytest.mark.parametrize(
    ("who", "ops", "error"),
    [
        ("A", [{"op": "open_sealed", "bot_id": "nobody"}], BotNotFound),
        ("A", [OPEN, OPEN], BadOp),
        ("A", [OPEN, OPS["rename"]], NotAdmin),
        ("W", [OPEN], NotAdmin),
        ("eve", [OPEN], NotMember),
    ],
)
def test_it_is_refused_with_a_reason(
    who: str, ops: list[dict[str, object]], error: type[Exception]
) -> None:
    table = keeping(wendy="W")
    table.post("A", to=TO)
    before = table.channel
    with pytest.raises(error):
        table.update(who, *ops)
    assert table.channel == before


def test_a_kept_word_is_out_only_when_it_was_opened() -> None:
    table = keeping()
    table.ran(rng=["kid", 0, 1], now=table.now, st=["a", "b"])
    table.post("A", to=TO)
    said = table.said[-1]
    table.ran(end={"winners": []}, rng=["kid", 1, 1], now=table.now, st=["b", "c"])
    assert table.channel.bots[0].dice.first > said.entry  # the seed is out
    assert not is_out(table.channel, said)
    table.update("A", OPEN)
    assert is_out(table.channel, said)


def test_everybody_reads_who_has_agreed_and_whether_it_is_open() -> None:
    table = keeping()
    table.post("A", to=TO)
    table.post("B", to=TO)
    table.update("A", OPEN)
    table.update("B", OPEN)
    told = [dict(one.body) for one in table.said if one.body.get("type") == "open_sealed"]
    assert told == [
        {"type": "open_sealed", "player_id": "alice", "bot_id": "judge", "opened": False},
        {"type": "open_sealed", "player_id": "bob", "bot_id": "judge", "opened": True},
    ]
