"""The design's bots that ask the internet, in a room of the real pair, against an HTTPS server
of ours: names led there by BOT_EGRESS_RESOLVE, trusted by BOT_EGRESS_CA_FILE."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.players import rest
from tests.sandbox.outside import listening, make_chain
from tests.test_design_examples import EXAMPLES, by, calls, make, of_type, whole

pytestmark = pytest.mark.servers

TLS_BOT = """
import socket
import ssl

class TLSBot:
    def on_message(self, msg):
        host = msg['body']['text']
        context = ssl.create_default_context()
        with socket.create_connection((host, 443), timeout=3) as raw:
            with context.wrap_socket(raw, server_hostname=host) as sock:
                names = [name for _, name in sock.getpeercert()['subjectAltName']]
        with open(self.ctx.workspace + '/names.txt', 'w') as file:
            file.write(' '.join(names))
        self.ctx.post('bot', {'names': open(self.ctx.workspace + '/names.txt').read()})
"""


async def test_bots_of_a_room_ask_the_servers_they_may_and_no_others(tmp_path: Path) -> None:
    ca, tls = make_chain(tmp_path)
    async with listening(tls) as server:
        pair = Pair(
            tmp_path / "pair",
            BOT_EGRESS="none",
            BOT_EGRESS_RESOLVE=f"api.coinbase.com:443=127.0.0.1:{server.port}",
            BOT_EGRESS_CA_FILE=str(ca),
        )
        await asyncio.to_thread(pair.start)
        try:
            await play(pair)
        finally:
            await asyncio.to_thread(pair.stop)


async def play(pair: Pair) -> None:
    async with rest(pair.base, "alice") as alice:
        create, _, post = calls(EXAMPLES["Quick Demo: Bitcoin Price Bot"][0])
        made = await make(alice, create)
        room = made["channel_id"]
        await alice.call("join_channel", invite_code=made["invites"][0])
        answer = await make(alice, post, {"...": room})
        assert by(answer["messages"], "bot:price-bot") == [
            {"text": "💰 Current BTC: $114609.375 USD"}
        ]

        sandboxed = EXAMPLES["Bot Sandboxing"][1]
        made = await alice.call(
            "create_channel", slots=["bot:b", "invite:a"], bot_code=sandboxed, join_as="a"
        )
        (ready,) = of_type(await whole(alice, made["channel_id"]), "ready")
        assert ready["message"] == "BTC price: $97"

        made = await alice.call(
            "create_channel", slots=["bot:tls", "invite:a"], bot_code=TLS_BOT, join_as="a"
        )
        for host, said in (("api.coinbase.com", 1), ("127.0.0.1", 0), ("other.example", 0)):
            answer = await alice.call("post_message", channel_id=made["channel_id"], body=host)
            assert len(by(answer["messages"], "bot:tls")) == said
            refused = of_type(answer["messages"], "bot:error")
            assert [body["error"] for body in refused] == ["PermissionError"] * (1 - said)
