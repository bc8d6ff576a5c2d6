"""The list of tools as a client meets it: complete, annotated, short."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastmcp import FastMCP

from mcp_multiplayer.edge.api.operations.table import TABLE
from tests.edge.api.house import MODES, House, Mode
from tests.players import ASKS_JSON

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def listed(house: House, mode: Mode) -> dict[str, dict[str, Any]]:
    async with house.client(house.account(), mode) as client:
        tools = await client.list_tools()
    plain = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return {tool["name"]: tool for tool in plain}


@pytest.mark.parametrize("mode", MODES)
async def test_every_operation_of_the_table_is_a_tool_and_no_other(
    house: House, mode: Mode
) -> None:
    assert list(await listed(house, mode)) == [entry.name for entry in TABLE]


async def test_both_eras_list_the_same_tools(house: House) -> None:
    assert await listed(house, "legacy") == await listed(house, "auto")


async def test_every_tool_has_a_title_and_a_description_of_its_own(house: House) -> None:
    tools = (await listed(house, "auto")).values()
    assert all(tool["title"] and tool["description"].endswith((".", ")")) for tool in tools)
    assert len({tool["title"] for tool in tools}) == len(tools)
    assert not [tool["name"] for tool in tools if "  " in tool["description"]]


async def test_what_only_looks_says_so_and_so_needs_no_consent_of_the_user(house: House) -> None:
    tools = await listed(house, "auto")
    looks = {name for name, tool in tools.items() if tool["annotations"]["readOnlyHint"]}
    assert looks == {
        *("inspect_invite", "sync_messages", "list_channels", "get_channel_info"),
        *("get_bot_code", "list_bots", "try_bot", "get_transcript", "help", "health_check"),
    }


async def test_what_cannot_be_undone_says_so_and_a_move_does_not(house: House) -> None:
    tools = await listed(house, "auto")
    ends = {name for name, tool in tools.items() if tool["annotations"].get("destructiveHint")}
    assert ends == {"update_channel", "leave_channel"}
    assert tools["post_message"]["annotations"]["destructiveHint"] is False
    assert tools["join_channel"]["annotations"]["idempotentHint"] is True


async def test_every_tool_gives_every_hint_and_its_title(house: House) -> None:
    """A hint that is left out counts as the worst; app directories refuse servers for it."""
    hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    for tool in (await listed(house, "auto")).values():
        given = tool["annotations"]
        assert set(given) == {"title", *hints}
        assert given["title"] == tool["title"]
        assert not (given["readOnlyHint"] and given["destructiveHint"])


async def test_what_brings_code_that_may_ask_other_servers_says_so(house: House) -> None:
    tools = await listed(house, "auto")
    reach = {name for name, tool in tools.items() if tool["annotations"]["openWorldHint"]}
    assert reach == {"create_channel", "try_bot", "attach_bot", "update_channel"}


async def test_no_tool_has_an_output_schema(house: House) -> None:
    assert not [t["name"] for t in (await listed(house, "auto")).values() if "outputSchema" in t]


async def test_schemas_hold_no_titles_and_no_null_alternatives(house: House) -> None:
    schemas = [tool["inputSchema"] for tool in (await listed(house, "auto")).values()]
    assert "null" not in json.dumps(schemas)
    assert not [
        name
        for schema in schemas
        for name, field in schema["properties"].items()
        if "title" in field
    ]


async def test_what_is_needed_is_required_and_nothing_else(house: House) -> None:
    required = {
        name: set(tool["inputSchema"].get("required", ()))
        for name, tool in (await listed(house, "auto")).items()
    }
    needed = {name: wanted for name, wanted in required.items() if wanted}
    assert needed == {
        "inspect_invite": {"invite_code"},
        "join_channel": {"invite_code"},
        "post_message": {"channel_id", "body"},
        "sync_messages": {"channel_id"},
        "get_channel_info": {"channel_id"},
        "get_transcript": {"channel_id"},
        "try_bot": {"events"},
        "attach_bot": {"channel_id"},
        "update_channel": {"channel_id", "ops"},
        "leave_channel": {"channel_id"},
    }


async def test_the_two_private_seams_of_fastmcp_are_where_we_use_them() -> None:
    low = FastMCP[None]("probe")._mcp_server
    assert hasattr(low, "get_tool_input_schema")
    assert callable(low.add_request_handler)


async def test_no_tool_carries_metadata_that_a_model_would_pay_for(house: House) -> None:
    async with house.client(house.account(), "auto") as client:
        assert [tool.name for tool in await client.list_tools() if tool.meta] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("topic", ["play", "no such topic"])
async def test_an_answer_is_text_alone_unless_json_is_asked_for(
    house: House, mode: Mode, topic: str
) -> None:
    """Four clients show a model nothing but the JSON where there is any."""
    async with house.client(house.account(), mode) as client:

        async def ask(meta: dict[str, Any] | None) -> Any:
            asked = {"topic": topic}
            return await client.call_tool("help", asked, raise_on_error=False, meta=meta)

        plain, other = await ask(None), await ask({next(iter(ASKS_JSON)): 1})
        asked = await ask(ASKS_JSON)
    assert plain.structured_content is None and other.structured_content is None
    assert asked.content == plain.content == other.content
    same = (await house.rest(house.account(), "help", topic=topic)).data
    assert asked.structured_content == same


@pytest.mark.parametrize("mode", MODES)
async def test_panels_travel_where_no_model_pays_for_them(house: House, mode: Mode) -> None:
    tried = {"bot_preset": "TicTacToeBot", "events": [{"join": "alice"}, {"join": "bob"}]}
    async with house.client(house.account(), mode) as client:
        said = await client.call_tool("try_bot", tried)
    panels = (await house.rest(house.account(), "try_bot", **tried)).data["boards"]
    assert said.meta is not None and said.meta["mcp-multiplayer/boards"] == panels
