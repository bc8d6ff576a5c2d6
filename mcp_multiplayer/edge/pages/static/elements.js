// @ts-check
/**
 * Elements for the words of strangers: text becomes text, whatever it says. Names of elements and
 * of attributes are ours; there is no markup, no style and no address among them.
 */

// What turns, hides or separates text; the same as in edge/api/render_text.py.
const UNSAFE = new RegExp(
  "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e0fff}\\p{Cs}]",
  "gu",
);

const escaped = (mark) =>
  mark.replace(/[^]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));

/** @returns {value is Record<string, any>} */
export const isRecord = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a dotted path; undefined where there is none. */
export function at(body, path) {
  let value = body;
  for (const name of typeof path === "string" ? path.split(".") : [path]) {
    value = isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

/** A value as JSON, with what is unsafe written out. */
export const quoted = (value) => JSON.stringify(value).replace(UNSAFE, escaped);

/** A value as text of so many characters at most: a text as it is, all else as JSON. */
export function words(value, most = 400) {
  let text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  if (text.length > most) text = text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…";
  // Joiners stay: there are languages that are spelt with them.
  return text.replace(UNSAFE, (mark) => (/[\u200c\u200d]/.test(mark) ? mark : escaped(mark)));
}

/**
 * An element: "p.line" is a `p` of that class. An attribute that is undefined or false is left out,
 * as is a child that is nothing. A function among the attributes hears the event of that name.
 * @param {string} name
 * @param {Record<string, any>} attributes
 * @param {...any} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  made.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, String(value));
  }
  made.append(...children.filter((child) => child));
  return made;
}

const drawnFrom = new WeakMap();

/**
 * Draw a child of a place anew if its source has changed. The focus stays in it: on the same one of
 * `keep` if it was there. Gives the old child and the new one, or nothing.
 */
export function redraw(place, index, source, keep, draw) {
  const from = JSON.stringify(source);
  const old = place.children[index];
  if (old && drawnFrom.get(old) === from) return null;
  const drawn = draw();
  drawnFrom.set(drawn, from);
  const active = old?.contains(document.activeElement) ? document.activeElement : null;
  const where = active ? [...old.querySelectorAll(keep)].indexOf(active) : -1;
  if (old) old.replaceWith(drawn);
  else place.append(drawn);
  if (active) (drawn.querySelectorAll(keep)[where] ?? drawn).focus();
  return [old, drawn];
}
