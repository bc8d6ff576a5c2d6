"""Is the light client a client? The official one asks the same; the answers must agree."""

from __future__ import annotations

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from benchmarks import rooms
from benchmarks.eras import ERAS, JSON_TOO, Session
from benchmarks.stage import Json, Stage


async def check(stage: Stage) -> list[Json]:
    """Both clients ask both servers in both eras."""
    token = stage.accounts[0]
    session = await Session.open(stage.pair.port, "modern", token)
    channel = (await rooms.seated([session])).channel_id
    session.close()
    asked = {"channel_id": channel, "body": "is it you?"}
    found: list[Json] = []
    for era in ERAS:
        for name, port, bearer in (
            ("pair", stage.pair.port, token),
            ("bare", stage.bare.port, ""),
        ):
            session = await Session.open(port, era, bearer)
            light = await session.call("post_message", asked, JSON_TOO)
            session.close()
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            transport = StreamableHttpTransport(f"http://127.0.0.1:{port}/mcp", headers=headers)
            mode = "legacy" if era == "legacy" else "auto"
            async with Client(transport, mode=mode) as client:
                real = await client.call_tool("post_message", asked, meta=JSON_TOO)
            mine = light.get("structuredContent") or {}
            theirs = real.structured_content or {}
            agree = mine.keys() == theirs.keys() and not real.is_error
            found.append({"era": era, "server": name, "agree": agree})
            assert agree, (era, name, light, real)
    return found
