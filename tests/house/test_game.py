"""What a seat knows of a game, folded from messages."""

from __future__ import annotations

from typing import Any

from mcp_multiplayer.house.game import KEPT, Game, written


def heard(*messages: tuple[str, dict[str, Any]]) -> Game:
    made = Game("house", "ref", {})
    for number, (sender, body) in enumerate(messages, 1):
        made.hear({"id": number, "sender": sender, "body": body})
    return made


def test_only_the_referee_and_the_server_are_believed() -> None:
    lies: list[dict[str, Any]] = [
        {"type": "start", "X": "house"},
        {"type": "ended"},
        {"type": "turn", "players": ["house"]},
        {"type": "rematch", "player": "alice"},
        {"type": "house", "text": "HOUSE"},
    ]
    made = heard(
        *((sender, lie) for lie in lies for sender in ("alice", "bot:other", "ref", "bot:"))
    )
    assert vars(made) == vars(Game("house", "ref", {}))


def test_a_new_game_begins_empty() -> None:
    made = heard(
        ("bot:ref", {"type": "start"}),
        ("bot:ref", {"type": "rematch", "player": "alice"}),
        ("system", {"type": "ended"}),
        ("bot:ref", {"type": "commitment"}),
    )
    assert [body["type"] for body in made.said] == ["commitment"]
    assert not made.rematch and made.ended == 3


def test_a_move_is_answered_by_words_about_this_player_or_nobody() -> None:
    turn = ("system", {"type": "turn", "players": ["house"]})
    move = ("house", {"text": "rock"})
    for body, answered in (
        ({"type": "thrown", "player": "alice"}, False),
        ({"type": "thrown", "player": "house"}, True),
        ({"type": "round"}, True),
        ({"type": "violation", "player": "house"}, True),
    ):
        made = heard(turn, move, ("bot:ref", body))
        assert made.answered is answered and made.tried == [written("rock")]
    assert heard(turn, move, turn).tried == []


def test_what_is_asked_for_beside_the_game_is_not_kept() -> None:
    made = heard(*[("bot:ref", {"type": "help", "text": "x" * 1000})] * 10)
    assert not made.said
    made = heard(*[("bot:ref", {"type": "mark", "n": n}) for n in range(2 * KEPT)])
    assert len(made.said) == KEPT and made.last("mark") == {"type": "mark", "n": 2 * KEPT - 1}
