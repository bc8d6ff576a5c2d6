"""A member's copy of the record: whole, its own secrets only, by a link that dies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mcp_multiplayer.transcript.entries import verify
from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What a test keeps of a zip: its members by name.
Files = dict[str, bytes]


async def record(
    house: House, account: str, channel_id: str, **asked: Any
) -> tuple[dict[str, Any], Files]:
    said = await house.rest(account, "get_transcript", channel_id=channel_id, **asked)
    answer = await house.http.get(urlsplit(said.data["url"]).path)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        return said.data, {name: bundle.read(name) for name in bundle.namelist()}


async def test_the_entries_hash_to_the_head_that_was_named(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    said, files = await record(house, pair.alice, pair.id)
    leaves = files["entries.jsonl"].splitlines()
    assert len(leaves) == said["size"]
    root = base64.b64encode(verify(leaves).root).decode()
    assert root == said["root"] == files["checkpoint"].decode().split("\n")[2]


async def test_source_and_library_are_in_it_under_their_hashes(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    _, files = await record(house, pair.bob, pair.id)
    blobs = [name for name in files if name.startswith("blobs/")]
    assert blobs == ["blobs/" + hashlib.sha256(files[name]).hexdigest() for name in blobs]
    texts = sorted(files[name].partition(b":")[0] for name in blobs)
    assert texts == [b'"""GuessBot', b'"""referee']


async def test_a_whisper_is_opened_for_its_ends_and_for_nobody_else(house: House) -> None:
    pair = await house.pair(slots=["invite:alice", "invite:bob", "invite:carol"])
    carol = house.account()
    await house.rest(carol, "join_channel", invite_code=pair.opened["invites"][1])
    await house.rest(
        pair.alice, "post_message", channel_id=pair.id, body="the word is heron", to=["bob"]
    )
    for account, sees in ((pair.alice, True), (pair.bob, True), (carol, False)):
        _, files = await record(house, account, pair.id, private=True)
        assert (b"heron" in files["openings.jsonl"]) is sees
        assert b"heron" not in files["entries.jsonl"]


async def test_a_successor_gets_no_whisper_to_the_last_occupant(house: House) -> None:
    pair = await house.pair(slots=["invite:alice:admin", "invite:bob"])
    await house.rest(
        pair.alice, "post_message", channel_id=pair.id, body="the word is heron", to=["bob"]
    )
    ops = [{"op": "yield_slot", "player_id": "bob"}]
    fresh = await house.rest(pair.alice, "update_channel", channel_id=pair.id, ops=ops)
    successor = house.account()
    await house.rest(successor, "join_channel", invite_code=fresh.data["invites"][0])
    _, files = await record(house, successor, pair.id, private=True)
    assert b"heron" not in b"".join(files.values())


async def test_no_code_no_token_and_no_account_is_in_it(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    said, files = await record(house, pair.alice, pair.id)
    ticket = urlsplit(said["url"]).path.rpartition("/")[2].partition(".")[0]
    ticket = ticket.removeprefix("record_")
    claims = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    secrets = [*pair.opened["invites"], pair.opened["rejoin_token"], pair.joined["rejoin_token"]]
    for secret in [*secrets, pair.alice, pair.bob]:
        assert secret.encode() not in b"".join(files.values()) + claims


async def test_the_creator_without_a_seat_gets_no_record(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(host, "get_transcript", channel_id=room["channel_id"])
    assert said.refused == "NOT_MEMBER"


async def test_a_changed_link_opens_nothing(house: House) -> None:
    pair = await house.pair()
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id)
    path = urlsplit(said.data["url"]).path
    for changed in (path[:-1], path + "A", path.replace(".", "A."), "/transcript/x", path[:20]):
        answer = await house.http.get(changed)
        assert answer.status_code == 404, changed


async def test_the_link_dies_with_the_seat(house: House) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "get_transcript", channel_id=pair.id)
    await house.rest(pair.bob, "leave_channel", channel_id=pair.id)
    answer = await house.http.get(urlsplit(said.data["url"]).path)
    assert (answer.status_code, answer.json()["error"]) == (404, "INVITE_INVALID")


async def test_inline_gives_the_same_entries(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    _, files = await record(house, pair.alice, pair.id)
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, format="inline")
    assert said.data["entries"] == [json.loads(x) for x in files["entries.jsonl"].splitlines()]
    assert said.data["more"] is False


async def test_nothing_in_it_calls_a_play_proven(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    said = await house.tool(pair.alice, "get_transcript", channel_id=pair.id)
    _, files = await record(house, pair.alice, pair.id)
    assert b"verifier.pyz" in files["README.txt"]
    for word in ("proven", "provable", "fair"):
        assert word not in (said.text + files["README.txt"].decode()).lower()


async def test_the_record_and_the_verifier_that_are_served_fit_each_other(
    house: House, tmp_path: Path
) -> None:
    """Fetched as anybody would, run as anybody would."""
    pair = await house.pair(bot_preset="GuessBot", entropy="alice 0123456789abcdef")
    await house.rest(pair.alice, "post_message", channel_id=pair.id, body="concede")
    said = await house.rest(pair.bob, "get_transcript", channel_id=pair.id)
    for name, path in (("game.zip", urlsplit(said.data["url"]).path), ("v.pyz", "/verifier.pyz")):
        answer = await house.http.get(path)
        assert answer.status_code == 200
        (tmp_path / name).write_bytes(answer.content)
    invite = pair.opened["invites"][0]
    command = ["v.pyz", "game.zip", "--json", "--invite", invite]
    line = f"bob: {said.data['size']} {said.data['root']}"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-S", *command, "--me", "alice", "--line", line],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    report = json.loads(done.stdout)
    state = {one["line"]: one["state"] for one in report["verdict"]}
    assert [state[line] for line in ("RULES", "RECORD", "SAME FOR ALL")] == ["PROVEN"] * 3, report
    assert "pins" in next(one["reason"] for one in report["verdict"] if one["line"] == "RECORD")
