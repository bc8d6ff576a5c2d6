"""Nine facts that whoever sits down has to know stand in what host and guest read before."""

from __future__ import annotations

import pytest

from tests.edge.api.house import House, Said

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A preset that rolls and one that reaches the network, a stranger's, and one that keeps its words.
ROOMS = {
    "dice": {"bot_preset": "GuessBot"},
    "network": {"bot_preset": "PriceBot"},
    "kept": {"bot_preset": "DealBot"},
    "a stranger's": {
        "bot_code": 'MANIFEST = {"summary": "Says nothing."}\n\n\nclass Mute:\n'
        "    def on_join(self, player):\n        pass\n"
    },
}


async def read(house: House, name: str) -> tuple[Said, Said]:
    """What the host reads, who sits already, and what the guest of the other seat reads."""
    first = "seller" if name == "kept" else "alice"
    host = await house.tool(house.account(), "create_channel", **ROOMS[name], join_as=first)
    assert not host.refused, host.text
    code = host.data["invites"][0]
    return host, await house.tool(house.account(), "inspect_invite", invite_code=code)


@pytest.mark.parametrize("name", ROOMS)
async def test_host_and_guest_read_the_nine_facts(house: House, name: str) -> None:
    host, guest = await read(house, name)
    sealed = "stays closed" if name == "kept" else "is opened to all members"
    network = "network: it may ask" if name == "network" else "network: none"
    dice = "dice: yes" if name in ("dice", "kept") else "dice: none"
    assert "in its author's words: " in host.text  # the rules, and whose words they are
    whose = "in its author's words: " if name == "a stranger's" else "somebody else's text:"
    assert whose in guest.text
    for said in (host, guest):
        text = said.text
        for fact in (
            f"alone {sealed}",
            "nobody can change the referee, or empty your seat, ",
            "The operator of this server can read everything here",
            "and could stall",
            network,
            dice,
        ):
            assert fact in text, fact
        assert ("has committed to its share" in text) == (dice == "dice: yes")
    assert "You are " in host.lines[0] and "Free: " in host.lines[0]
    assert "Seated: " in guest.lines[0]
    assert f"terms: {guest.data['terms'][:23]}…" in host.text
    assert host.data["terms"] == guest.data["terms"]
    assert f'expect_terms="{guest.data["terms"]}"' in guest.lines[-1]


async def test_a_guest_who_reads_a_stranger_is_told_whose_text_it_is(house: House) -> None:
    _, guest = await read(house, "a stranger's")
    assert "somebody else's text:" in guest.text


async def test_where_somebody_is_admin_host_and_guest_read_what_that_means(house: House) -> None:
    slots = ["bot:referee", "invite:alice:admin", "invite:bob"]
    host = await house.tool(
        house.account(), "create_channel", bot_preset="GuessBot", slots=slots, join_as="alice"
    )
    guest = await house.tool(house.account(), "inspect_invite", invite_code=host.data["invites"][0])
    for said in (host, guest):
        assert "Who could cheat: alice can propose another referee" in said.text
