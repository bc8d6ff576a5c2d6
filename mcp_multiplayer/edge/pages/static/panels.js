// @ts-check
/**
 * The panels that a referee's manifest asks for (`show`), found in what it has said and drawn. The
 * manifest names fields, the messages carry the data; the rules of finding are those of
 * service/boards.py, and edge/api/render_boards.py draws the same in letters.
 *
 * On the other side is a stranger's referee that would like to speak in this page's voice or act in
 * its reader's name. Its words become text, of bounded length, in elements of ours; a value of
 * another shape than its panel's is shown as text. A press posts what the turn's `expect` lists.
 */

import { nameOf, readFen, readMoves, squareOf } from "./chess.js";
import { at, isRecord, make, quoted, words } from "./elements.js";

const LOOK_BACK = 512; // messages in which a field is looked for, from the newest on
const ROWS = 50;
const COLUMNS = 20;
const MOST_CELLS = 400;
const CELL = 12; // characters
const TEXT = 4000;

// --- finding ---------------------------------------------------------------------------------

const panelsOf = (bot) => (Array.isArray(bot.manifest?.show) ? bot.manifest.show : []);
const looksInto = (panel, body) => !("in" in panel) || body.type === panel.in;
const isFrom = (bot, message) =>
  message.sender === `bot:${bot.bot_id}` && !(message.entry <= bot.since);

/** A number, or the param that is named, as given or as the schema says that it is without. */
function bound(value, bot) {
  if (typeof value !== "string") return value;
  const name = value.replace(/^param:/, "");
  const given = bot.params ?? {};
  return Object.hasOwn(given, name)
    ? given[name]
    : at(bot.manifest, `params.properties.${name}.default`);
}

/** What belongs to the kind of a panel. */
function more(panel, bot, body) {
  return {
    width: panel.width,
    opens: "open" in panel ? true : undefined,
    last: "last" in panel ? at(body, panel.last) : undefined,
    low: bound(panel.low, bot),
    high: bound(panel.high, bot),
  };
}

/**
 * The panels for which a bot has said something, in the manifest's order.
 * @param {{bot_id: string, manifest: any, params: any, since?: number}} bot `since`: the entry of
 *   the log that brought it; what a bot of this name said before is another's.
 * @param {any[]} messages of the room, oldest first, the newest among them
 */
export function findPanels(bot, messages) {
  const wanted = panelsOf(bot);
  const found = [];
  const openings = [];
  const lowest = (messages.at(-1)?.id ?? 0) - LOOK_BACK;
  for (let index = messages.length - 1; index >= 0 && messages[index].id > lowest; index -= 1) {
    const message = messages[index];
    if (!isFrom(bot, message)) continue;
    wanted.forEach((panel, place) => {
      if (found[place] || !looksInto(panel, message.body)) return;
      if (panel.open && !openings[place]) {
        const [text, salt] = [panel.open.text, panel.open.salt].map((path) => at(message.body, path));
        if (text != null && salt != null) openings[place] = { text, salt };
      }
      const value = at(message.body, panel.of);
      if (value == null) return;
      const item = { bot_id: bot.bot_id, panel: panel.panel, value, message: message.id };
      const told = { title: panel.title || undefined, ...more(panel, bot, message.body) };
      const said = Object.entries(told).filter(([, one]) => one != null);
      found[place] = { ...item, ...Object.fromEntries(said), ...openings[place] };
    });
  }
  return found.filter((item) => item);
}

/**
 * The colour that somebody has on a bot's chess board: the side to move of the position that stood
 * there when the turn was last this one's alone. Undefined for whoever never had it.
 */
export function sideOf(bot, messages, you) {
  const panel = panelsOf(bot).find((one) => one.panel === "chess");
  let position = null;
  let side;
  for (const message of panel ? messages : []) {
    const { body, sender } = message;
    if (isFrom(bot, message) && looksInto(panel, body)) {
      position = readFen(at(body, panel.of)) ?? position;
    } else if (sender === "system" && body.type === "turn") {
      if (body.players?.length === 1 && body.players[0] === you) side = position?.side ?? side;
    }
  }
  return side;
}

