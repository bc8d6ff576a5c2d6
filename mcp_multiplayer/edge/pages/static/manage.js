// @ts-check
/**
 * The manager's side of a room: links for the seats that are free, beginning without them, emptying
 * a seat, handing the room over, closing it. What is allowed the server says.
 */

import { acting, copies, find, reveal, tell } from "./dom.js";
import { make, words } from "./elements.js";
import { publicly } from "./session.js";

const key = (channel) => `invites ${channel}`;

/** Remember the links of a room that was just opened: the server shows them once. */
export function keepInvites(channel, links) {
  const known = JSON.parse(sessionStorage.getItem(key(channel)) ?? "{}");
  sessionStorage.setItem(key(channel), JSON.stringify({ ...known, ...links }));
}

const invites = (channel) => JSON.parse(sessionStorage.getItem(key(channel)) ?? "{}");

let mayManage = false;

/** Whether the reader has opened the room, and so may make links. */
export function showInvites(channel, creator) {
  mayManage = creator;
}

/** A link with a picture of it for a telephone's camera. */
function linkItem(label, link) {
  const shown = make("code", {}, link);
  const picture = make("img", { alt: `QR code of the link for ${label}`, class: "qr", hidden: true });
  const qr = make("button", { class: "quiet" }, "QR code");
  acting(qr, "told", async () => {
    if (!picture.getAttribute("src")) {
      const svg = await publicly("/qr", { text: link });
      picture.setAttribute("src", `data:image/svg+xml;base64,${btoa(svg)}`);
    }
    picture.toggleAttribute("hidden");
  });
  return make(
    "li",
    {},
    make("p", {}, "For ", make("strong", {}, words(label, 40)), ": ", shown),
    make("p", { class: "row" }, copies(make("button", {}, "Copy the link"), () => link), qr),
    picture,
  );
}

let drawn = "";

/** Show what whoever `player` is may do in the room as it is now. */
export function manage(player, channel, seat, view) {
  const own = view.slots.find((one) => one.label === seat && one.you);
  const waits = own && view.proposed?.waiting_for.includes(own.label);
  const state = JSON.stringify([view.slots, view.status, view.proposed, view.kept, view.result, mayManage]);
  if (state === drawn) return;
  drawn = state;
  const act = (label, ops, style = "") => acting(make("button", { class: style }, label), "told", async () => {
    const told = await player.post("update_channel", { channel_id: channel, ops, ...(own && { seat }) });
    if (told.invite_links) {
      keepInvites(channel, told.invite_links);
      drawn = "";
      manage(player, channel, seat, told.view);
    }
  });
  const free = view.slots.filter((one) => one.state === "free" && one.kind !== "bot");
  const known = invites(channel);
  find("links").replaceChildren(
    ...free.map((one) => Object.hasOwn(known, one.label)
      ? linkItem(one.label, known[one.label])
      : make("li", {}, words(one.label, 40), " is free. ",
        mayManage && act("Make a new link", [{ op: "reissue_invite", player_id: one.label }]))),
  );
  reveal(free.length > 0 && view.status !== "closed", "invite-part");
  const others = view.slots.filter((one) => one.state === "taken" && !one.you && one.kind === "invite");
  const kept = Object.entries(view.kept ?? {}).filter(
    ([, { parties, agreed }]) => parties.includes(seat) && !agreed.includes(seat),
  );
  find("manage").replaceChildren(
    ...[
      waits && act(`Accept the change to ${view.proposed.terms.slice(0, 23)}…`,
        [{ op: "accept_change", terms: view.proposed.terms }], "go"),
      ...kept.map(([bot]) => act(`Agree to open what was said to ${words(bot, 40)}`,
        [{ op: "open_sealed", bot_id: bot }])),
      mayManage && view.status === "open" && free.length > 0
        && act("Begin without the free seats", [{ op: "start" }]),
      ...(own?.admin ? others : []).map((one) => act(`Empty ${words(one.label, 40)}’s seat`,
        [{ op: "yield_slot", player_id: one.label }])),
      ...(mayManage ? others : []).map((one) => act(`Hand the room over to ${words(one.label, 40)}`,
        [{ op: "hand_over", player_id: one.label }])),
      (mayManage || own?.admin) && view.status !== "closed" && closing(act),
    ].filter((one) => one),
  );
  reveal(find("manage").children.length > 0, "manage-part");
}

/** Closing asks for a second press. */
function closing(act) {
  const place = make("span", {});
  const first = make("button", { class: "bad" }, "Close the room");
  first.addEventListener("click", () => {
    tell("told", null);
    place.replaceChildren(act("Press again: this closes the room for everybody", [{ op: "close" }], "bad"));
  });
  place.append(first);
  return place;
}
