"""What is known of a state without asking it again."""

from __future__ import annotations

from dataclasses import asdict, replace

from mcp_multiplayer.channel.model import Channel, once


def test_what_follows_from_a_state_is_made_once_and_belongs_to_no_other() -> None:
    asked = []

    @once
    def length(channel: Channel) -> int:
        asked.append(channel.name)
        return len(channel.name)

    first = Channel(name="a")
    assert (length(first), length(first)) == (1, 1)
    other = replace(first, name="abc")
    assert (length(other), length(first)) == (3, 1)
    assert asked == ["a", "abc"]
    assert first == Channel(name="a") and asdict(first) == asdict(Channel(name="a"))
