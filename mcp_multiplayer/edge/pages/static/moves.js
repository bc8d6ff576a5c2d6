// @ts-check
/**
 * What a player may press and write, from the turn's `expect` and nothing else. A button posts
 * exactly the entry that it stands for, and shows all of it: a stranger's referee must not make
 * somebody say what cannot be read on the button.
 */

import { isRecord, make, redraw, words } from "./elements.js";

const AT_ONCE = 12; // buttons; of more, FIRST and the others behind "more moves"
const FIRST = 8;
const MOST = 400; // a button for each cell of a grid
const LONGEST = 300; // characters of what a button posts
const CONFIRMED = new Set(["resign", "concede", "leave"]);

/** `action value` for a move as referees read it; another object is shown as it is. */
function labelOf(body) {
  if (typeof body === "string") return body;
  const { type, action, value, game, ...more } = body;
  const parts = value === undefined ? [action] : [action, value];
  const isMove = type === "move" && typeof action === "string" && !Object.keys(more).length;
  const scalar = parts.every((one) => ["string", "number"].includes(typeof one));
  // The name of a game says nothing more; a list or a sentence in its place would.
  const isName = typeof game === "string" && /^[a-z]{1,12}(-[a-z]{1,12}){0,2}$/.test(game);
  const named = isMove && scalar && (game === undefined || isName);
  return named ? parts.join(" ") : JSON.stringify(body);
}

function namesIn(to) {
  const names = typeof to === "string" ? [to] : to;
  const isText = (one) => typeof one === "string";
  return Array.isArray(names) && names.length && names.every(isText) ? names : null;
}

/**
 * What a turn asks of the reader, if it is the reader's.
 * @param {any} turn of a room's view
 * @returns {{buttons: {label: string, body: any, to: string[] | null, sealed: boolean}[],
 *   prompt: string, to: string[] | null}} `to`: who alone may read the answer; null: everybody
 */
export function readExpect(turn) {
  const expect = turn?.yours ? turn.expect : null;
  const told = isRecord(expect) ? expect : { body: expect };
  const to = turn?.yours ? (namesIn(turn.to) ?? namesIn(told.to)) : null;
  const listed = Array.isArray(told.body) ? told.body : isRecord(told.body) ? [told.body] : [];
  const buttons = listed
    .filter((body) => (typeof body === "string" && body.trim()) || isRecord(body))
    .map((body) => ({ label: labelOf(body), body, to, sealed: to !== null }))
    .filter(({ label }) => label.length <= LONGEST)
    .slice(0, MOST);
  const prompt = [told.body, told.also].filter((one) => typeof one === "string").join(" · ");
  const other = isRecord(expect) && !buttons.length && !prompt ? JSON.stringify(expect) : "";
  return { buttons, prompt: prompt || other, to };
}

/** The texts that a press on a board may post. */
export const textsOf = ({ buttons }) =>
  new Set(buttons.map(({ body }) => body).filter((body) => typeof body === "string"));

/** Who reads what is written in a text box, as JSON. */
const readBy = new WeakMap();

/** A button that acts; before giving up it asks for a second press, and keeps its place. */
function pressing(label, word, act) {
  const shown = words(label, LONGEST);
  const asks = CONFIRMED.has(words(word, 20).trim().toLowerCase());
  const ask = (sure) => {
    button.classList.toggle("sure", sure);
    if (sure) button.setAttribute("aria-label", `Sure? Press again: ${shown}`);
    else button.removeAttribute("aria-label");
  };
  const click = () => {
    const now = !asks || button.classList.contains("sure");
    ask(!now);
    if (now) act();
  };
  const faces = asks ? [make("span", {}, shown), make("span", {}, "Sure?")] : [shown];
  const about = { type: "button", click, blur: () => ask(false) };
  const button = make(asks ? "button.move.asks" : "button.move", about, ...faces);
  return button;
}

/** The moves beyond the first ones, behind a word that finds them. */
function moreMoves(buttons) {
  const input = ({ target }) => {
    const sought = target.value.trim().toLowerCase();
    for (const one of buttons) one.hidden = !one.textContent.toLowerCase().includes(sought);
  };
  const filter = make("input", { type: "search", autocomplete: "off", input });
  return make(
    "details.more-moves",
    {},
    make("summary", {}, `more moves (${buttons.length})`),
    make("label", {}, "Find a move", filter),
    make("div.buttons", {}, ...buttons),
  );
}

/**
 * Buttons, a text box and the menu of the referee's other words.
 * @param {{turn: any, moves?: any, canPost: boolean}} state `moves`: of the referee's manifest
 * @param {(body: any, to: string[] | null) => void} post `to`: as `readExpect` has it
 * @returns {HTMLElement}
 */
export function moveControls({ turn, moves, canPost }, post) {
  const place = { class: "moves", tabindex: -1 };
  if (!canPost) return make("div", place);
  const { buttons, prompt, to } = readExpect(turn);
  const sealed = to && make("p.sealed", {}, make("span.lock", {}), sealing(to));
  const pressed = buttons.map(({ label, body }) =>
    pressing(label, isRecord(body) ? body.action : body, () => post(body, to)),
  );
  const first = pressed.splice(0, pressed.length > AT_ONCE ? FIRST : AT_ONCE);
  const talk = to ? "Say something, sealed" : "Say something";
  const name = prompt ? `The referee asks: ${words(prompt)}` : talk;
  const box = make("input", { name: "say", autocomplete: "off", enterkeyhint: "send" });
  const submit = (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    post(box.value, to);
    box.value = "";
  };
  const form = make(
    "form.say-box",
    { submit },
    make("label", {}, name, box),
    make("button.go", {}, to ? "Send sealed" : "Send"),
  );
  readBy.set(box, JSON.stringify(to));
  const group = { class: "buttons", role: "group", "aria-label": "Moves" };
  return make(
    "div",
    place,
    sealed,
    first.length && make("div", group, ...first),
    pressed.length && moreMoves(pressed),
    form,
    menu(moves, box, (body) => post(body, to)),
  );
}

const sealing = (to) =>
  to.length === 1 && to[0].startsWith("bot:")
    ? `Sealed: only the referee ${words(to[0], 60)} sees this.`
    : `Sealed: only ${words(to.join(", "), 200)} see this.`;

/** One word is said at once; more of them may have gaps, so they come into the text box. */
function menu(moves, box, say) {
  const texts = (Array.isArray(moves) ? moves : []).filter((one) => typeof one === "string" && one);
  if (!texts.length) return null;
  const buttons = texts.slice(0, 40).map((text) =>
    pressing(words(text, LONGEST), text, () => {
      if (/^!?[a-z]{1,32}$/i.test(text)) {
        say(text);
        return;
      }
      box.value = text;
      box.focus();
    }),
  );
  return make(
    "details.menu",
    {},
    make("summary", {}, "⋯ other words"),
    make("div.buttons", {}, ...buttons),
  );
}

/**
 * Keep a place showing the controls of this state; a draft stays, and the focus in it. One that was
 * to be sealed is dropped when others would read it: whoever types does not look at the button.
 */
export function placeMoves(place, state, post) {
  const { turn, moves, canPost } = state;
  const source = [canPost, moves, turn?.yours && [turn.expect, turn.to]];
  const box = "input[name=say]";
  const [old, drawn] = redraw(place, 0, source, box, () => moveControls(state, post)) ?? [];
  const [before, now] = [old, drawn].map((one) => one?.querySelector(box));
  const [meant, goes] = [before, now].map((one) => readBy.get(one));
  if (before?.value && now && (meant === "null" || meant === goes)) now.value = before.value;
}
