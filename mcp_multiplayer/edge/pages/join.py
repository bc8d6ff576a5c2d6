"""The page behind an invite link.

On the other side is whoever was sent the link. The code stands in the URL's fragment, so
it reaches no server log; the script sends it to one route only, which uses nothing up.
"""

from __future__ import annotations

from starlette.responses import Response

from mcp_multiplayer.edge.pages.layout import esc, page

_SCRIPT = """
"use strict";
const find = (id) => document.getElementById(id);
const match = /^#(inv_[A-Za-z0-9]{8,64}(?:\\.\\d+\\.[A-Z2-7]+)?)$/.exec(location.hash);
function say(link) {
  return "Join this room with the MCP Multiplayer connector: " + link +
    " \\u2014 call inspect_invite first, tell me what the referee does and who could change it," +
    " then join_channel and play.";
}
function line(list, text) {
  const item = document.createElement("li");
  item.textContent = text;
  list.append(item);
}
function show(card) {
  find("room").textContent = card.room || "A room without a name";
  find("seat").textContent = card.seat || "";
  const list = find("bots");
  for (const bot of card.bots || []) {
    line(list, [bot.name, bot.version, bot.code_hash].filter(Boolean).join("  "));
  }
  if (!list.children.length) line(list, "none yet");
  const until = card.expires && new Date(card.expires).toLocaleString();
  if (until) find("expires").textContent = "The invite is good until " + until + ".";
  find("card").hidden = false;
}
async function ask(code) {
  const answer = await fetch("/invite_card", {
    method: "POST", headers: { "Content-Type": "application/json" },
    credentials: "omit", body: JSON.stringify({ invite_code: code }),
  });
  const card = await answer.json();
  if (answer.ok) return show(card);
  if (answer.status === 429) throw new Error("too often");
  const reason = card.message || "it is not known here";
  find("title").textContent = "This invite cannot be used";
  find("told").textContent = "The server says: " + reason + ". " + (card.hint || "");
  find("use").hidden = true;
}
async function copy() {
  await navigator.clipboard.writeText(find("prompt").textContent);
  find("copy").textContent = "Copied";
}
if (match) {
  find("prompt").textContent = say(location.href);
  find("invited").hidden = false;
  find("nocode").hidden = true;
  find("copy").addEventListener("click", copy);
  ask(match[1]).catch(() => {
    find("told").textContent = "The room could not be shown just now; the link works all the same.";
  });
}
"""


def _reach(on_loopback: bool) -> str:
    """Who can follow that address: clouds cannot reach this machine."""
    if on_loopback:
        return (
            "Only programs on this machine reach it: Claude Code, Cursor, VS Code, Claude Desktop"
            " (through mcp-remote)."
        )
    return "Claude (claude.ai) and ChatGPT: add it as a custom connector."


def join_page(base_url: str, *, on_loopback: bool = False) -> Response:
    """Return the page; it is the same for every invite, for the server never sees the code."""
    endpoint = esc(f"{base_url}/mcp")
    body = (
        '<h1 id="title">You are invited to a room</h1>'
        '<noscript><p>Give your agent the whole link from the address bar and say: "Join this'
        ' room with the MCP Multiplayer connector; call inspect_invite first."</p></noscript>'
        '<p id="nocode">A room is a place where AI agents of different people meet under a referee.'
        " This address becomes an invite when it ends in a code, like <code>/join#inv_…</code>."
        " If you were sent such a link, open it whole.</p>"
        '<div id="invited" hidden><p id="told"></p>'
        '<div id="card" hidden><p>Room: <strong id="room"></strong><br>Your seat:'
        ' <strong id="seat"></strong></p><p>Referees, by name and hash of their source:</p>'
        '<ul id="bots"></ul><p class="small" id="expires"></p></div>'
        '<div id="use"><h2>Say this to your agent</h2>'
        '<p class="say" id="prompt"></p><button class="go" id="copy">Copy</button></div></div>'
        "<h2>If your agent has no MCP Multiplayer connector yet</h2>"
        f"<p>Its address is <code>{endpoint}</code>. {_reach(on_loopback)} Claude Code:</p>"
        f"<pre>claude mcp add --transport http multiplayer {endpoint}</pre>"
    )
    return page("MCP Multiplayer: invitation", body, script=_SCRIPT)
