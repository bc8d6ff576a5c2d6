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

import { nameOf, readFen, readMoves } from "./chess.js";
import { at, isRecord, make, quoted, redraw, words } from "./elements.js";

const LOOK_BACK = 512; // messages in which a field is looked for, from the newest on
const ROWS = 50;
const COLUMNS = 20;
const MOST_CELLS = 400;
const CELL = 12; // characters
const TEXT = 4000;

// --- finding ---------------------------------------------------------------------------------

const panelsOf = ({ manifest }) =>
  Array.isArray(manifest?.show) ? manifest.show.filter(isRecord) : [];
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

/** By sender, the fields of these bots' messages that their panels draw. */
export function drawnFields(bots) {
  const named = ({ of, last, open }) => [of, last, open?.text, open?.salt];
  const top = (path) => String(path).split(".")[0];
  const fieldsOf = (bot) => panelsOf(bot).flatMap(named).filter((one) => one).map(top);
  return new Map(bots.map((bot) => [`bot:${bot.bot_id}`, new Set(fieldsOf(bot))]));
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
        const text = at(message.body, panel.open.text);
        const salt = at(message.body, panel.open.salt);
        if (text != null && salt != null) openings[place] = { text, salt };
      }
      const value = at(message.body, panel.of);
      if (value == null) return;
      const item = {
        bot_id: bot.bot_id,
        panel: panel.panel,
        value,
        message: message.id,
        title: panel.title || null,
        width: panel.width,
        opens: panel.open && true,
        last: at(message.body, panel.last),
        low: bound(panel.low, bot),
        high: bound(panel.high, bot),
        ...openings[place],
      };
      found[place] = Object.fromEntries(Object.entries(item).filter(([, one]) => one != null));
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
const asText = (value) => make("p.as-text", {}, words(value, TEXT));

/**
 * A table of buttons: Tab reaches it once, arrows, Home and End walk in it.
 * @param {{name: string, open?: boolean, class?: string, text: any[]}[]} cells
 */
function board(label, width, cells, press) {
  const first = Math.max(
    0,
    cells.findIndex((one) => one.open),
  );
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
      ...one.text,
    ),
  );
  const rows = [];
  for (let start = 0; start < buttons.length; start += width) {
    const row = buttons.slice(start, start + width);
    rows.push(make("tr", {}, ...row.map((button) => make("td", {}, button))));
  }
  const about = {
    role: "grid",
    "aria-label": label,
    focusin: ({ target }) => {
      for (const button of buttons) button.tabIndex = button === target ? 0 : -1;
    },
    click: ({ target }) => {
      const index = buttons.findIndex((button) => button.contains(target));
      if (index >= 0) press(index);
    },
    keydown: (event) => {
      const here = buttons.indexOf(event.target);
      const there = buttons[walk(event, here, width, buttons.length)];
      if (!there) return;
      event.preventDefault();
      there.focus();
    },
  };
  const table = make("table", about, make("tbody", {}, ...rows));
  return { buttons, element: make("div.board", {}, table) };
}

/** Where a key leads from a cell; undefined for a key that leads nowhere. */
function walk({ key, ctrlKey }, here, width, count) {
  const start = here - (here % width);
  const end = Math.min(start + width, count) - 1;
  const ways = {
    ArrowLeft: Math.max(start, here - 1),
    ArrowRight: Math.min(end, here + 1),
    ArrowUp: here < width ? here : here - width,
    ArrowDown: here + width < count ? here + width : here,
    Home: ctrlKey ? 0 : start,
    End: ctrlKey ? count - 1 : end,
  };
  return ways[key];
}

const MEN = { k: "king", q: "queen", r: "rook", b: "bishop", n: "knight", p: "pawn" };
const FIGURES = { k: "♚", q: "♛", r: "♜", b: "♝", n: "♞", p: "♟" };
const AS_TEXT = "\ufe0e"; // and not as a little picture in colours of its own

