"""An operator puts an older channels.db back, rotates the log key, or brings another Python.

Real file, real server on a port, real callers; the database is copied aside and back as
docs/operations.md says. Rooms that lost entries behind a signed head are closed and told so in
words; all others go on.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.service.log_keys import LogKeys, rotate
from mcp_multiplayer.transcript import checkpoint
from tests.edge.api.house import House, Pair, Said, open_house

ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx

    def on_message(self, msg):
        self.ctx.post("bot", {"echo": msg["body"]})
"""
Head = dict[str, Any]
PROVEN = "  PROVEN      RULES"


def running(data: Path) -> Any:
    return open_house(data, database_url="")


def copied(source: Path, target: Path) -> None:
    """SQLite's own backup, as docs/operations.md has it."""
    with sqlite3.connect(source) as one, sqlite3.connect(target) as two:
        one.backup(two)
    one.close()
    two.close()


def put_back(data: Path, backup: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (data / f"channels.db{suffix}").unlink(missing_ok=True)
    copied(backup, data / "channels.db")


async def post(house: House, room: Pair, text: str) -> Said:
    said = await house.tool(room.alice, "post_message", channel_id=room.id, body=text)
    assert not said.refused, said.text
    return said


async def view(house: House, room: Pair) -> Head:
    said = await house.tool(room.alice, "get_channel_info", channel_id=room.id)
    return dict(said.data["view"])


async def entries(house: House, room: Pair) -> list[dict[str, Any]]:
    said = await house.rest(room.alice, "get_transcript", channel_id=room.id, format="inline")
    return list(said.data["entries"])


def signer(head: Head, origin: str, vkeys: list[str]) -> str:
    """Whose signature a head carries."""
    note_text = f"{origin}\n{head['size']}\n{head['root']}\n\n— {origin} {head['signature']}\n"
    return checkpoint.open_note(note_text, vkeys).signers[0]


def origin_of(room: Pair) -> str:
    return f"localhost:8100/c/{room.id}"


async def verdict(house: House, account: str, channel_id: str, file: Path) -> str:
    """What the verifier prints of the room's record; nothing is violated."""
    said = await house.rest(account, "get_transcript", channel_id=channel_id)
    path = said.data["url"].removeprefix("http://localhost:8100")
    return await asyncio.to_thread(judged, file, (await house.http.get(path)).content)


def judged(file: Path, record: bytes) -> str:
    file.write_bytes(record)
    done = subprocess.run(
        [sys.executable, "-m", "mcp_multiplayer.verifier", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "channels.db"


async def test_rooms_that_lost_signed_entries_are_closed_and_say_so(
    data: Path, backup: Path
) -> None:
    async with running(data) as house:
        lost, kept = await house.pair(), await house.pair()
        quiet = await house.pair(bot_code=ECHO)
        for room in (lost, kept, quiet):
            await post(house, room, "before")
        copied(data / "channels.db", backup)
        last = (await post(house, lost, "after")).data
        same = (await view(house, kept))["head"]
    put_back(data, backup)
    async with running(data) as house:
        listed = await house.tool(lost.bob, "list_channels")
        assert f'{lost.id} "' in listed.text and ": closed, " in listed.text
        refused = await house.tool(
            lost.alice, "post_message", channel_id=lost.id, body="more", cursor=last["cursor"]
        )
        assert "server has lost" in refused.text, "by the cursor or by the room"
        await _is_told(house, lost, last)
        assert (await view(house, kept))["head"] == same
        assert "signature" in (await post(house, kept, "on")).data["view"]["head"]
        answered = await post(house, quiet, "on")
        assert answered.data["messages"][-1]["body"] == {"echo": {"text": "on"}}
    async with running(data) as house:  # once closed it stays as it is
        told = await verdict(house, lost.alice, lost.id, backup.with_name("lost.zip"))
        assert "I_RESTORED" in told
        told = await verdict(house, quiet.alice, quiet.id, backup.with_name("quiet.zip"))
        assert PROVEN in told
        written = [entry["t"] for entry in await entries(house, lost)]
        assert written.count("restored") == 1 and written[-1] == "restored"


async def _is_told(house: House, room: Pair, last: Head) -> None:
    """What a member reads of a room that lost what ``last`` had signed."""
    again = await house.tool(room.bob, "post_message", channel_id=room.id, body="hello?")
    signed = last["view"]["head"]
    (entry,) = (e for e in await entries(house, room) if e["t"] == "restored")
    assert entry["size"] == signed["size"]
    stale = await house.tool(room.bob, "sync_messages", channel_id=room.id, cursor=99, timeout_ms=0)
    assert "the server has lost later ones" in stale.text
    synced = await house.tool(room.bob, "sync_messages", channel_id=room.id, timeout_ms=0)
    assert '"reason":"entries were lost"' in synced.text
    info = await house.tool(room.bob, "get_channel_info", channel_id=room.id)
    link = await house.tool(room.bob, "get_transcript", channel_id=room.id)
    receipt = await house.tool(room.bob, "get_transcript", channel_id=room.id, entry=0)
    assert again.refused == "CHANNEL_CLOSED" and "closed for good" in again.text
    assert receipt.refused == "INVALID_REQUEST" and "not signed" in receipt.text
    for said in (synced, info):
        assert "signature" not in said.data["view"]["head"]
        assert "the server has lost entries of this room" in said.lines[-1]
    for said in (synced, info, link):
        assert re.search(r"^log: \d+ entries, root \S+, not signed$", said.text, re.M)
    assert info.data["view"]["status"] == "closed"


async def test_a_backup_as_old_as_the_last_signed_head_goes_on(data: Path, backup: Path) -> None:
    async with running(data) as house:
        room = await house.pair(bot_code=ECHO)
        head = (await post(house, room, "one")).data["view"]["head"]
        copied(data / "channels.db", backup)
    put_back(data, backup)
    async with running(data) as house:
        assert (await view(house, room))["head"] == head
        after = (await post(house, room, "two")).data["view"]
        assert after["status"] == "playing" and "signature" in after["head"]


async def test_without_the_record_of_signed_heads_the_server_goes_on(
    data: Path, backup: Path
) -> None:
    """It cannot tell; whoever kept a later head can."""
    async with running(data) as house:
        room = await house.pair()
        await post(house, room, "before")
        copied(data / "channels.db", backup)
        late = (await post(house, room, "after")).data["view"]["head"]
    put_back(data, backup)
    (data / "signed-heads").unlink()
    async with running(data) as house:
        other = (await post(house, room, "another")).data["view"]["head"]
    assert other["size"] == late["size"] and other["root"] != late["root"]
    origin, ring = origin_of(room), LogKeys.load(data / "keys")
    assert {signer(head, origin, ring.vkeys(origin)) for head in (other, late)} == {
        ring.newest.vkey(origin)
    }, "two heads of one size, each signed: the proof in the hand of that member"


async def test_after_a_rotation_open_rooms_go_on_under_the_new_key(data: Path) -> None:
    async with running(data) as house:
        room, shut = await house.pair(bot_code=ECHO), await house.pair()
        await post(house, room, "one")
        before = (await view(house, room))["head"]
        await house.rest(shut.alice, "leave_channel", channel_id=shut.id)
    old = LogKeys.load(data / "keys").newest
    rotate(data / "keys")
    new = LogKeys.load(data / "keys").newest
    origin = origin_of(room)
    both = [old.vkey(origin), new.vkey(origin)]
    assert signer(before, origin, both) == both[0]
    async with running(data) as house:
        after = (await post(house, room, "two")).data["view"]["head"]
        log = await entries(house, room)
        assert PROVEN in await verdict(house, room.alice, room.id, data / "room.zip")
    assert [entry["t"] for entry in log][before["size"] :] == ["key", "msg", "run"]
    (entry,) = (e for e in log if e["t"] == "key")
    assert entry["vkey"] == both[1]
    assert set(checkpoint.open_note(entry["note"], both).signers) == set(both)
    assert signer(after, origin, both) == both[1]


async def test_a_closed_room_stays_with_the_key_that_closed_it(data: Path) -> None:
    async with running(data) as house:
        host = house.account()
        room = await house.room(host, slots=["invite:alice"], join_as="alice")
        channel_id = room["channel_id"]
        ops = [{"op": "close"}]
        closed = await house.rest(host, "update_channel", channel_id=channel_id, ops=ops)
        head = closed.data["view"]["head"]
    old = LogKeys.load(data / "keys").newest
    rotate(data / "keys")
    async with running(data) as house:
        info = await house.rest(host, "get_channel_info", channel_id=channel_id)
        said = await house.rest(host, "get_transcript", channel_id=channel_id, format="inline")
        assert "  PROVEN      RECORD" in await verdict(house, host, channel_id, data / "room.zip")
    assert info.data["view"]["head"] == head
    assert "key" not in [entry["t"] for entry in said.data["entries"]]
    origin = f"localhost:8100/c/{channel_id}"
    assert signer(head, origin, [old.vkey(origin)]) == old.vkey(origin)


async def test_on_another_python_a_room_says_so_before_its_next_hook(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(data) as house:
        room = await house.pair(bot_code=ECHO)
        await post(house, room, "one")
    monkeypatch.setattr(
        "mcp_multiplayer.service.signing.runtime", lambda: "cpython-9.9.9+00000000/mpx-9"
    )
    async with running(data) as house:
        for text in ("two", "three"):
            await post(house, room, text)
        log = await entries(house, room)
        assert PROVEN in await verdict(house, room.alice, room.id, data / "room.zip")
    kinds = [entry["t"] for entry in log]
    assert kinds[-5:] == ["msg", "runtime", "run", "msg", "run"]
    assert json.dumps(log).count("cpython-9.9.9+00000000/mpx-9") == 1
