// @ts-check
/**
 * A finished game's page: its record stepped through, and checked in this tab. The same script runs
 * in the page of the server, which links to the record, and in a saved match.html, which holds it.
 *
 * On the other side is whoever made the record. Its words become text, and nothing that is shown
 * is asked of anybody but the file.
 */

import { copies, find, reveal, tell } from "./dom.js";
import { make, words } from "./elements.js";
import { feedItem } from "./feed.js";
import { drawnFields, drawPanel, findPanels } from "./panels.js";
import { botsOf, checkRecord, messagesOf, readRecord, resultOf } from "./record.js";

const STATES = { ok: "✓ holds", bad: "✗ does not hold", absent: "– not checked" };
const MOVES = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last" };
const MOST = 10000; // messages in the feed; a page with more of them stands still

/** Steps of a game: what somebody did or a clock brought about, and all that referees answered. */
function stepsOf(entries, messages) {
  const steps = [];
  messages.forEach(({ entry }, index) => {
    const cause = entries[entry].t === "run" ? entries[entry].on : entry;
    if (cause !== steps.at(-1)?.cause) steps.push({ cause, begin: index });
    steps.at(-1).end = index + 1;
  });
  return steps;
}

const gameOf = (bot) => bot?.name.replace(/Bot$/, "").replace(/([a-z])([A-Z])/g, "$1 $2") ?? "";

/** The result in a line, as `share` of match_file.py has it. */
function headlineOf(result, players, game) {
  const winners = Array.isArray(result?.winners) ? result.winners : [];
  const others = players.filter((one) => !winners.includes(one));
  const duel = winners.length === 1 && others.length === 1;
  const won = duel ? `${winners[0]} beat ${others[0]}` : `${winners.join(" and ")} won`;
  const none = `${players.join(" and ")}: ${result ? "nobody won" : "not over"}`;
  const line = winners.length ? won : none;
  return words(game ? `${line} · ${game}` : line, 200);
}

/** A message in a few words; of the system's, those of the feed. */
function brief({ sender, body }, item) {
  const told = sender === "system" && item.querySelector(".words")?.textContent;
  if (told) return told;
  const said = body.text ?? body.type ?? body.action ?? (body.sealed ? "something sealed" : body);
  return words(`${sender}: ${typeof said === "string" ? said : JSON.stringify(said)}`, 100);
}

// --- the replay --------------------------------------------------------------------------------

/** Show a record's game; returns the function by which a press or a key moves through it. */
function replay(record, messages) {
  const bots = botsOf(record);
  const steps = stepsOf(record.entries, messages);
  const drawn = drawnFields(bots);
  const items = messages.map((message) => feedItem(message, { drawn }));
  find("feed").replaceChildren(...items);
  find("step").max = steps.length;
  let at = steps.length;

  const go = (wanted) => {
    at = Math.min(Math.max(wanted, 1), steps.length);
    const { begin, end } = steps[at - 1];
    const { entry } = messages[end - 1];
    const there = bots.filter(({ since, until }) => since <= entry && !(until <= entry));
    const panels = there.flatMap((bot) => findPanels(bot, messages.slice(0, end)));
    const drawn = panels.map((item) => drawPanel(item, { moves: new Set(), send: null }));
    find("boards").replaceChildren(...drawn);
    items.forEach((item, index) => {
      item.hidden = index >= end;
      item.classList.toggle("now", index >= begin && index < end);
    });
    find("log").scrollTop = find("log").scrollHeight;
    const where = `Step ${at} of ${steps.length}`;
    find("step").value = at;
    find("step").setAttribute("aria-valuetext", where);
    const what = brief(messages[begin], items[begin]);
    find("now").textContent = `${where} · entry ${entry} · ${what}`;
    // Not `disabled`, which would throw the focus away under somebody's hands.
    for (const id of ["first", "back"]) find(id).setAttribute("aria-disabled", at === 1);
    for (const id of ["on", "last"]) find(id).setAttribute("aria-disabled", at === steps.length);
  };
  const target = (to) => ({ first: 1, back: at - 1, on: at + 1, last: steps.length })[to];
  go(at);
  return (/** @type {string} */ to) => go(target(to) ?? Number(to));
}

