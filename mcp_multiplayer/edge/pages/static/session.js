// @ts-check
/**
 * The players of this browser, and calls in their name: the same operations that agents use, with the
 * browser's cookie in place of a token. Which player is meant stands in a header of each call.
 */

/** What the server refused: its code, what is wrong, and what to do. */
export class Refused extends Error {
  constructor(status, { error = "UNAVAILABLE", message = "The server did not answer.", hint = "" }) {
    super([message, hint].filter(Boolean).map(sentence).join(" "));
    this.status = status;
    this.code = error;
  }
}

const sentence = (text) => {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
};

async function ask(path, account, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      cache: "no-store",
      headers: { ...(account === null ? {} : { "X-Mpx-Web": account }), ...options.headers },
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(503, { message: "The server is not reachable.", hint: "Try again" });
  }
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

const sending = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

/** @returns {Promise<{accounts: {name: string, tag: string}[], passcode: boolean}>} */
export const players = async () => (await ask("/session", "")).json();

/** Become a player of this browser, or a new one for "". */
export const become = async (account = "", passcode = "") =>
  (await ask("/session", account, sending({ account, passcode }))).json();

/** An answer of the server's that needs no player. */
export async function publicly(path, body) {
  const answer = await ask(path, null, { ...(body && sending(body)), credentials: "omit" });
  return answer.headers.get("content-type")?.includes("json") ? answer.json() : answer.text();
}

const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, value]) => value !== undefined && value !== null),
);

/** The events of a room for whoever only watches. */
export const watching = (values, signal) =>
  ask(`/events?${query(values)}`, null, { signal, credentials: "omit" });

/** Calls in the name of one player: `get` and `post` take an operation and its arguments. */
export function playing(account) {
  return {
    tag: account,
    get: async (name, values = {}) => (await ask(`/${name}?${query(values)}`, account)).json(),
    post: async (name, values) => (await ask(`/${name}`, account, sending(values))).json(),
    open: (values, signal) => ask(`/events?${query(values)}`, account, { signal }),
  };
}

/** The player of this browser who is in a room, the wanted one if that is; and what it is told. */
export async function whoIsIn(channel, wanted) {
  const { accounts } = await players();
  const ordered = [...accounts].sort((one) => (one.tag === wanted ? -1 : 0));
  for (const { tag } of ordered) {
    try {
      return { tag, info: await playing(tag).get("get_channel_info", { channel_id: channel }) };
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "NOT_MEMBER") throw error;
    }
  }
  throw new Refused(403, {
    message: "None of the players of this browser is in this room",
    hint: "Open it in the browser in which you sat down, or follow your invite link.",
  });
}

/** Where the record of a room is for one of its members. */
export async function recordOf(player, channel, seat) {
  const { url } = await player.get("get_transcript", { channel_id: channel, seat });
  return new URL(url).pathname;
}

/** A part of the dice that nobody can guess: 32 random bytes. */
export function entropy() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").slice(0, 43);
}
