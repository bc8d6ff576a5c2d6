// @ts-check
/**
 * What can be checked of a record in plain JavaScript: that its entries follow each other and are
 * those that were signed, and that what was announced, sealed or promised is what came. The rules
 * are not run again, so nothing here says that a game was played by them.
 *
 * On the other side is whoever made the record, perhaps with a key of their own.
 */

import { base64, base64url, canonical, encoded, hex, sha, unbase64, unbase64url } from "./bytes.js";
import { messagesOf } from "./messages.js";
import { must } from "./zip.js";

const NAME = "([^\\s+\\x00-\\x1f\\x7f]{1,256})";
const VKEY = new RegExp(`^${NAME}\\+([0-9a-f]{8})\\+([A-Za-z0-9+/]{44})$`);
const SIGNATURE = new RegExp(`^\u2014 ${NAME} ([A-Za-z0-9+/]+={0,2})$`);
const TIMELESS = ["run", "disclose", "reveal", "runtime", "key"];

const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

// --- entries and their head --------------------------------------------------------------------

function checkPlace(entry, index, before) {
  must(entry.i === index, `Entry ${index} calls itself another.`);
  const named = before ? entry.p === base64url(before) : !("p" in entry);
  must(named, `Entry ${index} does not name the hash of the one before it.`);
}

async function chain({ lines, entries, known, erased, hashes }) {
  let last = 0;
  entries.forEach((entry, index) => {
    if (!entry) return;
    if (!erased.has(index)) checkPlace(entry, index, hashes[index - 1]);
    const { t, ts, more = true } = entry;
    const timed = TIMELESS.includes(t) ? !("ts" in entry) : Number.isInteger(ts) && ts >= last;
    must(timed, `The time of entry ${index} is missing or runs backwards.`);
    must(more === true, `Entry ${index} does not say whether its step goes on.`);
    last = ts ?? last;
  });
  must(!entries.at(-1)?.more, "The last step is not whole.");
  if (known.length < lines.length) {
    const missing = `Entry ${known.length} is missing, and none says what is left of it.`;
    return ["absent", `${missing} What comes after it was not looked at.`];
  }
  const gone = `Of ${many(erased.size, "entry", "entries")} the words were erased.`;
  const count = many(lines.length, "entry", "entries");
  const follow = `${count}: each names the hash of the one before it.`;
  return ["ok", erased.size ? `${follow} ${gone}` : follow];
}

/** The public key of a vkey, if it signs under this name with this id; none of another. */
async function keyOf(vkey, name, id) {
  const [, owner, its, key = ""] = VKEY.exec(vkey) ?? [];
  const bytes = unbase64(key);
  const made = await sha(`${owner}\n`, bytes);
  must(bytes[0] === 1 && hex(made.slice(0, 4)) === its, "A key that the record names is none.");
  if (owner !== name || its !== id) return null;
  return crypto.subtle.importKey("raw", bytes.slice(1), "Ed25519", false, ["verify"]);
}

/** The text of a signed note, if all of these keys signed it and no line of theirs is bad. */
async function signedText(note, vkeys) {
  const cut = note.lastIndexOf("\n\n");
  const [text, lines] = [note.slice(0, cut + 1), note.slice(cut + 2).split("\n")];
  const formed = cut > 0 && note.length < 100000 && lines.pop() === "" && lines.length <= 100;
  must(formed && !/[\x00-\x09\x0b-\x1f]/.test(text), "A head or a key is no signed note.");
  const signers = new Set();
  for (const line of lines) {
    const [, name, said] = SIGNATURE.exec(line) ?? [];
    must(name, "A line under a head or a key is no signature.");
    const made = unbase64(said);
    for (const vkey of vkeys) {
      const key = await keyOf(vkey, name, hex(made.slice(0, 4)));
      if (!key) continue;
      const good = await crypto.subtle.verify("Ed25519", key, made.slice(4), encoded(text));
      must(good, "A signature under the name of the room is not by its key.");
      signers.add(vkey);
    }
  }
  must(vkeys.every((vkey) => signers.has(vkey)), "The room's key has not signed it.");
  return text;
}

