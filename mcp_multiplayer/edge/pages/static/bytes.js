// @ts-check
/**
 * Bytes and their written forms as a log has them: base64 in two alphabets, SHA-256, canonical
 * JSON.
 */

import { must } from "./zip.js";

const encoder = new TextEncoder();
export const encoded = (text) => encoder.encode(text);
export const hex = (bytes) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const base64 = (bytes) =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
export const base64url = (bytes) =>
  base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** The bytes of base64 with padding, in its one form: spare bits are zero. */
export function unbase64(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  must(base64(bytes) === text, "base64 in it has spare bits");
  return bytes;
}

export function unbase64url(text) {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return unbase64(plain.padEnd(Math.ceil(text.length / 4) * 4, "="));
}

/** SHA-256 of texts and bytes, one after the other. */
export async function sha(...parts) {
  const bytes = parts.map((part) => (typeof part === "string" ? encoded(part) : part));
  const whole = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
  bytes.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

/** RFC 8785, whose numbers and strings are JavaScript's own; only numbers below 2^53. */
export function canonical(value) {
  if (typeof value === "number") must(Math.abs(value) < 2 ** 53, "a number in it is too large");
  if (typeof value === "string") must(!/\p{Cs}/u.test(value), "it has half of a surrogate pair");
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.keys(value).sort();
  return `{${members.map((key) => `${canonical(key)}:${canonical(value[key])}`).join(",")}}`;
}