// --- drawing ---------------------------------------------------------------------------------

const cell = (value) => words(value, CELL).trim();
const asText = (value) => make("p", { class: "as-text" }, words(value, TEXT));

/**
 * A table of buttons: Tab reaches it once, arrows, Home and End walk in it.
 * @param {{name: string, open?: boolean, class?: string, text?: (string | Node)[]}[]} cells
 */
function board(label, width, cells, press) {
  const first = Math.max(0, cells.findIndex((one) => one.open));
  const buttons = cells.map((one, index) =>
    make(
      "button",
      {
        type: "button",
        class: one.class,
        tabindex: index === first ? 0 : -1,
        "aria-label": one.name,
        "aria-disabled": !one.open,
      },
      ...(one.text ?? []),
    ),
  );
  const rows = [];
  for (let start = 0; start < buttons.length; start += width) {
    const row = buttons.slice(start, start + width);
    rows.push(make("tr", {}, ...row.map((button) => make("td", {}, button))));
  }
  const table = make("table", { role: "grid", "aria-label": label }, make("tbody", {}, ...rows));
  table.addEventListener("focusin", (event) => {
    for (const button of buttons) button.tabIndex = button === event.target ? 0 : -1;
  });
  table.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target).closest("button");
    if (target) press(buttons.indexOf(/** @type {HTMLButtonElement} */ (target)));
  });
  table.addEventListener("keydown", (event) => {
    const here = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const there = walk(event, here, width, buttons.length);
    if (there === null) return;
    event.preventDefault();
    buttons[there]?.focus();
  });
  return { buttons, element: make("div", { class: "board" }, table) };
}

/** Where a key leads from a cell; null for a key that leads nowhere. */
function walk({ key, ctrlKey }, here, width, count) {
  const start = here - (here % width);
  const end = Math.min(start + width, count) - 1;
  switch (key) {
    case "ArrowLeft":
      return Math.max(start, here - 1);
    case "ArrowRight":
      return Math.min(end, here + 1);
    case "ArrowUp":
      return here - width < 0 ? here : here - width;
    case "ArrowDown":
      return here + width < count ? here + width : here;
    case "Home":
      return ctrlKey ? 0 : start;
    case "End":
      return ctrlKey ? count - 1 : end;
    default:
      return null;
  }
}

const MEN = { k: "king", q: "queen", r: "rook", b: "bishop", n: "knight", p: "pawn" };
const FIGURES = { k: "♚", q: "♛", r: "♜", b: "♝", n: "♞", p: "♟" };
const asFigure = "\ufe0e"; // and not as a little picture in colours of its own

function man(piece) {
  const kind = piece.toLowerCase();
  return { colour: piece === kind ? "black" : "white", name: MEN[kind], figure: FIGURES[kind] };
}