// --- the file ----------------------------------------------------------------------------------

let move = (/** @type {any} */ _to) => {};
/** @type {ArrayBuffer | undefined} */
let opened;

function show(record, lines) {
  const shown = lines.map(({ line, state, text, seconds }) => {
    const taken = seconds ? `${Math.max(seconds, 0.001).toFixed(seconds < 0.1 ? 3 : 2)} s` : "";
    const parts = [make("b", {}, line), make("span", {}, STATES[state])];
    const why = make("span", { class: "why" }, words(text, 2000));
    return make("li", { class: state }, ...parts, why, make("i", {}, taken));
  });
  find("checks").replaceChildren(...shown);
  const bad = lines.some(({ state }) => state === "bad");
  if (bad) tell("refused", "This record does not hold (see below): it was changed, or made up.");
  const sealed = lines.find(({ line }) => line === "SEALED")?.state;
  const messages = messagesOf(record, { disclosed: sealed === "ok" });
  if (messages.length > MOST) throw new Error(`More than ${MOST} messages: too many to show.`);
  reveal(true, "match", "sharing");
  move = replay(record, messages);
  const sat = messages.filter(({ body }) => body.type === "joined" && !body.role);
  const players = [...new Set(sat.map(({ body }) => body.player_id))];
  const result = resultOf(record);
  const headline = headlineOf(result, players, gameOf(botsOf(record)[0]));
  const log = `log: ${record.lines.length} entries ${record.note?.split("\n")[2] ?? ""}`;
  const reason = words(result?.reason ?? "", 200);
  find("headline").textContent = document.title = headline;
  const address = location.protocol === "file:" ? "" : location.href;
  find("card").textContent = [headline, reason, log, address].filter(Boolean).join("\n");
}

async function open(bytes) {
  tell("refused", null);
  reveal(false, "match", "sharing");
  find("checks").replaceChildren();
  try {
    const record = await readRecord(bytes);
    opened = bytes;
    reveal(!find("record").href, "save");
    show(record, await checkRecord(record));
  } catch (error) {
    const ours = error.constructor === Error;
    tell("refused", ours ? error : `This cannot be shown: ${error.message}`);
  }
}

/** The record that came with the page: behind its link, or in it. */
async function start() {
  const source = find("record");
  if (source.href) {
    const answer = await fetch(source.href).catch(() => null);
    if (answer?.ok) await open(await answer.arrayBuffer());
    else tell("refused", `The server does not give the record (${answer?.status ?? "no answer"}).`);
  } else if (source.textContent.trim()) {
    await open(Uint8Array.from(atob(source.textContent), (one) => one.charCodeAt(0)).buffer);
  }
}

function save() {
  const href = URL.createObjectURL(new Blob([opened ?? new ArrayBuffer(0)]));
  make("a", { href, download: "record.zip" }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

for (const id of Object.values(MOVES)) find(id).addEventListener("click", () => move(id));
find("step").addEventListener("input", () => move(find("step").value));
copies(find("copy"), () => find("card").textContent);
find("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  const { key, target, altKey, ctrlKey, metaKey, shiftKey } = event;
  // A board, a field and the log have these keys for themselves.
  const theirs = /** @type {Element} */ (target).closest("[role=grid], [role=log], input, summary");
  if (theirs || altKey || ctrlKey || metaKey || shiftKey || !Object.hasOwn(MOVES, key)) return;
  event.preventDefault();
  move(MOVES[key]);
});
if (find("file")) {
  const take = async (files) => files[0] && open(await files[0].arrayBuffer());
  find("file").addEventListener("change", () => take(find("file").files));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files ?? []);
  });
}
start();
