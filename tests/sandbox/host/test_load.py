"""Workers that are ready follow the load."""

from __future__ import annotations

from mcp_multiplayer.sandbox.host.load import HALF_LIFE, Load


def test_a_rush_is_remembered_and_fades() -> None:
    now = 0.0
    load = Load(now=lambda: now)
    for at_work in (1, 8, 3):
        load.see(at_work)
    assert load.lately() == 8
    now += HALF_LIFE
    assert load.lately() == 4
    load.see(6)
    assert load.lately() == 6
    now += 5 * HALF_LIFE
    assert load.lately() == 0
