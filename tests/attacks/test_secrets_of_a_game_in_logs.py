"""Somebody reads the operator's log, or steals the disk, and looks for a way in or for what was
whispered. A whole game at DEBUG, with its mistakes, leaves no secret in either.

Stopped by logging nothing that anybody sent (edge, service), by libraries staying at WARNING
(edge/serve.py), and by keeping hashes only (edge/auth/database.py, channel/invite_codes.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import SERVER, Pair
from tests.players import Player, Rest, Tools, rest, sdk_client, to

pytestmark = pytest.mark.servers

PASSCODE = "swordfish-and-chips"
TELLTALE = """
class Telltale:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_message(self, msg):
        print("printed-by-the-bot", msg)
        self.ctx.set_state({"kept": "state-of-the-bot"})
        if msg["body"].get("text") == "fail":
            raise ValueError("raised-by-the-bot " + str(msg))
        public, private = {"text": "seen-by-all"}, {"hand": "dealt-to-alice"}
        self.ctx.post("bot", public, private=private, to=["alice"])
"""


@dataclass
class Evidence:
    """What was used, and where it might have been left."""

    pair: Pair
    keys: set[str] = field(default_factory=set)  #: open something: nowhere in clear
    words: set[str] = field(default_factory=set)  #: said or sent by somebody: not in a log


@asynccontextmanager
async def game(directory: Path) -> AsyncIterator[Evidence]:
    """Play with whispers, mistakes, a refresh, a revocation and a crash; tell what was secret."""
    pair = Pair(directory, LOG_LEVEL="DEBUG", ACCESS_PASSCODE=PASSCODE)
    evidence = Evidence(pair, keys={PASSCODE})
    try:
        pair.start()
        async with (
            sdk_client(f"{pair.base}/mcp", "alice", passcode=PASSCODE) as alice,
            rest(pair.base, "bob", PASSCODE) as bob,
        ):
            await _play(evidence, alice, bob)
            await _stumble(evidence, alice, bob)
            pair.kill(SERVER)
            await bob.call("list_channels")
            evidence.keys |= alice.secrets() | bob.secrets()
            evidence.keys |= await _renew(pair, alice)
            yield evidence
    finally:
        pair.stop()


async def _play(evidence: Evidence, alice: Player, bob: Player) -> None:
    made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
    room, link = made["channel_id"], made["invite_links"]["bob"]
    await bob.call("inspect_invite", invite_code=link)
    joined = await bob.call("join_channel", invite_code=link)
    evidence.keys |= {*made["invites"], made["rejoin_token"], joined["rejoin_token"]}

    def said(text: str) -> str:
        evidence.words.add(text)
        return text

    await alice.call("post_message", channel_id=room, body=said("spoken-aloud"))
    whisper = said("whispered-to-bob")
    await alice.call("post_message", channel_id=room, body=whisper, to=["bob"])
    sealed = {"type": "bid", "text": said("whispered-to-the-referee")}
    await bob.call("post_message", channel_id=room, body=sealed, to=["bot:guess-referee"])
    await alice.call("post_message", channel_id=room, body="concede")
    read = await bob.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0)
    assert whisper in [m["body"].get("text") for m in read["messages"]]
    evidence.words |= {m["body"]["salt"] for m in read["messages"] if "salt" in m["body"]}


async def _stumble(evidence: Evidence, alice: Tools, bob: Rest) -> None:
    """What goes wrong in real life, each time with a secret in the wrong place."""
    made = await alice.call(
        "create_channel",
        name="named-by-alice",
        slots=["bot:telltale", "invite:alice", "invite:bob"],
        bot_code=TELLTALE,
        join_as="alice",
    )
    room, (invite,), token = made["channel_id"], made["invites"], made["rejoin_token"]
    evidence.keys |= {invite, token}
    evidence.words |= {"printed-by-the-bot", "raised-by-the-bot", "state-of-the-bot"}
    evidence.words |= {"dealt-to-alice", "seen-by-all", "named-by-alice", "Telltale"}
    dealt = await alice.call("post_message", channel_id=room, body="tell")
    assert "dealt-to-alice" in dealt["text"]
    failed = await alice.call("post_message", channel_id=room, body="fail")
    assert "raised-by-the-bot" in failed["text"]  # the creator's author log
    # The invite of this room is live: posting it is refused, and so is guessing at others.
    for body in (invite, f"{bob.http.base_url}join#{invite}", token):
        await alice.refusal("post_message", channel_id=room, body=body)
    await alice.refusal("join_channel", invite_code=token[:-1])
    await alice.refusal("post_message", channel_id=token, body="x")
    await alice.refusal("post_message", channel_id=room, body="x", **{invite: token})
    await alice.refusal("post_message", channel_id=room, body="x", seat=token)
    http, header = bob.http, bob.header
    for path in (f"/{invite}", f"/join/{token}", f"/who?channel_id={token}&access_token=x"):
        await http.get(path, headers=header)
    await http.post("/join_channel", content=f'{{"invite_code": "{invite}"', headers=header)
    await http.post("/token", data={"grant_type": token, "code": invite, "client_secret": token})
    await http.post("/register", content=invite, headers={"Authorization": f"Bearer {PASSCODE}"})
    await http.get("/oauth/authorize", params={"client_id": token, "redirect_uri": invite})
    await http.get("/list_channels", headers={"Authorization": f"Bearer {token}"})
    await bob.call("join_channel", invite_code=invite)


async def _renew(pair: Pair, alice: Tools) -> set[str]:
    """Refresh alice's token, replay the old one, revoke the new; return what was issued."""
    client, tokens = alice.login()
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    who = {"client_id": client.client_id, "client_secret": client.client_secret}
    async with to(pair.base) as http:
        fresh = (await http.post("/token", data=form | who)).json()
        await http.post("/revoke", data={"token": fresh["refresh_token"]} | who)
        await http.post("/token", data=form | who)
    return {fresh["access_token"], fresh["refresh_token"]}


async def test_no_secret_of_a_whole_game_is_in_the_log_or_on_the_disk(tmp_path: Path) -> None:
    async with game(tmp_path / "pair") as evidence:
        output = evidence.pair.output
        data = {
            str(path.relative_to(tmp_path)): path.read_bytes()
            for path in (tmp_path / "pair" / "data").rglob("*")
            if path.is_file()
        }
    assert " DEBUG " in output, "the log was to be read at DEBUG"
    assert "Traceback" not in output
    assert len(evidence.keys) >= 14
    logged = {secret for secret in evidence.keys | evidence.words if secret in output}
    assert not logged
    stored = {
        (name, key) for name, text in data.items() for key in evidence.keys if key.encode() in text
    }
    assert not stored
