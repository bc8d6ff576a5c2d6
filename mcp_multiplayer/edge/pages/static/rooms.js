// @ts-check
/** The rooms of the players of this browser, and a form for a new one made of a referee's params. */

import { acting, find, fragment, playerChoice, reveal, roomPage, tell } from "./dom.js";
import { make, words } from "./elements.js";
import { keepInvites } from "./manage.js";
import { become, entropy, players, playing } from "./session.js";

const EVERY = 15_000; // ms between looks while the page is seen

// --- the list --------------------------------------------------------------------------------

function roomLine(player, room) {
  const seats = room.seats.length ? `you are ${room.seats.join(", ")}` : "you opened it";
  const told = room.to_open ? "open your dice" : room.your_turn ? "your move" : room.status;
  return make(
    "li",
    {},
    make(
      "a",
      { href: roomPage(room.channel_id, player.tag, room.seats[0]) },
      make("strong", {}, words(room.name, 120)),
      make("span", { class: "small" }, `${seats}${room.unread ? `, ${room.unread} unread` : ""}`),
      make("span", { class: room.your_turn || room.to_open ? "yours" : "small" }, told),
    ),
  );
}

let shown = "";

async function list(accounts) {
  const asked = accounts.map(async ({ name, tag }) => {
    const player = playing(tag);
    const { channels } = await player.get("list_channels");
    return { name, player, channels };
  });
  const found = (await Promise.all(asked)).filter(({ channels }) => channels.length);
  const state = JSON.stringify(found);
  if (state === shown) return;
  shown = state;
  find("rooms").replaceChildren(
    ...found.flatMap(({ name, player, channels }) => [
      found.length > 1 && make("h2", {}, name),
      make("ul", { class: "rooms" }, ...channels.map((room) => roomLine(player, room))),
    ].filter((one) => one)),
  );
  if (!found.length) {
    find("rooms").replaceChildren(make("p", { class: "muted" }, "No rooms yet. Open one below, or follow an invite."));
  }
}

// --- a new room ------------------------------------------------------------------------------

/** One field of the form for a param, by its JSON schema. */
function fieldOf(name, schema) {
  const about = { name: `param ${name}`, id: `param-${name}` };
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  const preset = schema.default;
  let field;
  if (Array.isArray(schema.enum)) {
    field = make("select", about, ...schema.enum.map((one) =>
      make("option", { value: JSON.stringify(one), selected: one === preset }, String(one))));
  } else if (type === "boolean") {
    field = make("input", { ...about, type: "checkbox", checked: preset === true });
  } else if (type === "integer" || type === "number") {
    field = make("input", {
      ...about, type: "number", step: type === "integer" ? 1 : "any", min: schema.minimum,
      max: schema.maximum, placeholder: preset ?? "",
    });
  } else {
    field = make("input", { ...about, maxlength: schema.maxLength, placeholder: preset ?? "" });
  }
  field.dataset.type = type ?? "any";
  const told = schema.description ? ` ${words(schema.description, 200)}` : "";
  return make("label", { class: type === "boolean" ? "check" : "" }, make("strong", {}, name),
    make("span", { class: "small" }, told), make("br"), field);
}

/** What was filled in; what was left empty is the referee's own default. */
function paramsOf(form) {
  const params = {};
  for (const field of form.querySelectorAll("[data-type]")) {
    const name = field.name.slice("param ".length);
    const { type } = field.dataset;
    if (type === "boolean") params[name] = field.checked;
    else if (field.value === "") continue;
    else if (field.tagName === "SELECT") params[name] = JSON.parse(field.value);
    else if (type === "integer" || type === "number") params[name] = Number(field.value);
    else if (type === "array" || type === "object") params[name] = JSON.parse(field.value);
    else params[name] = field.value;
  }
  return params;
}

async function open(form, account) {
  const { tag, name } = await become(account);
  const player = playing(tag);
  const params = paramsOf(form);
  const told = await player.post("create_channel", {
    bot_preset: form.preset.value,
    name: form.title.value,
    join_as: name,
    entropy: entropy(),
    ...(Object.keys(params).length ? { bot_params: params } : {}),
    ...(form.listed.checked ? { listed: true } : {}),
  });
  keepInvites(told.channel_id, told.invite_links);
  location.assign(roomPage(told.channel_id, tag, told.player_id));
}

/** The fields of the referee that is chosen. */
function choose(form, bots) {
  const bot = bots.find((one) => one.name === form.preset.value);
  find("about").textContent = bot.summary;
  const fields = Object.entries(bot.params ?? {}).map(([name, schema]) => fieldOf(name, schema));
  find("params").replaceChildren(...fields);
  reveal(fields.length > 0, "settings");
}

async function makeForm(accounts) {
  const form = find("new");
  const bots = JSON.parse(find("presets").textContent);
  form.preset.replaceChildren(...bots.map(({ name }) => make("option", {}, name)));
  const wanted = new URLSearchParams(location.search).get("new");
  if (bots.some(({ name }) => name === wanted)) form.preset.value = wanted;
  form.preset.addEventListener("change", () => choose(form, bots));
  choose(form, bots);
  find("as").replaceChildren(playerChoice(accounts));
  form.addEventListener("submit", (event) => event.preventDefault());
  acting(form.go, "told", async () => {
    if (form.reportValidity()) await open(form, find("as").querySelector("select").value);
  });
  reveal(true, "new"); // not before a press is heard
  if (wanted || fragment().has("new")) form.scrollIntoView();
}

async function begin() {
  const { accounts, passcode } = await players();
  if (passcode) {
    find("rooms").replaceChildren(make("p", {}, "This server has a passcode. Follow an invite link and type it there first."));
    return;
  }
  await list(accounts);
  const again = () => document.visibilityState === "visible" && list(accounts).catch(() => {});
  setInterval(again, EVERY);
  document.addEventListener("visibilitychange", again);
  await makeForm(accounts);
}

begin().catch((error) => tell("told", error));