/** Two presses post a move that `moves` lists, in UCI. */
function chess({ value, last }, { moves, send, side }) {
  const position = readFen(value);
  if (!position) return null;
  const legal = readMoves(position, moves);
  const seenBy = side ?? (legal.length ? position.side : "w");
  const squares = [...position.pieces.keys()];
  if (seenBy === "b") squares.reverse();
  const moved = typeof last === "string" && /^([a-h][1-8]){2}/.test(last);
  const marks = moved ? [squareOf(last), squareOf(last.slice(2))] : [];
  const names = squares.map((square) => {
    const piece = position.pieces[square];
    const stands = piece === " " ? "empty" : `${man(piece).colour} ${man(piece).name}`;
    return `${nameOf(square)}: ${stands}${marks.includes(square) ? ", last move" : ""}`;
  });
  const cells = squares.map((square, index) => {
    const piece = position.pieces[square];
    const text = [];
    if (piece !== " ") {
      const { colour, figure } = man(piece);
      text.push(make("span", { class: `man ${colour}`, "aria-hidden": true }, figure + asFigure));
    }
    const mark = (what, name) => text.push(make("span", { class: what, "aria-hidden": true }, name));
    if (index % 8 === 0) mark("rank", nameOf(square)[1]);
    if (index >= 56) mark("file", nameOf(square)[0]);
    const shade = (square + (square >> 3)) % 2 ? "dark" : "light";
    return { name: names[index], class: `${shade}${marks.includes(square) ? " last" : ""}`, text };
  });

  let picked = -1;
  const offer = make("div", { class: "offer", role: "group", "aria-label": "Promote to" });
  const from = (square) => legal.filter((move) => move.from === square);
  const show = () => {
    const targets = new Set(from(picked).map((move) => move.to));
    squares.forEach((square, index) => {
      const button = drawn.buttons[index];
      const here = targets.has(square);
      button.classList.toggle("target", here);
      button.setAttribute("aria-label", names[index] + (here ? ", can move here" : ""));
      const state = (name, on) =>
        on ? button.setAttribute(name, "true") : button.removeAttribute(name);
      state("aria-disabled", !here && !from(square).length);
      state("aria-pressed", square === picked);
    });
  };
  const post = (move) => {
    picked = -1;
    offer.replaceChildren();
    show();
    send(move.uci);
  };
  const press = (index) => {
    const square = squares[index];
    const found = from(picked).filter((move) => move.to === square);
    offer.replaceChildren();
    if (found.length === 1) {
      post(found[0]);
      return;
    }
    if (found.length) {
      for (const move of found) {
        const button = make("button", { type: "button" }, MEN[move.promoted] ?? "pawn");
        button.addEventListener("click", () => post(move));
        offer.append(button);
      }
      /** @type {HTMLElement} */ (offer.firstChild).focus();
      return;
    }
    picked = square !== picked && from(square).length ? square : -1;
    show();
  };
  const drawn = board("Chess board", 8, cells, press);
  show();
  const first = squares.findIndex((square) => from(square).length);
  drawn.buttons.forEach((button, index) => (button.tabIndex = index === Math.max(0, first) ? 0 : -1));
  const told = last == null ? "" : moved ? `${last.slice(0, 2)}–${last.slice(2, 4)}` : cell(last);
  const line = [`${position.side === "w" ? "White" : "Black"} to move`, told && `last move ${told}`];
  return [
    drawn.element,
    offer,
    make("p", { class: "board-line" }, line.filter((one) => one).join(" · ")),
  ];
}

/** A cell whose number `moves` lists posts that number. */
function grid({ value, width }, { moves, send }) {
  if (!Array.isArray(value) || !value.length || value.length > MOST_CELLS) return null;
  if (!Number.isInteger(width) || width < 1) return null;
  const cells = value.map((one, index) => {
    const [text, number] = [cell(one), String(index + 1)];
    const open = moves.has(number);
    const hint = open && !text;
    // Texts that differ look different, whatever they mean to their author.
    const tone = text && `tone-${/** @type {number} */ (text.codePointAt(0)) % 4}`;
    return {
      name: `${number}: ${text || "empty"}`,
      open,
      class: `${tone}${text.length > 2 ? " long" : ""}${hint ? " hint" : ""}`,
      text: [hint ? number : text],
    };
  });
  const press = (index) => cells[index].open && send(String(index + 1));
  const { element } = board("Board", Math.min(width, cells.length), cells, press);
  element.classList.add("cells", width > 9 ? "many" : `w-${width}`);
  return element;
}

const SUITS = { S: ["♠", "spades"], H: ["♥", "hearts"], D: ["♦", "diamonds"], C: ["♣", "clubs"] };
const RANKS = { A: "ace", K: "king", Q: "queen", J: "jack", T: "10" };