/** The root of RFC 6962: pairs, level by level; who has no neighbour moves up. */
async function rootOf(hashes) {
  let level = hashes;
  while (level.length > 1) {
    const lefts = level.filter((_, at) => at % 2 === 0);
    const node = (left, at) =>
      2 * at + 1 < level.length ? sha(Uint8Array.of(1), left, level[2 * at + 1]) : left;
    level = await Promise.all(lefts.map(node));
  }
  return base64(level[0]);
}

async function signature({ entries, note, hashes }) {
  if (note === undefined) return ["absent", "No signed head is here: nobody answers for it."];
  const { origin } = entries[0];
  let { key } = entries[0];
  for (const one of entries.filter((entry) => entry?.t === "key")) {
    const vouched = await signedText(one.note, [key, one.vkey]);
    must(vouched === `${one.vkey}\n`, "Old and new key do not both vouch for the new one.");
    key = one.vkey;
  }
  must(key.startsWith(`${origin}+`), "The key is not named after this room.");
  const head = `${origin}\n${hashes.length}\n${await rootOf(hashes)}\n`;
  must((await signedText(note, [key])) === head, "What was signed is the head of other entries.");
  const id = key.split("+")[1];
  const owner = "Whose key that is, an invite link can tell; this file cannot.";
  return ["ok", `The key that the record names, ${id}, has signed these entries. ${owner}`];
}

// --- what was announced, sealed, promised ------------------------------------------------------

async function sources({ known, blobs }) {
  for (const [name, data] of blobs) {
    const made = hex(await sha(data));
    must(made === name, `blobs/${name.slice(0, 12)}… holds other bytes than its name says.`);
  }
  const here = (hash) => must(blobs.has(hash), `blobs/${hash.slice(0, 12)}… is not in the file.`);
  const answers = new Map();
  const names = [];
  for (const { t, at, fx, name, version, manifest, ...entry } of known) {
    if (t === "run" && fx) answers.set(at, [...(answers.get(at) ?? []), ...fx]);
    // They come out with the seed: before it, what a referee looked up is as secret as its state.
    if (t === "reveal") answers.get(at)?.forEach(({ r }) => here(hex(unbase64url(r))));
    if (t !== "attach") continue;
    [entry.code_hash, entry.library ?? entry.code_hash].forEach((hash) => here(hash.slice(7)));
    const made = `sha256:${hex(await sha(canonical(manifest)))}`;
    must(made === entry.manifest_hash, `The manifest of ${name} is another than was announced.`);
    names.push(`${name} ${version}`);
  }
  if (!names.length) return ["absent", "There was no referee."];
  return ["ok", `${names.join(", ")}: source and manifest have the hashes that were announced.`];
}

/** RFC 9901: the digest of [salt, value] or [salt, name, value]. */
const digest = async (...said) => base64url(await sha(base64url(encoded(canonical(said)))));

async function opens(opening, body) {
  const pairs = Object.entries(opening);
  if (Object.hasOwn(opening, "")) return (await digest(...opening[""])) === body.sealed;
  const made = pairs.map(([name, [salt, value]]) => digest(salt, name, value));
  return pairs.length > 0 && String((await Promise.all(made)).sort()) === String(body._sd);
}

