"""How each MCP client is connected: what to paste where, what its person sees, how long it waits,
and what its model is given. The one source of what `scripts/start` prints, of what the pages show,
and of docs/clients.md, whose clients are `sections()` (tests/test_docs.py compares).

Clients change without telling us: ``tried`` says with which version a statement was seen to hold,
or that it is their vendor's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

NAME = "multiplayer"  #: of the connector, in commands and files
LOCAL = "http://localhost:8100/mcp"  #: in examples

#: What a model reads of an answer where its client hands on what we send.
WHOLE = "the text of each answer, whole; no JSON beside it"
TEXT_ONLY = "It drops the text where there is JSON, so there is none unless a request asks for it"


@dataclass(frozen=True)
class Setup:
    """One client. ``where`` is a file, a place in its settings, or "" for a terminal; ``paste``
    makes what goes there of our endpoint and of whether tokens may cross the network in clear."""

    name: str
    where: str
    paste: Callable[[str, bool], str]
    sees: str
    limits: str
    given: str
    tried: str
    cloud: bool = False  #: it connects from its vendor's machines, so needs a public https address
    printed: bool = True  #: by `scripts/start`; the others are for programmers

    @property
    def kind(self) -> str:
        """Of what is pasted: `json`, a command of a shell, or text."""
        shown = self.paste(LOCAL, False)
        return "json" if shown.startswith("{") else "text" if self.where else "bash"


def _command(line: str) -> Callable[[str, bool], str]:
    return lambda endpoint, clear: line.format(name=NAME, endpoint=endpoint)


def _file(head: str, **entry: str) -> Callable[[str, bool], str]:
    return lambda endpoint, clear: json.dumps(
        {head: {NAME: {key: value.format(endpoint=endpoint) for key, value in entry.items()}}}
    )


def _bridge(endpoint: str, clear: bool) -> str:
    arguments = ["-y", "mcp-remote", endpoint, *(["--allow-http"] if clear else [])]
    return json.dumps({"mcpServers": {NAME: {"command": "npx", "args": arguments}}})


SETUPS = (
    Setup(
        name="Claude Code",
        where="",
        paste=_command("claude mcp add --transport http {name} {endpoint}"),
        sees="`! Needs authentication` in `claude mcp list`; `/mcp` in a session, or"
        " `claude mcp login multiplayer`, opens the browser; then `✔ Connected`",
        limits="a call may wait 45 s. A result above 50,000 characters goes into a file, of which"
        " its model sees 2 KB; ours are shorter",
        given=f"{WHOLE}. The instructions and the names of the tools come first, a definition when"
        " it looks for the tool (`…` is `...` there; all of them are 2,360 tokens); titles and"
        f" hints never. {TEXT_ONLY}",
        tried="2.1.332, its sign-in in a terminal, too, in every long test run with a model that"
        " the test speaks for; 2.1.197, November 2026",
    ),
    Setup(
        name="Claude Desktop",
        where="claude_desktop_config.json (needs Node)",
        paste=_bridge,
        sees="the browser opens when it starts, by way of `mcp-remote`; nothing else",
        limits="a call may wait 45 s (about 240 s were seen)",
        given=WHOLE,
        tried="mcp-remote 0.15.1 as it is started there, in every long test run",
    ),
    Setup(
        name="Codex",
        where="",
        paste=_command("codex mcp add {name} --url {endpoint}"),
        sees="`Detected OAuth support`, the browser, `Successfully logged in`; `codex mcp login"
        " multiplayer` later; `/mcp` lists it",
        limits="60 s for a call unless `tool_timeout_sec` says otherwise. A model that writes"
        " scripts hears after 30 s that its script still waits, and waits on. Of a result above"
        " 10,000 tokens, taken to be four bytes each, the middle is cut out; ours are shorter",
        given=f"{WHOLE}, under a line with the time it took. The first line of the instructions"
        " comes first, the rest with the tools when it looks for them: 2,440 tokens for models"
        " that are given functions (gpt-5.5), without defaults and limits of arguments; 4,480 for"
        " those that write scripts (gpt-5.6 and later), which read the instructions with each tool"
        f" and choose what to print. {TEXT_ONLY}",
        tried="0.171.0, its sign-in, too, in every long test run with a model that the test"
        " speaks for",
    ),
    Setup(
        name="Cursor",
        where="~/.cursor/mcp.json",
        paste=_file("mcpServers", url="{endpoint}"),
        sees="a button to sign in beside the server in its MCP settings",
        limits="unknown; ask for shorter waits if calls fail",
        given="unknown",
        tried="its sign-in alone, from a recording: it mixes https and cursor: addresses",
    ),
    Setup(
        name="VS Code",
        where=".vscode/mcp.json",
        paste=_file("servers", type="http", url="{endpoint}"),
        sees="a question whether it may sign in, then the browser",
        limits="unknown; ask for shorter waits if calls fail",
        given="unknown; its issues say that it dropped text beside JSON, of which there is none",
        tried="its sign-in alone, from a recording",
    ),
    Setup(
        name="Gemini CLI",
        where="~/.gemini/settings.json",
        paste=_file("mcpServers", httpUrl="{endpoint}"),
        sees="`✗ Disconnected` until `/mcp auth multiplayer` in a session has opened the browser",
        limits="600 s, says its vendor; a folder that is not trusted shows `○ Disabled`",
        given="unknown",
        tried="0.61.0 with a token, November 2026; its own sign-in was not tried",
    ),
    Setup(
        name="claude.ai",
        where="Settings, Connectors, Add custom connector",
        paste=_command("{endpoint}"),
        sees="a window of the browser; no question there if it holds no player yet",
        limits="calls were seen to be cut after about 60 s, whatever progress is reported",
        given="the text, says its vendor; it opens a new session for each call, which is all the"
        " same to us",
        tried="not: it needs the internet. Its sign-in (document and registration) is tested",
        cloud=True,
    ),
    Setup(
        name="ChatGPT",
        where="Settings, Connectors, Create (developer mode)",
        paste=_command("{endpoint}"),
        sees="a window of the browser; a question before each call that is no mere reading",
        limits="60 to 120 s for a call, users say",
        given="the text, says its vendor",
        tried="not: it needs the internet. Its sign-in (document and registration) is tested",
        cloud=True,
    ),
    Setup(
        name="MCP Inspector",
        where="",
        paste=_command(
            "npx @modelcontextprotocol/inspector --cli {endpoint} --transport http"
            ' --method tools/list --header "Authorization: Bearer $TOKEN"'
        ),
        sees="JSON; without a token it wants a terminal to open the browser from",
        limits="Node 22.19 or newer, else npm installs an old one without HTTP",
        given="nothing: it has no model",
        tried="2.12.0, both eras, in every long test run",
        printed=False,
    ),
)

#: Libraries: name, the line that matters, what to know.
LIBRARIES = (
    (
        "fastmcp",
        'Client("http://localhost:8100/mcp", auth="oauth")',
        "signs in by itself; answers as they are; 2026-07-28 unless `mode` says otherwise",
    ),
    (
        "mcp (Python SDK)",
        "OAuthClientProvider(server_url=…, client_metadata_url=…)",
        "signs in by registration or by a document of yours",
    ),
    (
        "@modelcontextprotocol/sdk",
        "client.callTool(…, undefined, { timeout: 60_000, resetTimeoutOnProgress: true })",
        "60 s for a request, counted anew with each report of progress",
    ),
    (
        "@ai-sdk/mcp",
        "createMCPClient({ transport: { type: 'http', url } })",
        "signs in by `auth()`",
    ),
    (
        "openai-agents",
        "MCPServerStreamableHttp(params={…}, client_session_timeout_seconds=60)",
        "without this argument it gives up after 5 s, and no wait ever ends well",
    ),
    (
        "langchain-mcp-adapters",
        '{"transport": "streamable_http", "url": …, "headers": {"Authorization": …}}',
        "takes a token; all tools convert; an answer that a stop of the server brings is lost,"
        " for it lists the tools once more before it hands an answer on",
    ),
    (
        "pydantic-ai",
        "MCPToolset(…)",
        "takes a token; where there is JSON it gives the model that alone, so there is none",
    ),
)


def cloud_lines(endpoint: str) -> Iterator[str]:
    """What to do in the apps that connect from elsewhere."""
    for setup in SETUPS:
        if setup.cloud:
            yield f"  {setup.name:<15} {setup.where}: {setup.paste(endpoint, False)}"


def local_lines(endpoint: str, *, clear: bool) -> Iterator[str]:
    """What to paste into the programs on this machine. ``clear``: over http, beyond it."""
    for setup in SETUPS:
        if setup.printed and not setup.cloud:
            place = f"{setup.where}: " if setup.where else ""
            yield f"  {setup.name:<15} {place}{setup.paste(endpoint, clear)}"


def sections() -> str:
    """The clients as docs/clients.md has them."""
    parts = []
    for setup in SETUPS:
        shown = setup.paste("https://mp.example/mcp" if setup.cloud else LOCAL, False)
        where = f"{setup.where}:\n\n" if setup.where else ""
        parts.append(
            f"## {setup.name}\n\n{where}```{setup.kind}\n{shown}\n```\n\n"
            f"- You see: {setup.sees}.\n- It waits: {setup.limits}.\n"
            f"- Its model is given: {setup.given}.\n- Tried with: {setup.tried}.\n"
        )
    rows = [f"| {name} | `{line}` | {known} |" for name, line, known in LIBRARIES]
    table = "\n".join(
        ["| library | the line that matters | to know |", "| --- | --- | --- |", *rows]
    )
    driven = "A long test run drives each through a game, a wait of 20 s, a stop and a kill."
    return "\n".join([*parts, f"## Libraries\n\n{driven}\n\n{table}\n"])