function card(code) {
  const [, rank, suit] = /^(10|[2-9TJQKA])([SHDC])$/.exec(typeof code === "string" ? code : "") ?? [];
  const down = code === "??";
  if (!rank && !down) return make("span", { class: "playing-card" }, cell(code) || "–");
  const name = down ? "face down" : `${RANKS[rank] ?? rank} of ${SUITS[suit][1]}`;
  const red = suit === "H" || suit === "D" ? " red" : "";
  return make(
    "span",
    { class: `playing-card${red}${down ? " down" : ""}`, role: "img", "aria-label": name },
    down ? "?" : rank.replace("T", "10"),
    down ? "" : make("span", {}, SUITS[suit][0] + asFigure),
  );
}

/** A hand, or the several hands of one player; deeper down there are none. */
function hand(value, several = true) {
  const held = isRecord(value) ? value.cards : value;
  if (!Array.isArray(held)) return [make("span", {}, words(held ?? null))];
  if (several && held.length && held.every((one) => Array.isArray(one) || isRecord(one))) {
    return held.slice(0, ROWS).flatMap((one) => hand(one, false));
  }
  const shown = held.slice(0, ROWS).map(card);
  return [make("span", { class: "hand" }, ...(shown.length ? shown : ["no cards"]))];
}

function cards({ value }) {
  const many = Array.isArray(value) && value.length > 0 && value.every(isRecord);
  if (!many && !isRecord(value)) {
    const fits = Array.isArray(value) || typeof value === "string";
    return fits ? make("div", { class: "hands" }, ...hand(value)) : null;
  }
  const held = many ? value.map((one) => [one.player ?? "", one]) : Object.entries(value);
  const rows = held
    .slice(0, ROWS)
    .map(([name, one]) => make("li", {}, make("bdi", {}, cell(name)), ...hand(one)));
  return make("ul", { class: "hands" }, ...rows);
}

function die(value) {
  const pips = Number.isInteger(value) && value >= 1 && value <= 6;
  if (!pips) return make("span", { class: "die said" }, cell(value));
  const dots = [...Array(value)].map(() => make("i"));
  return make("span", { class: `die pips-${value}`, role: "img", "aria-label": `${value}` }, ...dots);
}

function dice({ value }) {
  const rolled = Array.isArray(value) ? value : [value];
  return make("div", { class: "dice" }, ...rolled.slice(0, ROWS).map(die));
}

/** Objects are rows of a name and a value, or columns where there is a list of them. */
function table({ value, title }) {
  if (!isRecord(value) && !Array.isArray(value)) return null;
  const rows = Array.isArray(value) ? value.slice(0, ROWS) : Object.entries(value).slice(0, ROWS);
  const left = (Array.isArray(value) ? value : Object.keys(value)).length - rows.length;
  const records = Array.isArray(value) && rows.length > 0 && rows.every(isRecord);
  const columns = records ? [...new Set(rows.flatMap(Object.keys))].slice(0, COLUMNS) : [];
  const head = (name, scope) => make("th", { scope }, words(name, 60));
  const data = (one) =>
    make("td", { class: typeof one === "number" ? "number" : undefined }, words(one ?? "–"));
  const row = (one) => {
    if (!Array.isArray(value)) return [head(one[0], "row"), data(one[1])];
    if (records) return columns.map((name) => data(Object.hasOwn(one, name) ? one[name] : null));
    return (Array.isArray(one) ? one.slice(0, COLUMNS) : [one]).map(data);
  };
  const body = make("tbody", {}, ...rows.map((one) => make("tr", {}, ...row(one))));
  const named = columns.map((name) => head(name, "col"));
  return [
    make(
      "table",
      { class: "data", "aria-label": title ? words(title, 80) : "Table" },
      named.length > 0 && make("thead", {}, make("tr", {}, ...named)),
      body,
    ),
    left > 0 && make("p", { class: "board-line" }, `and ${left} more`),
  ];
}

function said({ value }) {
  return make("blockquote", {}, words(value, TEXT));
}

function range({ value, low, high }) {
  if (typeof value !== "number") return null;
  const bounds = low == null || high == null ? "" : ` of ${words(low)} to ${words(high)}`;
  const told = make("p", { class: "range-value" }, make("b", {}, String(value)), bounds);
  if (typeof low !== "number" || typeof high !== "number" || !(low < high)) return told;
  const label = `${value}${bounds}`;
  return [told, make("meter", { min: low, max: high, value, "aria-label": label })];
}

