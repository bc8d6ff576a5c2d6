// @ts-check
/**
 * What members read of a log: its entries as messages, its referees, its result. The rules are
 * those of channel/view.py and channel/apply.py; tests hold the two together.
 */

const rfc3339 = (ms) => new Date(ms).toISOString();
const system = (body) => ["system", "system", body];
const posted = (sender, { k, b, d, to }) => [sender, k, b ?? { sealed: d }, to];

function ran({ bot, hook, res, out, turn, end, line = null }) {
  if (res !== "ok") {
    const error = res === "fuel" ? "FuelLimit" : res.slice(res.indexOf(":") + 1);
    return [system({ type: "bot:error", bot_id: bot, hook, error, line })];
  }
  const said = out.map((post) => posted(`bot:${bot}`, post));
  if (turn) {
    const { players, expect = null, to } = turn;
    const deadline = turn.deadline ? rfc3339(turn.deadline) : null;
    const body = { type: "turn", player: players[0] ?? null, players, deadline, expect };
    said.push(system(to ? { ...body, to } : body));
  }
  if (end) said.push(system({ ...end, type: "ended" }));
  return said;
}

function attached({ bot: bot_id, name, code_hash, manifest, isolation, ...entry }) {
  const { library, manifest_hash, params, commit: seed_commitment } = entry;
  const its = { bot_id, name, code_hash, ...(library && { library }) };
  return [
    system({ type: "bots_announced", bots: [{ bot_id, name, code_hash }] }),
    system({ type: "bot:attach", ...its, manifest_hash, params, seed_commitment }),
    system({ type: "bot:manifest", bot_id, manifest, ...(isolation && { isolation }) }),
  ];
}

const withoutManifest = ({ bot, ...op }) => {
  if (!bot) return op;
  const { manifest, ...rest } = bot;
  return { ...op, bot: rest };
};

/** What members read of an entry, as channel/view.py has it: sender, kind, body, addressees. */
function said(entry, seat) {
  const came = (type, more) => {
    const { id, label, kind } = seat(entry.slot);
    const role = kind === "invite" ? {} : { role: "spectator" };
    return [system({ type, player_id: label, slot_id: id, ...role, ...more })];
  };
  const player_id = () => seat(entry.slot).label;
  const { t, name, bot, key, terms } = entry;
  const proposed = (by, changes) => [system({ type: "change_proposed", by, changes, terms })];
  switch (t) {
    case "attach": return attached(entry);
    case "join": return came("joined");
    case "takeover": return came("taken_over");
    case "leave": return came("left", entry.deleted && { account: "deleted" });
    case "admin": return [system({ type: "admin", player_id: player_id(), admin: entry.on })];
    case "rename": return [system({ type: "renamed", name })];
    case "detach": return [system({ type: "bots_announced", bots: [], removed: bot })];
    case "propose": return proposed(player_id(), entry.ops.map(withoutManifest));
    case "offer": return proposed("creator", [{ op: "hand_over", player_id: player_id() }]);
    case "handover": return [system({ type: "handed_over", player_id: player_id() })];
    case "ask": return entry.by ? [system({ type: entry.by, ops: entry.ops })] : [];
    case "close": return [system({ type: "closed" })];
    case "restored":
      return [system({ type: "closed", reason: "entries were lost", signed_size: entry.size })];
    case "unseal":
      return [system({ type: "open_sealed", player_id: player_id(), bot_id: bot, opened: !!key })];
    case "msg": return [posted(seat(entry.m.s).label, entry.m)];
    case "run": return ran(entry);
    default: return [];
  }
}

function opened(body, opening) {
  if (Object.hasOwn(opening, "")) return opening[""][1];
  const values = Object.entries(opening).map(([name, [, value]]) => [name, value]);
  return { ...body, ...Object.fromEntries(values) };
}

/**
 * The messages as the API gives them, with what this file opens. `disclosed`: also with the words
 * that the log itself opens further down.
 * @param {{known: any[], openings: Map<number, any>}} record
 */
export function messagesOf({ known, openings }, { disclosed = false } = {}) {
  const seats = new Map(known[0].slots.map((slot) => [slot.id, slot]));
  const later = new Map(known.map((one) => [one.t === "disclose" && one.entry, one.body]));
  const channel_id = known[0].origin.split("/").at(-1);
  const messages = [];
  const times = [];
  known.forEach((entry, index) => {
    times.push(entry.ts ?? times.at(-1));
    if (entry.t === "attach" && !seats.has(entry.slot)) seats.set(entry.slot, { label: entry.bot });
    const ts = rfc3339(times[entry.t === "run" ? entry.on : index]);
    for (const [sender, kind, sealed, to] of said(entry, (id) => seats.get(id))) {
      const id = messages.length + 1;
      const opening = to && openings.get(id);
      const shown = opening ? opened(sealed, opening) : sealed;
      const body = disclosed && entry.m?.d && later.has(index) ? later.get(index) : shown;
      messages.push({ id, entry: index, channel_id, sender, kind, body, ts, ...(to && { to }) });
    }
  });
  return messages;
}

/** The referees in order; `since` is the entry that brought one, `until` that removed it. */
export function botsOf({ known }) {
  const bots = [];
  known.forEach((entry, since) => {
    const { t, bot: bot_id, name, version, code_hash, manifest, params } = entry;
    const gone = t === "detach" && bots.findLast((one) => one.bot_id === bot_id);
    if (gone) gone.until = since;
    if (t === "attach") bots.push({ bot_id, name, version, code_hash, manifest, params, since });
  });
  return bots;
}

/** What the referee ended the game with, or null while it goes on. */
export function resultOf({ known }) {
  let [result, closed] = [null, false];
  for (const { t, turn, end } of known) {
    closed ||= t === "close" || t === "restored";
    if (closed || t !== "run") continue;
    if (turn?.players.length) result = null;
    result = end ?? result;
  }
  return result;
}
