"use strict";
const find = (id) => document.getElementById(id);
const match = /^#(inv_[A-Za-z0-9]{8,64}(?:\.\d+\.[A-Z2-7]+)?)$/.exec(location.hash);
function say(link) {
  return "Join this room with the MCP Multiplayer connector: " + link +
    " \u2014 call inspect_invite first, tell me what the referee does and who could change it," +
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