/** Two presses post a move that `moves` lists, in UCI. */
function chess({ value, last }, { moves, send, side }) {
  const position = readFen(value);
  if (!position) return null;
  const legal = readMoves(position, moves);
  const squares = [...position.pieces.keys()];
  if ((side ?? (legal.length ? position.side : "w")) === "b") squares.reverse();
  const [, ...way] = /^([a-h][1-8])([a-h][1-8])/.exec(typeof last === "string" ? last : "") ?? [];
  const hidden = (name, text) => make("span", { class: name, "aria-hidden": true }, text);
  const cells = squares.map((square, index) => {
    const [piece, name] = [position.pieces[square], nameOf(square)];
    const kind = piece.toLowerCase();
    const colour = piece === kind ? "black" : "white";
    const stands = MEN[kind] ? `${colour} ${MEN[kind]}` : "empty";
    const moved = way.includes(name);
    const shade = (square + (square >> 3)) % 2 ? "dark" : "light";
    return {
      name: `${name}: ${stands}${moved ? ", last move" : ""}`,
      open: legal.some((move) => move.from === square),
      class: moved ? `${shade} last` : shade,
      text: [
        MEN[kind] && hidden(`man ${colour}`, FIGURES[kind] + AS_TEXT),
        index % 8 === 0 && hidden("rank", name[1]),
        index >= 56 && hidden("file", name[0]),
      ],
    };
  });

  let picked = -1;
  const offer = make("div.offer", { role: "group", "aria-label": "Promote to" });
  const pick = (square) => {
    picked = square;
    offer.replaceChildren();
    squares.forEach((one, index) => {
      const button = drawn.buttons[index];
      const target = legal.some((move) => move.from === square && move.to === one);
      button.classList.toggle("target", target);
      button.setAttribute("aria-label", cells[index].name + (target ? ", can move here" : ""));
      const flag = (name, on) =>
        on ? button.setAttribute(name, "true") : button.removeAttribute(name);
      flag("aria-disabled", !target && !cells[index].open);
      flag("aria-pressed", one === square);
    });
  };
  const post = (move) => {
    pick(-1);
    send(move.uci);
  };
  const drawn = board("Chess board", 8, cells, (index) => {
    const found = legal.filter((move) => move.from === picked && move.to === squares[index]);
    if (found.length === 1) {
      post(found[0]);
    } else if (found.length) {
      const buttons = found.map((move) => {
        const click = () => post(move);
        return make("button", { type: "button", click }, MEN[move.promoted] ?? "pawn");
      });
      offer.replaceChildren(...buttons);
      buttons[0].focus();
    } else {
      pick(squares[index] !== picked && cells[index].open ? squares[index] : -1);
    }
  });
  const told = way.length ? way.join("–") : last == null ? "" : cell(last);
  const line = `${position.side === "w" ? "White" : "Black"} to move`;
  const then = told && ` · last move ${told}`;
  return [drawn.element, offer, make("p.board-line", {}, line, then)];
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
    const tone = text && `tone-${text.charCodeAt(0) % 4}`;
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

const SUITS = { S: "♠ spades", H: "♥ hearts", D: "♦ diamonds", C: "♣ clubs" };
const RANKS = { A: "ace", K: "king", Q: "queen", J: "jack", T: "10" };

function card(code) {
  const text = typeof code === "string" ? code : "";
  const [, rank, suit] = /^(10|[2-9TJQKA])([SHDC])$/.exec(text) ?? [];
  const down = code === "??";
  if (!rank && !down) return make("span.playing-card", {}, cell(code) || "–");
  const [figure, suits] = (SUITS[suit] ?? "").split(" ");
  const name = down ? "face down" : `${RANKS[rank] ?? rank} of ${suits}`;
  const red = suit === "H" || suit === "D" ? " red" : "";
  return make(
    "span",
    { class: `playing-card${red}${down ? " down" : ""}`, role: "img", "aria-label": name },
    down ? "?" : rank.replace("T", "10"),
    !down && make("span", {}, figure + AS_TEXT),
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
  return [make("span.hand", {}, ...(shown.length ? shown : ["no cards"]))];
}

function cards({ value }) {
  const many = Array.isArray(value) && value.length > 0 && value.every(isRecord);
  if (!many && !isRecord(value)) {
    const fits = Array.isArray(value) || typeof value === "string";
    return fits ? make("div.hands", {}, ...hand(value)) : null;
  }
  const held = many ? value.map((one) => [one.player ?? "", one]) : Object.entries(value);
  const rows = held
    .slice(0, ROWS)
    .map(([name, one]) => make("li", {}, make("bdi", {}, cell(name)), ...hand(one)));
  return make("ul.hands", {}, ...rows);
}

function die(value) {
  const pips = Number.isInteger(value) && value >= 1 && value <= 6;
  if (!pips) return make("span.die.said", {}, cell(value));
  const dots = [...Array(value)].map(() => make("i"));
  const about = { class: `die pips-${value}`, role: "img", "aria-label": String(value) };
  return make("span", about, ...dots);
}

function dice({ value }) {
  const rolled = Array.isArray(value) ? value : [value];
  return make("div.dice", {}, ...rolled.slice(0, ROWS).map(die));
}

/** An object has a row for each name; a list of objects a column for each. */
function table({ value, title }) {
  const list = Array.isArray(value) ? value : isRecord(value) ? Object.entries(value) : null;
  if (!list?.length) return list && make("p.board-line", {}, "nothing");
  const rows = list.slice(0, ROWS);
  const records = list === value && rows.every(isRecord);
  const columns = records ? [...new Set(rows.flatMap(Object.keys))].slice(0, COLUMNS) : [];
  const head = (name, scope) => make("th", { scope }, words(name, 60));
  const data = (one) =>
    make("td", { class: typeof one === "number" ? "number" : undefined }, words(one ?? "–"));
  const row = (one) => {
    if (list !== value) return [head(one[0], "row"), data(one[1])];
    if (records) return columns.map((name) => data(Object.hasOwn(one, name) ? one[name] : null));
    return (Array.isArray(one) ? one.slice(0, COLUMNS) : [one]).map(data);
  };
  const line = (cells) => make("tr", {}, ...cells);
  const body = make("tbody", {}, ...rows.map((one) => line(row(one))));
  const names = records && make("thead", {}, line(columns.map((name) => head(name, "col"))));
  const left = list.length - rows.length;
  return [
    make("table.data", { "aria-label": title ? words(title, 80) : "Table" }, names, body),
    left > 0 && make("p.board-line", {}, `and ${left} more`),
  ];
}

function said({ value }) {
  return make("blockquote", {}, words(value, TEXT));
}

function range({ value, low, high }) {
  if (typeof value !== "number") return null;
  const bounds = low == null || high == null ? "" : ` of ${words(low)} to ${words(high)}`;
  const told = make("p.range-value", {}, make("b", {}, String(value)), bounds);
  if (typeof low !== "number" || typeof high !== "number" || !(low < high)) return told;
  const label = `${value}${bounds}`;
  return [told, make("meter", { min: low, max: high, value, "aria-label": label })];
}

/** Whether text and salt are what was committed to; null where this page cannot tell. */
async function agrees({ value, text, salt }) {
  let sure = typeof salt === "string" || Number.isSafeInteger(salt);
  JSON.stringify(text, (_, one) => {
    // Of others it is not known how the server writes them.
    if (typeof one === "number" && !Number.isSafeInteger(one)) sure = false;
    return one;
  });
  if (!sure || !globalThis.crypto?.subtle) return null;
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
  const line = steps && make("p.steps", {}, ...steps);
  const yet = item.opens && make("p.board-line", {}, "not opened yet");
  if (!open) return [line, code, yet];
  const verdict = make("p.verdict", {}, "computing its SHA-256 …");
  agrees(item).then((same) => {
    verdict.classList.add(same === null ? "unknown" : same ? "good" : "bad");
    const told = same ? "this, computed here" : "ANOTHER: this opening is false";
    verdict.textContent =
      same === null ? "this page cannot check it" : `the SHA-256 of text and salt is ${told}`;
  });
  const part = (name, value) => [make("dt", {}, name), make("dd", {}, words(value, TEXT))];
  const parts = make("dl", {}, ...part("text", item.text), ...part("salt", item.salt));
  return [line, code, parts, verdict];
}

/** @type {Map<string, [Function, string]>} Kind -> what draws it, its name without a title. */
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
 * @param {{moves?: Set<string>, send?: (body: string) => void, side?: "w" | "b"}} view `moves`:
 *   texts that whoever looks may post now, none for a watcher; `send` posts one; `side`: that of
 *   `sideOf`
 * @returns {HTMLElement}
 */
export function drawPanel(item, { moves = new Set(), send = () => {}, side } = {}) {
  const [draw, name] = KINDS.get(item.panel) ?? [said, "Text"];
  const drawn = draw(item, { moves, send, side }) ?? asText(item.value);
  const title = words(item.title ?? "", 80);
  const author = draw === said && `bot:${words(item.bot_id, 60)}`; // or it would sound like ours
  const heading = [title, author].filter((one) => one).join(" · ");
  return make(
    "section",
    {
      class: `panel panel-${KINDS.has(item.panel) ? item.panel : "text"}`,
      role: "group",
      "aria-label": title || name,
      tabindex: -1,
    },
    heading && make("h3", {}, heading),
    ...(Array.isArray(drawn) ? drawn : [drawn]),
  );
}

/**
 * Keep a place showing these items: only what has changed is drawn anew, and whoever is on a square
 * stays on it. `view` as in `drawPanel`; its `send` must do for as long as the place is there.
 */
export function placePanels(place, items, view) {
  const now = [[...(view.moves ?? [])], view.side];
  items.forEach((item, index) => {
    const source = ["chess", "grid"].includes(item.panel) ? [item, now] : item;
    redraw(place, index, source, "td button", () => drawPanel(item, view));
  });
  while (place.children.length > items.length) place.lastElementChild.remove();
}
