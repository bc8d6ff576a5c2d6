// @ts-check
/**
 * Server-sent events, read with fetch: a header says for which player, which EventSource cannot. A
 * stream that breaks is opened again where it was, after a pause that grows.
 */

const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 15_000;

/** @returns {AsyncGenerator<{event: string, data: string, id: string}>} */
async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split("\n").filter((line) => !line.startsWith(":")).map((line) => {
          const colon = line.indexOf(": ");
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      if (fields.event) yield /** @type {any} */ (fields);
    }
  }
}

/**
 * Follow a room until nothing comes any more.
 * @param {(cursor: number | undefined, signal: AbortSignal) => Promise<Response>} open
 * @param {{room: (data: any) => void, live: (live: boolean) => void, end: (why: string) => void}} on
 *   `live`: whether the stream is open; `end`: "closed", "gone", or what the server refused with
 * @returns {() => void} stops following
 */
export function follow(open, on) {
  const stop = new AbortController();
  const { signal } = stop;
  const wait = (ms) => new Promise((resume) => {
    const timer = setTimeout(resume, ms);
    const now = () => (clearTimeout(timer), resume(undefined));
    signal.addEventListener("abort", now, { once: true });
    addEventListener("online", now, { once: true });
  });
  const run = async () => {
    let cursor;
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        for await (const { event, data } of eventsOf(await open(cursor, signal))) {
          if (event === "room") {
            const told = JSON.parse(data);
            cursor = told.cursor;
            pause = FIRST_PAUSE;
            on.live(true);
            on.room(told);
          } else if (event === "end" && data !== "restarting") {
            return on.end(data);
          }
        }
      } catch (error) {
        if (signal.aborted) return undefined;
        const { status, message } = /** @type {any} */ (error);
        if (status >= 400 && status < 500 && status !== 429) return on.end(message);
      }
      on.live(false);
      await wait(pause * (0.5 + Math.random()));
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
    return undefined;
  };
  run();
  return () => stop.abort();
}
