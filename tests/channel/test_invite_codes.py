"""How codes and tokens are written and found."""

from __future__ import annotations

import pytest

from mcp_multiplayer.channel import invite_codes

INVITE = invite_codes.invite_code(bytes(range(15)))
REJOIN = invite_codes.rejoin_token(b"key", "chn_x", "s1", 0)


@pytest.mark.parametrize(
    "text",
    [
        INVITE,
        f"https://mp.example/join#{INVITE}",
        f"{INVITE}.4.ABCDEFGHIJKLMNOPQRSTUVWXYZ23",
        f"Join this room: https://mp.example/join#{INVITE}.4.ABC and play.",
    ],
)
def test_a_code_is_found_in_a_link_and_without_the_head_it_carries(text: str) -> None:
    assert invite_codes.code_in(text) == INVITE


def test_a_rejoin_token_is_one_though_chance_wrote_an_invite_into_it() -> None:
    token = "rejoin_" + "inv_abcdefgh".ljust(43, "x")
    assert invite_codes.code_in(token) == token


def test_each_occupancy_of_each_seat_has_a_rejoin_token_of_its_own() -> None:
    others = [("chn_y", "s1", 0), ("chn_x", "s2", 0), ("chn_x", "s1", 1)]
    made = {invite_codes.rejoin_token(b"key", *one) for one in others}
    assert len(made | {REJOIN, invite_codes.rejoin_token(b"other", "chn_x", "s1", 0)}) == 5


@pytest.mark.parametrize("around", ["{}", "_{}_", "x{}x", "({})."])
def test_a_token_is_found_whatever_touches_it(around: str) -> None:
    for secret in (INVITE, REJOIN):
        assert secret in invite_codes.secrets_in(around.format(secret))
