"""What tests of the pages' own record reader share: a page that has it, and how it is asked."""

from __future__ import annotations

import base64
import json
from typing import Any

from playwright.async_api import Page

#: Everything that the reader says of a file, or why it refuses to read it.
_ASK = """async ([base, text]) => {
  const { readRecord, checkRecord, messagesOf, botsOf, resultOf } =
    await import(base + "/static/record.js");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const begun = performance.now();
  try {
    const record = await readRecord(bytes.buffer);
    const lines = await checkRecord(record);
    const told = { lines, seconds: (performance.now() - begun) / 1000 };
    return JSON.stringify({
      ...told, messages: messagesOf(record), bots: botsOf(record), result: resultOf(record),
    });
  } catch (error) {
    return JSON.stringify({ refused: String(error.message), name: error.constructor.name });
  }
}"""

Told = dict[str, Any]


async def told(page: Page, record: bytes) -> Told:
    """What static/record.js makes of a file: lines, messages, bots, result; else ``refused``."""
    base = page.url.rpartition("/")[0]
    said = await page.evaluate(_ASK, [base, base64.b64encode(record).decode()])
    made: Told = json.loads(said)
    return made


def states(read: Told) -> dict[str, str]:
    """The state of each line; of a file that is not even read, that."""
    if "refused" in read:
        return {"FILE": "bad"}
    return {one["line"]: one["state"] for one in read["lines"]}
