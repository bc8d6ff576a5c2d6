// @ts-check
/**
 * A room's record, read strictly; docs/format.md says what stands in it. messages.js tells it as
 * messages, checks.js checks it as far as that goes without running a referee.
 *
 * On the other side is whoever made the file. What would exhaust a reader is counted before it is
 * parsed, and what is wrong becomes a sentence, never markup and never a hang.
 */

import { canonical, unbase64 } from "./bytes.js";
import { must, unzip } from "./zip.js";

export { checkRecord } from "./checks.js";
export { botsOf, messagesOf, resultOf } from "./messages.js";

const MOST = { entries: 200000, values: 4e6, depth: 32, bytes: 65535 };
const ERASED = /^\{"erased": "([A-Za-z0-9+/]{43}=)"\}$/;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// --- reading -----------------------------------------------------------------------------------

function parsed(bytes) {
  try {
    const text = decoder.decode(bytes);
    return [JSON.parse(text), text];
  } catch {
    throw new Error("it is not JSON in UTF-8");
  }
}

/** The lines of a file, and how much stands in them, counted before a parser sees any. */
function linesOf(bytes, name) {
  const lines = [];
  let [start, depth, values, quoted] = [0, 0, 0, false];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 10) {
      lines.push(bytes.subarray(start, at));
      [start, depth, quoted] = [at + 1, 0, false];
      must(lines.length <= MOST.entries, `${name} has more than ${MOST.entries} lines.`);
    } else if (byte === 34) quoted = !quoted;
    else if (quoted) at += byte === 92 && bytes[at + 1] !== 10 ? 1 : 0;
    else if (byte === 93 || byte === 125) depth -= 1;
    else if (byte === 91 || byte === 123 || byte === 44) {
      values += 1;
      depth += byte === 44 ? 0 : 1;
      must(depth <= MOST.depth, `Line ${lines.length} of ${name} is nested too deep.`);
    }
  }
  must(values <= MOST.values, `${name} has more than ${MOST.values} values.`);
  must(start === bytes.length, `The last line of ${name} is not whole.`);
  return lines;
}

function entriesOf(lines, erased) {
  const entries = lines.map((line, index) => {
    try {
      must(line.length <= MOST.bytes, `it has more than ${MOST.bytes} bytes`);
      const [entry, text] = parsed(line);
      const gone = ERASED.exec(text);
      if (gone) return void erased.set(index, unbase64(gone[1]));
      must(canonical(entry) === text, "its bytes are not the canonical ones");
      must(typeof entry?.t === "string", "it has no type");
      return entry;
    } catch (error) {
      throw new Error(`Entry ${index}: ${error.message}.`);
    }
  });
  for (const { t, entry, left } of entries.filter((one) => one)) {
    if (t === "erase" && erased.has(entry) && left?.t) entries[entry] ??= left;
  }
  return entries;
}

function openingsOf(lines) {
  const found = new Map();
  for (const line of lines) {
    const [said] = parsed(line);
    const { id, opening } = said ?? {};
    const pairs = Object.values(opening ?? {});
    const formed = Number.isInteger(id) && pairs.every((one) => one?.length === 2);
    must(formed && !found.has(id), "openings.jsonl is not as it should be.");
    if (opening) found.set(id, opening); // null: it was erased
  }
  return found;
}

/**
 * A record out of the bytes of its zip. Errors are sentences for people.
 *
 * `entries` are parsed; of one whose words were erased (its hash stands in `erased`) they have what
 * is left, and undefined where no later entry says so: then `known`, those before it, are all that
 * can be told.
 * @param {ArrayBuffer} bytes
 * @returns {Promise<{lines: Uint8Array[], entries: any[], known: any[],
 *   erased: Map<number, Uint8Array>, note?: string, blobs: Map<string, Uint8Array>,
 *   openings: Map<number, any>}>}
 */
export async function readRecord(bytes) {
  try {
    const files = await unzip(bytes);
    must(files.has("entries.jsonl"), "This file is no record: there is no entries.jsonl in it.");
    const lines = linesOf(files.get("entries.jsonl"), "entries.jsonl");
    const erased = new Map();
    const entries = entriesOf(lines, erased);
    must(entries[0]?.t === "genesis", "It does not begin with the opening of a room.");
    const { v } = entries[0];
    must(v === "mpx-log/2", `Its format is ${JSON.stringify(v)}, and this page reads mpx-log/2.`);
    const missing = entries.findIndex((entry) => !entry);
    const note = files.get("checkpoint");
    const blobs = [...files].filter(([name]) => name.startsWith("blobs/"));
    const opens = files.get("openings.jsonl") ?? new Uint8Array();
    return {
      lines,
      entries,
      known: missing < 0 ? entries : entries.slice(0, missing),
      erased,
      note: note && decoder.decode(note),
      blobs: new Map(blobs.map(([name, data]) => [name.slice(6), data])),
      openings: openingsOf(linesOf(opens, "openings.jsonl")),
    };
  } catch (error) {
    if (error.constructor === Error && error.message.endsWith(".")) throw error;
    throw new Error(`This file is no whole record: ${error.message.replace(/\.$/, "")}.`);
  }
}
