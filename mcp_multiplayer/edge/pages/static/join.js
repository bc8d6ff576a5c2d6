// @ts-check
/**
 * The page behind an invite link. The code stands in the fragment, so no server has seen it; it is
 * sent to the one route that says what it opens, and to the one that takes the seat.
 */

import { acting, copies, find, playerChoice, reveal, roomPage, scrolls, tell } from "./dom.js";
import { make, words } from "./elements.js";
import { become, entropy, players, playing, publicly } from "./session.js";

const CODE = /^#(inv_[A-Za-z0-9]{8,64}(?:\.\d+\.[A-Z2-7]+)?)$/;
const code = CODE.exec(location.hash)?.[1];

const forAgents = () =>
  `Join this room with the MCP Multiplayer connector: ${location.href} — call inspect_invite` +
  " first, tell me what the referee does and who could change it, then join_channel and play.";

function referee({ name, version, code_hash, ships, rules, lines, source }) {
  const origin = ships
    ? "comes with this server"
    : "somebody wrote it for this room; nobody here has checked it";
  return make(
    "section",
    { class: "card" },
    make("h3", {}, words(`${name} ${version ?? ""}`.trim(), 120)),
    make("p", { class: "small" }, `The referee ${origin}. Its source, ${lines} lines, is `,
      make("code", {}, code_hash)),
    rules && make("p", { class: "muted small" }, ships ? "Rules:" : "Its author says:"),
    rules && make("pre", { class: "rules", ...scrolls("Rules") }, words(rules, 12_000)),
    make("details", {}, make("summary", {}, "Read the source"),
      make("pre", { class: "source", ...scrolls("Source") }, words(source, 48_000))),
  );
}

function show(card) {
  find("title").textContent = card.watches ? "You are invited to watch" : "You are invited to play";
  find("room").textContent = words(card.room || "A room without a name", 120);
  find("seat").textContent = card.seat;
  find("seated").textContent = card.seated.join(", ") || "nobody yet";
  find("expires").textContent = new Date(card.expires).toLocaleString();
  find("terms").textContent = card.terms;
  find("referees").replaceChildren(...card.bots.map(referee));
  find("cheat").replaceChildren(...card.could_cheat.map((one) => make("li", {}, one)));
  if (find("play")) find("play").textContent = card.watches ? "Watch here in the browser" : "Play here in the browser";
  reveal(card.bots.length === 0, "unrefereed");
  reveal(true, "card");
}

async function sitDown(card) {
  const chosen = find("players").querySelector("select")?.value ?? "";
  const { tag } = await become(chosen, find("passcode").value);
  const player = playing(tag);
  const joined = await player.post("join_channel", {
    invite_code: code,
    expect_terms: card.terms,
    ...(card.watches ? {} : { entropy: entropy() }),
  });
  location.assign(roomPage(joined.channel_id, tag, joined.player_id));
}

async function start() {
  find("prompt").textContent = forAgents();
  reveal(true, "invited");
  reveal(false, "nocode");
  copies(find("copy"), forAgents);
  let card;
  try {
    card = await publicly("/invite_card", { invite_code: code });
  } catch (error) {
    const refused = /** @type {any} */ (error);
    tell("told", refused);
    if (refused.status !== 429 && refused.status < 500) {
      find("title").textContent = "This invite cannot be used";
      reveal(false, "use");
    }
    return;
  }
  show(card);
  if (!find("play")) return;
  const { accounts, passcode } = await players();
  if (accounts.length) {
    find("players").replaceChildren(make("label", {}, "As ", playerChoice(accounts)));
  }
  reveal(passcode, "locked");
  acting(find("play"), "told", () => sitDown(card));
  reveal(true, "act"); // not before a press is heard
}

if (code) start();
addEventListener("hashchange", () => location.reload());
