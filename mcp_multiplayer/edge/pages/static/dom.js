// @ts-check
/** What several pages do with their elements. */

import { make } from "./elements.js";

/** @returns {any} the element of the page with this id */
export const find = (id) => document.getElementById(id);

/** Show elements, or hide them. */
export function reveal(shown, ...ids) {
  for (const id of ids) find(id).hidden = !shown;
}

/** Put a refusal, or other news, where the page has a place for it; nothing takes it away. */
export function tell(id, error) {
  const place = find(id);
  place.textContent = error ? (error.message ?? String(error)) : "";
  place.hidden = !error;
}

/** A button that acts once at a time, and shows in `place` why it could not. */
export function acting(button, place, act) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell(place, null);
    try {
      await act();
    } catch (error) {
      tell(place, error);
    }
    button.disabled = false;
  });
  return button;
}

/** Have a button copy what `text` gives, and say that it did. */
export function copies(button, text) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch { // a plain address may not write there
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => { button.textContent = label; }, 2500);
  });
  return button;
}

/** Attributes of a box of text that keys can scroll. */
export const scrolls = (name) => ({ tabindex: 0, role: "region", "aria-label": name });

/** A choice among the players of this browser, with a new one at the end. */
export const playerChoice = (accounts) =>
  make(
    "select",
    { name: "player" },
    ...accounts.map(({ name, tag }) => make("option", { value: tag }, name)),
    make("option", { value: "" }, accounts.length ? "a new player" : "a new player, made for you"),
  );

/** The address of a room's page for one player. */
export const roomPage = (channel, tag, seat = "") =>
  `/room/${channel}#as=${tag}${seat ? `&seat=${encodeURIComponent(seat)}` : ""}`;

/** What stands in the fragment of this page's address, as `name=value&…`. */
export const fragment = () => new URLSearchParams(location.hash.slice(1));
