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
  [...Array(mark.length).keys()]
    .map((at) => "\\u" + mark.charCodeAt(at).toString(16).padStart(4, "0"))
    .join("");

/** @returns {value is Record<string, any>} */
export const isRecord = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a dotted path; undefined where there is none. */
export function at(body, path) {
  return path
    .split(".")
    .reduce((one, name) => (isRecord(one) && Object.hasOwn(one, name) ? one[name] : undefined), body);
}

/** A value as JSON with all of `UNSAFE` written out. */
export const quoted = (value) => JSON.stringify(value).replace(UNSAFE, escaped);

/**
 * Somebody's value as text of at most so many characters: a text as it is, all else as JSON. Joiners
 * stay, for some languages are spelt with them.
 */
export function words(value, most = 400) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const cut = text.length > most ? text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…" : text;
  return cut.replace(UNSAFE, (mark) => (/[\u200c\u200d]/.test(mark) ? mark : escaped(mark)));
}

/**
 * An element. An attribute that is undefined or false is left out, as is a child that is nothing.
 * @param {string} name
 * @param {Record<string, string | number | boolean | undefined>} attributes
 * @param {...(Node | string | null | undefined | false)} children
 */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, String(value));
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child)));
  return made;
}