async function sealed({ known, lines, erased, openings }) {
  const messages = messagesOf({ known, openings: new Map() });
  const judged = [...openings].filter(([id]) => messages[id - 1] || known.length === lines.length);
  for (const [id, opening] of judged) {
    const { to, body } = messages[id - 1] ?? {};
    const fits = to && (await opens(opening, body));
    must(fits, `Message ${id} is opened to something else than was sealed.`);
  }
  let disclosed = 0;
  for (const [index, { t, entry, salt, body }] of known.entries()) {
    if (t !== "disclose" || erased.has(index)) continue;
    const fits = (await digest(salt, body)) === known[entry]?.m?.d;
    must(fits, `Entry ${index} opens something else than entry ${entry} sealed.`);
    disclosed += 1;
  }
  const count = judged.length + disclosed;
  if (!count) return ["absent", "Nothing that was sealed is opened here."];
  return ["ok", `${many(count, "opening")}: each is of what had been sealed.`];
}

async function promises({ known }) {
  const { origin } = known[0];
  const [names, promised, seeds] = [new Map(), new Map(), new Map()];
  let values = 0;
  for (const [index, entry] of known.entries()) {
    const { t, slot, at, epoch } = entry;
    if (t === "attach") names.set(index, `${entry.bot}@${names.size + 1}`);
    if (t === "join" || t === "entropy") promised.set(slot, entry.commit);
    if (t === "open") {
      const made = await sha(`mpx/entropy/1\n${origin}\n*\n0\n${slot}\n${entry.value}`);
      const fits = base64url(made) === promised.get(slot);
      must(fits, `Entry ${index} opens another value than was promised.`);
      values += 1;
    }
    if (t === "reveal") {
      const seed = unbase64url(entry.seed);
      const first = await sha(`mpx/seed/1\n${origin}\n${names.get(at)}\n0\n`, seed);
      const earlier = base64url(await sha("mpx/chain/1\n", seed));
      const fits = epoch
        ? earlier === seeds.get(`${at} ${epoch - 1}`)
        : base64url(first) === known[at].commit;
      must(fits, `The seed that entry ${index} lets out is not the one that was promised.`);
      seeds.set(`${at} ${epoch}`, entry.seed);
    }
  }
  if (!seeds.size && !values) return ["absent", "No seed is out, and no member opened a promise."];
  const out = seeds.size && `${many(seeds.size, "seed")} of the dice`;
  const told = values && `${many(values, "value")} of members`;
  return ["ok", `${[out, told].filter(Boolean).join(", ")}: as promised before.`];
}

// --- all of it ---------------------------------------------------------------------------------

const CHECKS = Object.entries({
  CHAIN: chain,
  SIGNATURE: signature,
  SOURCES: sources,
  SEALED: sealed,
  PROMISES: promises,
});
const RULES =
  "Not run again here: whether the referee's words follow from its source, the players' words and" +
  " the dice, only a verifier that runs it can say.";
const INSECURE =
  "This page did not come over https, so the browser computes no hashes in it. Save it, and open" +
  " it from there.";

async function judged(check, record) {
  try {
    return await check(record);
  } catch (error) {
    if (error.name === "NotSupportedError") return ["absent", "This browser knows no Ed25519."];
    const ours = error.message.endsWith(".");
    return ["bad", ours ? error.message : `Something in it is not well formed: ${error.message}.`];
  }
}

/**
 * A line for each check. `absent`: there was nothing to check, or nothing to check it with.
 * @param {any} record as `readRecord` gives it
 * @returns {Promise<{line: string, state: "ok" | "bad" | "absent", text: string,
 *   seconds: number}[]>}
 */
export async function checkRecord(record) {
  const canHash = Boolean(globalThis.crypto?.subtle);
  let start = performance.now();
  const leaf = (line, index) => record.erased.get(index) ?? sha(Uint8Array.of(0), line);
  const hashes = canHash ? await Promise.all(record.lines.map(leaf)) : [];
  const found = [];
  for (const [line, check] of CHECKS) {
    const whole = { ...record, hashes };
    const [state, text] = canHash ? await judged(check, whole) : ["absent", INSECURE];
    const end = performance.now();
    found.push({ line, state, text, seconds: (end - start) / 1000 });
    start = end;
  }
  return [...found, { line: "RULES", state: "absent", text: RULES, seconds: 0 }];
}
