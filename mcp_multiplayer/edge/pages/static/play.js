// @ts-check
/** A game at once, against the server's own player: a room, a seat in it, and the house in the other. */

import { acting, roomPage } from "./dom.js";
import { become, entropy, players, playing, publicly } from "./session.js";

async function play({ play: preset, referee }) {
  const { accounts } = await players();
  const { tag, name } = await become(accounts[0]?.tag ?? "");
  const room = await playing(tag).post("create_channel", {
    bot_preset: preset,
    slots: [`bot:${referee}`, `invite:${name}`, "invite:house"],
    join_as: name,
    entropy: entropy(),
  });
  await publicly("/ask_house", { invite_code: room.invite_links.house });
  location.assign(roomPage(room.channel_id, tag, room.player_id));
}

for (const button of document.querySelectorAll("button[data-play]")) {
  acting(/** @type {HTMLButtonElement} */ (button), "told", () => play(button.dataset));
  button.removeAttribute("hidden"); // not before a press is heard
}