/** Whether text and salt are what was committed to; null where this page cannot tell. */
async function agrees({ value, text, salt }) {
  const whole = typeof salt === "string" || Number.isSafeInteger(salt);
  if (!whole || !globalThis.crypto?.subtle) return null;
  const opened = `${typeof text === "string" ? text : quoted(text)}${salt}`;
  const bytes = new TextEncoder().encode(opened.replace(/\p{Cs}/gu, "?"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === value;
}

function hash(item) {
  const code = make("code", {}, words(item.value));
  const step = (name, done) => make("span", { class: done ? "step done" : "step" }, name);
  const open = "text" in item && "salt" in item;
  const steps = (item.opens || open) && [step("committed", true), step("opened", open)];
  const line = steps && make("p", { class: "steps" }, ...steps);
  if (!open) return [line, code, item.opens && make("p", { class: "board-line" }, "not opened yet")];
  const verdict = make("p", { class: "verdict" }, "computing its SHA-256 …");
  agrees(item).then((same) => {
    verdict.classList.add(same === null ? "unknown" : same ? "good" : "bad");
    const false_ = "the SHA-256 of text and salt is ANOTHER: this opening is false";
    const good = "the SHA-256 of text and salt is this, computed here";
    verdict.textContent = same === null ? "this page cannot check it" : same ? good : false_;
  });
  const part = (name, value) => [make("dt", {}, name), make("dd", {}, words(value, TEXT))];
  const parts = make("dl", {}, ...part("text", item.text), ...part("salt", item.salt));
  return [line, code, parts, verdict];
}

/** Kind -> what draws it, and what it is called without a title. */
const KINDS = new Map([
  ["chess", [chess, "Chess"]],
  ["grid", [grid, "Board"]],
  ["cards", [cards, "Cards"]],
  ["dice", [dice, "Dice"]],
  ["table", [table, "Table"]],
  ["text", [said, "Text"]],
  ["range", [range, "Number"]],
  ["hash", [hash, "Commitment"]],
]);

/**
 * One panel.
 * @param {any} item of `findPanels`
 * @param {{moves?: Set<string>, send?: (body: string) => void, side?: "w" | "b"}} view `moves`: texts
 *   that whoever looks may post now, none for a watcher; `send` posts one; `side`: of `sideOf`
 * @returns {HTMLElement}
 */
export function drawPanel(item, { moves = new Set(), send = () => {}, side } = {}) {
  const [draw, name] = KINDS.get(item.panel) ?? [said, "Text"];
  const drawn = draw(item, { moves, send, side }) ?? asText(item.value);
  const title = words(item.title ?? "", 80);
  return make(
    "section",
    { class: `panel panel-${KINDS.has(item.panel) ? item.panel : "text"}`, "aria-label": title || name },
    title && make("h3", {}, title),
    ...(Array.isArray(drawn) ? drawn : [drawn]),
  );
}

const drawnFrom = new WeakMap();

/**
 * Keep a place showing these items: only what has changed is drawn anew, and whoever is on a square
 * stays on it. `view` as in `drawPanel`; its `send` must do for as long as the place is there.
 */
export function placePanels(place, items, view) {
  items.forEach((item, index) => {
    const plays = item.panel === "chess" || item.panel === "grid";
    const from = JSON.stringify([item, plays && [[...(view.moves ?? [])], view.side]]);
    const old = place.children[index];
    if (old && drawnFrom.get(old) === from) return;
    const drawn = drawPanel(item, view);
    drawnFrom.set(drawn, from);
    const focused = old ? [...old.querySelectorAll("td button")].indexOf(document.activeElement) : -1;
    if (old) old.replaceWith(drawn);
    else place.append(drawn);
    /** @type {HTMLElement | undefined} */ (drawn.querySelectorAll("td button")[focused])?.focus();
  });
  while (place.children.length > items.length) place.lastElementChild.remove();
}
