"""What a member takes away of the log: signed heads, receipts, openings, a say in the dice."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from typing import Any

import pytest

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.edge.api.guides import GUIDES
from mcp_multiplayer.transcript import checkpoint, merkle, proofs, seeds
from mcp_multiplayer.transcript.canonical_json import canonical
from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

A, B = "alice's words, nobody knows them", "bob's, and they are other ones"


def signed(head: dict[str, Any], origin: str) -> str:
    """The whole note of what an answer shows of it."""
    text = checkpoint.checkpoint(origin, head["size"], base64.b64decode(head["root"]))
    return f"{text}\n— {origin} {head['signature']}\n"


async def test_every_answer_carries_a_head_that_its_rooms_key_has_signed(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id)
    origin, vkey = said.data["origin"], said.data["vkey"]
    posted = await house.rest(pair.alice, "post_message", channel_id=pair.id, body="guess 5")
    for head in (said.data, posted.data["view"]["head"]):
        assert checkpoint.open_note(signed(head, origin), [vkey]).signers == (vkey,)


async def test_a_receipt_shows_that_an_entry_stands_in_a_signed_head(house: House) -> None:
    pair = await house.pair()
    posted = await house.rest(pair.alice, "post_message", channel_id=pair.id, body="for the record")
    entry = posted.data["view"]["head"]["size"] - 1
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, entry=entry)
    index, proof, head = proofs.read_tlog_proof(said.data["receipt"])
    opened = checkpoint.read_checkpoint(checkpoint.open_note(head, [said.data["vkey"]]).text)
    leaf = merkle.leaf_hash(said.data["leaf"].encode())
    assert index == entry
    assert json.loads(said.data["leaf"])["m"]["b"] == {"text": "for the record"}
    assert proofs.verify_inclusion(leaf, index, opened.size, proof, opened.root)


async def test_a_receipt_is_asked_for_by_the_number_that_rooms_show(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    posted = await house.rest(pair.alice, "post_message", channel_id=pair.id, body="for the record")
    number = posted.data["msg_id"]
    said = await house.tool(pair.alice, "get_transcript", channel_id=pair.id, message=number)
    assert said.data["of"]["messages"] == [{"id": number, "sender": "alice"}]
    assert said.data["of"]["entry"] != number
    assert json.loads(said.data["leaf"])["m"]["b"] == {"text": "for the record"}
    for asked in ({"message": 1000}, {"message": number, "entry": 1}):
        refused = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, **asked)
        assert refused.refused == "INVALID_REQUEST"


async def test_an_earlier_head_is_shown_to_be_continued(house: House) -> None:
    pair = await house.pair()
    before = (await house.rest(pair.alice, "get_transcript", channel_id=pair.id)).data
    await house.rest(pair.bob, "post_message", channel_id=pair.id, body="more")
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, since=before["size"])
    way = [base64.b64decode(one) for one in said.data["consistency"]]
    old, new = (base64.b64decode(one["root"]) for one in (before, said.data))
    assert proofs.verify_consistency(before["size"], old, said.data["size"], new, way)


async def test_beyond_the_end_there_is_no_receipt(house: House) -> None:
    pair = await house.pair()
    for asked in ({"entry": 1000}, {"since": 1000}):
        said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, **asked)
        assert said.refused == "INVALID_REQUEST"


async def test_salts_come_with_private_words_to_those_who_may_read_them(house: House) -> None:
    pair = await house.pair(slots=["invite:alice", "invite:bob", "invite:carol"])
    whisper = {"channel_id": pair.id, "body": "psst", "to": ["bob"]}
    posted = (await house.rest(pair.alice, "post_message", **whisper)).data
    read = (await house.rest(pair.bob, "sync_messages", channel_id=pair.id, cursor=0)).data
    salt = read["openings"][str(posted["msg_id"])][""]
    assert posted["openings"] == {str(posted["msg_id"]): {"": salt}}
    leaf = (await house.rest(pair.bob, "get_transcript", channel_id=pair.id, format="inline")).data
    assert leaf["entries"][-1]["m"]["d"] == invite_codes.seal(salt, {"text": "psst"})


async def test_both_have_a_say_in_the_dice(house: House) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice", entropy=A)
    looked = (await house.rest(guest, "inspect_invite", invite_code=room["invites"][0])).data
    assert looked["dice"]["given"] == ["alice"]
    join = {"invite_code": room["invites"][0], "entropy": B}
    joined = await house.rest(guest, "join_channel", **join)
    again = await house.rest(guest, "join_channel", **join)
    assert not (joined.refused or again.refused)
    inline = {"channel_id": room["channel_id"], "format": "inline"}
    entries = (await house.rest(host, "get_transcript", **inline)).data["entries"]
    assert [entry["entropy"] for entry in entries if entry["t"] == "join"] == [A, B]


async def test_a_commitment_is_opened_by_the_same_call(house: House) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice", entropy=A)
    looked = (await house.rest(guest, "inspect_invite", invite_code=room["invites"][0])).data
    origin, slot = looked["dice"]["origin"], looked["slot_id"]
    join = {"invite_code": room["invites"][0]}
    promise = "commit:" + seeds.commit_member(origin, slot, B)
    joined = await house.tool(guest, "join_channel", **join, entropy=promise)
    assert joined.data["view"]["opening"]["waiting_for"] == ["bob"]
    assert "dice: waiting for bob to open" in joined.text
    assert "open what you committed to: join_channel(" in joined.lines[-1]
    waiting = await house.tool(host, "get_channel_info", channel_id=room["channel_id"])
    assert "dice: waiting for bob to open" in waiting.text
    listening = await house.tool(host, "sync_messages", channel_id=room["channel_id"], timeout_ms=0)
    assert listening.lines[-1].startswith("next: sync_messages(")
    opened = await house.tool(guest, "join_channel", **join, entropy=B)
    assert opened.data["view"]["status"] == "playing"
    assert "Your part of the dice is in." in opened.text


ORIGIN = re.compile(r'help\("dice"\), origin (\S+), slot (s[0-9]+)\.$', re.MULTILINE)


def promised(text: str, value: str) -> str:
    """What the code in help("dice") prints, given what an answer's text says."""
    where = ORIGIN.search(text)
    assert where is not None, text
    code = GUIDES["dice"].split("\n\n")[1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"origin": where[1], "slot": where[2], "value": value})
    return printed.getvalue().strip()


