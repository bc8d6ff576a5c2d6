// @ts-check
/**
 * One room: its boards, whose turn it is, what was said, and for whoever has a seat in it the moves.
 * The same page shows it to people who only watch. All it knows comes from the room's events.
 */

import { acting, copies, find, fragment, reveal, scrolls, tell } from "./dom.js";
import { make, words } from "./elements.js";
import { follow } from "./events.js";
import { makeFeed } from "./feed.js";
import { manage, showInvites } from "./manage.js";
import { placeMoves, readExpect, textsOf } from "./moves.js";
import { drawnFields, findPanels, placePanels, sideOf } from "./panels.js";
import { playing, recordOf, watching, whoIsIn } from "./session.js";

const KEPT = 2000; // messages in which boards are looked for
const root = find("room");
const channel = root.dataset.channel;
const watches = root.dataset.watch !== undefined;

/** What the room is now. `skew`: how far the server's clock is ahead of this one, in ms. */
const state = {
  view: /** @type {any} */ (null), bots: /** @type {any[]} */ ([]), skew: 0,
  messages: /** @type {any[]} */ ([]), muted: new Set(),
};
let player = /** @type {ReturnType<typeof playing> | null} */ (null);
let seat = "";
let over = false;
let readAnew = () => {};
let feed = /** @type {ReturnType<typeof makeFeed> | null} */ (null);

// --- who is here -----------------------------------------------------------------------------

const mark = (slot, turn) => {
  if (slot.state === "free") return "free";
  if (slot.state !== "taken") return slot.state;
  if (turn?.players.includes(slot.label)) return "to move";
  return slot.kind === "watch" ? "watches" : "";
};

function seatItem(slot) {
  const { turn } = state.view;
  const told = mark(slot, turn);
  const item = make(
    "li",
    { class: `seat ${told === "to move" ? "on-move" : ""} ${slot.state}` },
    make("bdi", { class: "seat-name" }, slot.label),
    slot.you && make("span", { class: "tag" }, "you"),
    slot.admin && make("span", { class: "tag" }, "admin"),
    told && make("span", { class: "muted small" }, told),
    turn?.deadline && told === "to move" && make("span", { class: "clock", "data-until": turn.deadline }),
  );
  if (slot.state === "taken" && !slot.you) item.append(muteButton(slot.label));
  return item;
}

function muteButton(label) {
  const muted = state.muted.has(label);
  const button = make("button", { class: "quiet" }, muted ? "Unmute" : "Mute");
  button.setAttribute("aria-label", `${button.textContent} ${label}`);
  button.addEventListener("click", () => {
    if (!state.muted.delete(label)) state.muted.add(label);
    sessionStorage.setItem(`muted ${channel}`, JSON.stringify([...state.muted]));
    location.reload();
  });
  return button;
}

// --- whose turn ------------------------------------------------------------------------------

const list = (names) => names.map((one) => words(one, 40)).join(", ");

function outcome(result) {
  const winners = result.winners ?? [];
  const won = winners.length ? `${list(winners)} won` : "Nobody won";
  return `Over: ${won}${result.reason ? ` (${words(result.reason, 200)})` : ""}.`;
}

function situation({ status, turn, result, slots, opening }) {
  if (turn?.yours) return turn.to ? "Your move, sealed" : "Your move";
  if (turn?.players.length) return `Waiting for ${list(turn.players)}`;
  if (result) return outcome(result);
  if (status === "closed") return "The room is closed.";
  if (opening?.waiting_for?.length) return `Waiting for ${list(opening.waiting_for)} to open the dice`;
  const free = slots.filter((one) => one.kind === "invite" && one.state === "free");
  if (status === "open" && free.length) {
    return `Waiting for ${list(free.map((one) => one.label))} to sit down`;
  }
  return "Nobody is to move.";
}

/** Time left of every clock on the page, and when that is in the reader's time zone. */
function tick() {
  for (const clock of root.querySelectorAll("[data-until]")) {
    const until = new Date(clock.dataset.until);
    const left = Math.max(0, Math.round((until.getTime() - Date.now() - state.skew) / 1000));
    const [hours, minutes, seconds] = [left / 3600, (left / 60) % 60, left % 60].map(Math.floor);
    const two = (number) => String(number).padStart(2, "0");
    const days = hours > 48 ? `${Math.floor(hours / 24)} days` : "";
    clock.textContent = days || `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}`;
    clock.title = `until ${until.toLocaleString()}`;
  }
}

// --- drawing it ------------------------------------------------------------------------------

let awaited = 0; // size of the log with the referee's answer to what was posted; Infinity: not yet

/** Until the answer is shown, a second press would be a second move. */
function settle(size) {
  awaited = state.view.head.size >= size ? 0 : size;
  find("moves").setAttribute("aria-busy", String(awaited > 0));
}

/** Post a move or words; what follows from them comes with the events. */
async function post(body, to) {
  if (awaited) return;
  tell("told", null);
  settle(Infinity);
  try {
    const answer = await player?.post("post_message", {
      channel_id: channel, seat, body,
      ...(to ? { to } : {}),
      idempotency_key: crypto.getRandomValues(new Uint32Array(4)).join("-"),
      cursor: 0, limit: 1, // the answer is not read here: no mark of the seat moves
    });
    settle(answer.view.head.size);
  } catch (error) {
    tell("told", error);
    settle(0);
  }
}

