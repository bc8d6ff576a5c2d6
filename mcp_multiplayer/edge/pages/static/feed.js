// @ts-check
/**
 * What was said in a room, whoever its referee is: who, the type as a tag, a text as a paragraph,
 * other plain values by their names, the rest folded up. Nothing is guessed from names of fields.
 */

import { isRecord, make, words } from "./elements.js";

const LONG = 200; // characters that stand in the line
const MOST = 2000; // messages on the page
const TEXT = 4000;
const WHOLE = 100000; // characters behind "more"

const list = (value) => (Array.isArray(value) ? value : []).map((one) => words(one, 80)).join(", ");
const because = ({ reason }) => (reason ? `: ${words(reason)}` : "");

/** What the server says of the room, by type; all else of it as any message. */
const TOLD = {
  joined: (said) => `${said.player_id} ${said.role === "spectator" ? "watches" : "sat down"}`,
  taken_over: (said) => `the seat of ${said.player_id} was taken over`,
  left: (said) => `${said.player_id} left`,
  admin: (said) => `${said.player_id} ${said.admin ? "now" : "no longer"} manages the room`,
  renamed: (said) => `the room is called ${said.name} now`,
  handed_over: (said) => `the room was handed over to ${said.player_id}`,
  closed: (said) => `the room is closed${because(said)}`,
  turn: (said) => `to move: ${list(said.players) || "nobody"}`,
  ended: (said) => `the game is over, won by ${list(said.winners) || "nobody"}${because(said)}`,
  "bot:attach": (said) => `bot:${said.bot_id} is ${said.name}`,
  "bot:manifest": (said) => `what bot:${said.bot_id} says of itself`,
  "bot:error": (said) => `bot:${said.bot_id} failed in ${said.hook}: ${said.error}`,
  bots_announced: ({ removed, bots }) =>
    removed ? `bot:${removed} is gone` : `referee: ${list(bots?.map((bot) => bot.name))}`,
  change_proposed: (said) => `${said.by} proposes a change`,
};
/** Of these there is more to read than the short words. */
const MORE = new Set(["bot:attach", "bot:manifest", "change_proposed"]);

const folded = (name, value) =>
  make("details", {}, make("summary", {}, words(name, 120)), make("pre", {}, words(value, WHOLE)));

const isPlain = (value) => value === null || ["number", "boolean"].includes(typeof value);
const isShort = (value) =>
  isPlain(value) || (typeof value === "string" && value.length <= LONG && !value.includes("\n"));

/** `drawn`: names of fields that stand on a board beside the log; they are folded up. */
function fields(body, drawn = new Set()) {
  const { type, text, _sd, ...more } = body;
  const said = typeof text === "string" ? text : undefined;
  const rest = Object.entries(said === undefined && text !== undefined ? { text, ...more } : more);
  const inLine = ([name, value]) => isShort(value) && !drawn.has(name);
  const short = rest.filter(inLine).slice(0, 40);
  const long = Object.fromEntries(rest.filter((one) => !short.includes(one)));
  const names = Object.keys(long).slice(0, 8).join(", ");
  return [
    said && make("p.words", {}, words(said, TEXT)),
    said && said.length > TEXT && folded("all of it", said),
    ...short.flatMap(([name, value]) => [
      " ",
      make("span.value", {}, make("b", {}, `${words(name, 60)}:`), " ", words(value)),
    ]),
    _sd !== undefined && make("p.words.hidden-part", {}, "and something sealed"),
    names && folded(names, long),
  ];
}

function saidBySystem(body) {
  const tell = typeof body.type === "string" && Object.hasOwn(TOLD, body.type) && TOLD[body.type];
  if (!tell) return [typeof body.type === "string" && tag(body.type), ...fields(body)];
  const { type, ...more } = body;
  const line = make("span.words", {}, words(tell(body)));
  return [line, MORE.has(type) && folded("in full", more)];
}

const tag = (text) => make("span.type", {}, words(text, 40));

function time(ts) {
  const at = new Date(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(ts) ? ts : NaN);
  if (Number.isNaN(at.getTime())) return null;
  const shown = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return make("time", { datetime: at.toISOString() }, shown);
}

/**
 * One message.
 * @param {any} message as the API gives it
 * @param {{you?: string, drawn?: Map<string, Set<string>>}} reader `you`: the reader's own label;
 *   `drawn`: of `drawnFields`
 * @returns {HTMLElement} an `li`
 */
export function feedItem(message, { you, drawn } = {}) {
  const { id, sender, kind, to, ts } = message;
  const body = isRecord(message.body) ? message.body : {};
  const system = sender === "system" && kind === "system";
  const role = system ? "system" : sender.startsWith("bot:") ? "bot" : "player";
  const special = ["user", "bot", "system"].includes(kind) ? "" : kind;
  const addressed = Array.isArray(to) && to.length > 0;
  const sealed = addressed && typeof body.sealed === "string" && Object.keys(body).length === 1;
  const head = make(
    "span.who",
    {},
    make("span.number", {}, String(id)),
    !system && make("bdi", {}, words(sender, 80)),
    sender === you && " (you)",
    addressed && make("span.to", {}, " to ", make("bdi", {}, words(to.join(", "), 200))),
    special && tag(special),
    !system && !sealed && typeof body.type === "string" && tag(body.type),
  );
  const lock = make("span.lock", {});
  const said = sealed
    ? [make("p.words.hidden-part", {}, lock, "something sealed")]
    : system ? saidBySystem(body) : fields(body, drawn?.get(sender));
  const own = sender === you ? " own" : "";
  return make("li", { class: `said from-${role}${own}` }, head, time(ts), ...said);
}

/**
 * The log of a room, its newest part: a page stays open for days, and a referee may talk all the
 * time. `append` shows a message once, and follows it if the newest was in view.
 * @param {{you?: string, drawn?: Map<string, Set<string>>}} reader as of `feedItem`
 */
export function makeFeed(reader = {}) {
  const list = make("ol", {});
  const element = make(
    "div.feed",
    { role: "log", "aria-label": "What was said", tabindex: 0 },
    list,
  );
  let newest = 0;
  const append = (message) => {
    if (message.id <= newest) return;
    newest = message.id;
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    list.append(feedItem(message, reader));
    if (list.children.length > MOST) list.firstElementChild?.remove();
    if (follows) element.scrollTop = element.scrollHeight;
  };
  return { element, append };
}
