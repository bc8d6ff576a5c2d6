// @ts-check
/**
 * The files of a record's zip. On the other side is whoever made it: every offset is looked at,
 * every size is held to a limit before anything is unpacked, nothing has a path. Sums of the zip
 * are not computed, for all that is used of a record stands under a hash or a signature.
 */

const MEGABYTE = 1 << 20;
const MOST = { bytes: 64 * MEGABYTE, files: 20000 };
const PIECE = 4096; // bytes; deflate makes a thousand of one, and a piece is unpacked in one go
const NAMES = /^(entries\.jsonl|checkpoint|openings\.jsonl|README\.txt|blobs\/[0-9a-f]{64})$/;

/**
 * Throw the sentence unless it holds.
 * @param {unknown} holds
 * @param {string} text
 */
export function must(holds, text) {
  if (!holds) throw new Error(text);
}

/** Unpack so many bytes and not one more, whatever the stream would still give. */
async function inflated(packed, size, name) {
  let at = 0;
  const pieces = new ReadableStream({
    pull(into) {
      if (at >= packed.length) into.close();
      else into.enqueue(packed.subarray(at, (at += PIECE)));
    },
  });
  const reader = pieces.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const made = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > size) {
      reader.cancel().catch(() => {});
      must(false, `${name} unpacks to more than the zip says.`);
    }
    made.set(value, filled);
    filled += value.length;
  }
  must(filled === size, `${name} unpacks to less than the zip says.`);
  return made;
}

/** What the zip's directory says of each file in it: bounded, apart from each other, plain. */
function directoryOf(view) {
  const short = (at) => view.getUint16(at, true);
  const long = (at) => view.getUint32(at, true);
  const text = (at, length) => String.fromCharCode(...new Uint8Array(view.buffer, at, length));
  const size = view.byteLength;
  must(size <= MOST.bytes, `The file is larger than ${MOST.bytes / MEGABYTE} MB.`);
  let end = size - 22;
  const isEnd = () => long(end) === 0x06054b50 && end + 22 + short(end + 20) === size;
  while (end > Math.max(0, size - 65557) && !isEnd()) end -= 1;
  must(end >= 0 && isEnd(), "This file is no whole record: it does not end as a zip does.");
  const [count, start] = [short(end + 10), long(end + 16)];
  must(count < 65535 && start < 0xffffffff, "The file is a zip64, and no record is one.");
  must(count <= MOST.files, `More than ${MOST.files} files are in it.`);
  const whole = short(end + 8) === count && start + long(end + 12) === end;
  must(whole, "The directory of the zip is not where it should be.");
  const files = [];
  let [unpacked, at] = [0, start];
  while (files.length < count) {
    must(at < end && long(at) === 0x02014b50, "The directory of the zip is not whole.");
    const [flags, method] = [short(at + 8), short(at + 10)];
    const [packed, bytes, local] = [long(at + 20), long(at + 24), long(at + 42)];
    const length = Math.min(short(at + 28), 100);
    const name = text(at + 46, length);
    must(NAMES.test(name), `A file in it is called ${JSON.stringify(name)}.`);
    const plain = !(flags & 1) && (method === 8 || (method === 0 && packed === bytes));
    must(plain, `${name} is encrypted, or packed in another way than records are.`);
    unpacked += bytes;
    must(unpacked <= MOST.bytes, `It unpacks to more than ${MOST.bytes / MEGABYTE} MB.`);
    const begins = local + 30 + short(local + 26) + short(local + 28);
    const same = long(local) === 0x04034b50 && text(local + 30, length) === name;
    must(same && begins + packed <= start, `${name} is not where the zip says.`);
    files.push({ name, method, bytes, local, begins, ends: begins + packed });
    at += 46 + short(at + 28) + short(at + 30) + short(at + 32);
  }
  must(at === end, "The directory of the zip is not whole.");
  files.sort((one, other) => one.local - other.local);
  const apart = files.every((file, place) => !place || files[place - 1].ends <= file.local);
  must(apart, "Two files of the zip share their bytes.");
  return files;
}

/**
 * Unpack a zip that has nothing in it but the files of a record.
 * @param {ArrayBuffer} buffer
 * @returns {Promise<Map<string, Uint8Array>>}
 */
export async function unzip(buffer) {
  const found = new Map();
  for (const { name, method, bytes, begins, ends } of directoryOf(new DataView(buffer))) {
    must(!found.has(name), `Two files in it are called ${name}.`);
    const packed = new Uint8Array(buffer, begins, ends - begins);
    found.set(name, method ? await inflated(packed, bytes, name) : packed);
  }
  return found;
}