function drawBoards() {
  const { view, bots, messages } = state;
  const expected = readExpect(view.turn);
  const may = player && view.turn?.yours && !expected.to ? textsOf(expected) : new Set();
  const sealed = player && expected.to ? textsOf(expected) : may;
  for (const bot of bots) {
    let place = find(`panels-${bot.bot_id}`);
    if (!place) {
      place = make("div", { id: `panels-${bot.bot_id}` });
      find("panels").append(place);
    }
    placePanels(place, findPanels(bot, messages), {
      moves: sealed,
      send: (body) => post(body, readExpect(state.view.turn).to),
      side: sideOf(bot, messages, seat),
    });
  }
}

function drawReferee(bot) {
  const source = make("pre", { class: "source", ...scrolls("Source") }, "…");
  const details = make("details", {}, make("summary", {}, "Read the source"), source);
  details.addEventListener("toggle", async () => {
    if (!player || source.textContent !== "…") return;
    const told = await player.get("get_bot_code", { channel_id: channel, bot_id: bot.bot_id })
      .catch((error) => ({ code: error.message }));
    source.textContent = words(told.code, 48_000);
  });
  return make(
    "div",
    {},
    make("p", {}, make("strong", {}, words(`${bot.name} ${bot.version ?? ""}`.trim(), 120)),
      make("span", { class: "muted small" }, bot.ships ? " comes with this server" : " somebody's own")),
    make("p", { class: "small" }, make("code", {}, bot.code_hash)),
    player && details,
  );
}

function draw(changed) {
  const { view, bots } = state;
  const { turn } = view;
  document.title = `${turn?.yours ? "● Your move: " : ""}${words(view.name, 80)}`;
  find("name").textContent = words(view.name, 120);
  find("seats").replaceChildren(
    ...view.slots.filter((one) => one.kind !== "bot" && one.state !== "closed").map(seatItem),
  );
  const now = situation(view);
  if (find("turn").textContent !== now) find("turn").textContent = now;
  find("turn").classList.toggle("yours", Boolean(turn?.yours));
  if (changed) {
    find("referees").replaceChildren(...bots.map(drawReferee));
    find("panels").replaceChildren();
  }
  drawBoards();
  const own = view.slots.find((one) => one.you);
  const canPost = Boolean(player && own?.kind === "invite" && view.status !== "closed");
  placeMoves(find("moves"), { turn, moves: bots[0]?.manifest?.moves, canPost }, post);
  reveal(view.result || view.status === "closed", "over");
  tick();
}

function onRoom({ messages, view, bots, could_cheat, log, now }) {
  state.view = view;
  state.skew = now - Date.now();
  if (bots) state.bots = bots;
  if (could_cheat) find("cheat").replaceChildren(...could_cheat.map((one) => make("li", {}, one)));
  const you = view.slots.find((one) => one.you)?.label;
  if (!feed) {
    feed = makeFeed({ you, drawn: drawnFields(state.bots) });
    find("feed").replaceChildren(feed.element);
    reveal(true, "whole");
  }
  for (const message of messages) {
    if (message.id <= (state.messages.at(-1)?.id ?? 0)) continue;
    state.messages.push(message);
    if (!state.muted.has(message.sender)) feed.append(message);
  }
  const opened = view.result !== null && !over && state.messages.some(({ body }) => body.sealed);
  over = view.result !== null;
  if (opened) return readAnew(); // the end opens what was sealed
  state.messages.splice(0, state.messages.length - KEPT);
  find("log").textContent = log;
  draw(Boolean(bots));
  settle(awaited);
  if (player) manage(player, channel, seat, view);
  return undefined;
}

// --- beginning -------------------------------------------------------------------------------

async function begin() {
  state.muted = new Set(JSON.parse(sessionStorage.getItem(`muted ${channel}`) ?? "[]"));
  copies(find("copy-log"), () => find("log").textContent);
  let open;
  if (watches) {
    const watch = location.hash.startsWith("#wat_") ? location.hash.slice(1) : undefined;
    open = (cursor, signal) => watching({ channel_id: channel, watch, cursor }, signal);
  } else {
    const { tag, info } = await whoIsIn(channel, fragment().get("as"));
    player = playing(tag);
    const own = info.view.slots.filter((slot) => slot.you).map((slot) => slot.label);
    const asked = fragment().get("seat");
    seat = own.includes(asked) ? asked : own[0];
    const { open: opens } = player;
    open = (cursor, signal) => opens({ channel_id: channel, seat, cursor }, signal);
    ownParts(info, own);
  }
  find("match").setAttribute("href", `/match/${channel}${location.hash}`);
  const begun = () => follow(open, {
    room: onRoom,
    live: (live) => { find("live").textContent = live ? "" : "Connecting again…"; },
    end: (why) => {
      if (why === "gone") location.reload();
      else if (why !== "closed") tell("told", why);
    },
  });
  let stop = begun();
  readAnew = () => {
    stop();
    state.messages = [];
    feed = null;
    stop = begun();
  };
  setInterval(tick, 1000);
}

/** What somebody who has a seat, or has opened the room, can do beside playing. */
function ownParts(info, own) {
  reveal(true, "own");
  reveal(own.length > 0, "leave-part", "record-part");
  reveal(Boolean(info.watch_link), "watch-part");
  find("watch-link").textContent = info.watch_link ?? "";
  copies(find("copy-watch"), () => info.watch_link);
  showInvites(channel, info.creator);
  acting(find("record"), "told", async () => {
    location.assign(await recordOf(player, channel, seat));
  });
  const leave = find("leave");
  leave.addEventListener("click", () => {
    leave.textContent = "Press again to leave your seat";
    acting(leave, "told", async () => {
      await player?.post("leave_channel", { channel_id: channel, seat });
      location.assign("/rooms");
    });
  }, { once: true });
}

begin().catch((error) => tell("told", error));
