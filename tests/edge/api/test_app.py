"""Without the proxy's signature nothing answers but the pulse and an invite's card."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.identity import Caller, Signer
from mcp_multiplayer.service import key_files
from tests.edge.api.house import MODES, PUBLIC, House, Mode, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/nothing"), ("GET", "/who")] + [
    (entry.method, f"/{entry.name}") for entry in TABLE
]
FORGED = Signer(b"another key of 32 bytes, not ours").sign(Caller("acct-1", PUBLIC))


@pytest.mark.parametrize("statement", ["", "acct-1", "a.b.c", FORGED])
async def test_a_request_without_a_signed_caller_reaches_nothing(
    house: House, statement: str
) -> None:
    for method, path in PATHS:
        answer = await house.http.request(method, path, headers={identity.HEADER: statement})
        assert answer.status_code == 401, path
        assert answer.json()["error"] == "UNAUTHORIZED"
        assert set(answer.json()) == {"error", "message", "hint"}


async def test_the_pulse_needs_no_caller(house: House) -> None:
    answer = await house.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_an_invites_card_needs_its_code_and_nothing_else(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot", join_as="alice", name="Duel")
    answer = await house.http.post("/invite_card", json={"invite_code": room["invites"][0]})
    card = answer.json()
    assert (card["room"], card["seat"]) == ("Duel", "bob")
    assert card["bots"][0]["name"] == "GuessBot"
    assert card["seated"] == ["alice"]
    assert not {"invites", "invite_links", "rejoin_token", "view", "messages"} & set(card)
    assert card["terms"] == room["terms"]


async def test_a_card_uses_nothing_up(house: House) -> None:
    room = await house.room(house.account(), join_as="alice")
    for _ in range(2):
        await house.http.post("/invite_card", json={"invite_code": room["invite_links"]["bob"]})
    joined = await house.rest(house.account(), "join_channel", invite_code=room["invites"][0])
    assert joined.data["player_id"] == "bob"


async def test_the_card_of_a_used_invite_says_only_that(house: House) -> None:
    pair = await house.pair(name="Secret name")
    answer = await house.http.post("/invite_card", json={"invite_code": pair.opened["invites"][0]})
    assert (answer.status_code, answer.json()["error"]) == (409, "SLOT_ALREADY_FILLED")
    assert "Secret name" not in answer.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *((body, "INVALID_REQUEST") for body in (b"", b"[]", b"{", b'{"invite_code": 5}', b"\xff")),
        (b"[" * 100_000, "BAD_MESSAGE"),
        (b'{"invite_code": ' + b"9" * 5000 + b"}", "BAD_MESSAGE"),
    ],
    ids=range(7),
)
async def test_a_card_asked_for_wrongly_is_refused(house: House, body: bytes, code: str) -> None:
    answer = await house.http.post("/invite_card", content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, code)


@pytest.mark.parametrize("cursor", ["[" * 5000, "9" * 5000, "1.0", "01", "", " 1", "\u0661"])
async def test_what_is_no_number_in_a_query_is_refused(house: House, cursor: str) -> None:
    said = await house.rest(house.account(), "sync_messages", channel_id="chn_a", cursor=cursor)
    assert (said.status, said.data["message"]) == (400, "cursor must be a whole number")


@pytest.mark.parametrize("code", ["inv_nosuchcode1", "rejoin_" + "x" * 43, "chn_abc", ""])
async def test_the_card_of_an_unknown_code_is_not_found(house: House, code: str) -> None:
    answer = await house.http.post("/invite_card", json={"invite_code": code})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no_such_thing", 404),
        ("GET", "/who/", 404),
        ("GET", "/post_message", 405),
        ("POST", "/sync_messages", 405),
        ("DELETE", "/who", 405),
        ("POST", "/healthz", 405),
    ],
)
async def test_a_wrong_route_is_refused_in_the_form_of_every_refusal(
    house: House, method: str, path: str, status: int
) -> None:
    answer = await house.http.request(method, path, headers=house.statement(house.account()))
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message", "hint"}
    if status == 405:
        assert method in answer.json()["message"]
        assert answer.json()["hint"][4:-1] in answer.headers["allow"].split(", ")


async def test_an_old_session_id_is_ignored(house: House) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = house.statement(house.account()) | {
        "Accept": "application/json, text/event-stream",
        "Mcp-Session-Id": "from-before-the-restart",
    }
    answer = await house.http.post("/mcp", json=request, headers=headers)
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers
    assert len(answer.json()["result"]["tools"]) == len(TABLE)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_may_play_longer_than_a_statement_lives(house: House, mode: Mode) -> None:
    """The client of a busy machine is as good after an hour as in its first minute."""
    behind = 3600.0
    signer = Signer(key_files.load(house.keys, "caller"), now=lambda: time.time() - behind)
    client = replace(house, signer=signer).client(house.account(), mode)
    behind = 0.0
    async with client:
        assert len(await client.list_tools()) == len(TABLE)


async def test_the_server_introduces_itself_with_how_to_play(house: House) -> None:
    async with house.client(house.account(), "legacy") as client:
        greeting = client.initialize_result
    assert greeting is not None
    assert greeting.server_info.name == "MCP Multiplayer"
    assert "next:" in (greeting.instructions or "")


async def test_links_carry_the_address_that_the_caller_used(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        away = Caller(house.account(), "https://mp.example")
        answer = await house.http.post(
            "/create_channel",
            json={"join_as": "alice"},
            headers={identity.HEADER: house.signer.sign(away)},
        )
    links = answer.json()["invite_links"]
    assert links["bob"].startswith("https://mp.example/join#inv_"), json.dumps(links)