async def test_both_commit_as_the_guide_and_the_texts_say(house: House) -> None:
    host, guest = house.account(), house.account()
    opened = await house.tool(host, "create_channel", bot_preset="GuessBot", join_as="alice")
    invite = {"invite_code": opened.data["invites"][0]}
    looked = await house.tool(guest, "inspect_invite", **invite)
    mine = {"invite_code": opened.data["rejoin_token"]}
    for who, how, text, value in (
        (host, mine, opened.text, A),
        (guest, invite, looked.text, B),
    ):
        said = await house.tool(who, "join_channel", **how, entropy=promised(text, value))
        assert "Your commitment stands" in said.text
    await house.tool(host, "join_channel", **mine, entropy=A)
    begun = await house.tool(guest, "join_channel", **invite, entropy=B)
    assert begun.data["view"]["status"] == "playing"


async def test_words_that_stand_in_the_place_of_entropy_are_not_taken_for_it(house: House) -> None:
    host = house.account()
    words = "<32 characters nobody can guess>"
    said = await house.rest(
        host, "create_channel", bot_preset="GuessBot", join_as="alice", entropy=words
    )
    assert said.refused == "INVALID_REQUEST"


async def test_an_invite_carries_the_head_of_the_log_up_to_its_referees(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice")
    inline = {"channel_id": room["channel_id"], "format": "inline"}
    said = (await house.rest(host, "get_transcript", **inline)).data
    code, size, mark = room["invites"][0].split(".")
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in said["entries"][: int(size)]]
    peaks: tuple[bytes, ...] = ()
    for number, one in enumerate(hashes):
        peaks = merkle.push(number, peaks, one)
    root = merkle.root(peaks)
    assert mark == checkpoint.invite_fingerprint(said["vkey"], said["origin"], int(size), root)
    bare = await house.rest(house.account(), "join_channel", invite_code=code)
    assert not bare.refused


async def test_a_receipt_says_what_it_is_of(house: House) -> None:
    pair = await house.pair()
    posted = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="mine")
    entry = posted.data["view"]["head"]["size"] - 1
    number = posted.data["msg_id"]
    said = await house.tool(pair.alice, "get_transcript", channel_id=pair.id, entry=entry)
    assert f"entry {entry}, which is message {number} of bob" in said.lines[0]
    data = (await house.rest(pair.alice, "get_transcript", channel_id=pair.id, entry=0)).data
    assert data["of"] == {"entry": 0, "type": "genesis", "messages": []}
