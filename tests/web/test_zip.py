"""static/zip.js and static/record.js on files that were made to hurt: each is refused with a
sentence, soon, and none is unpacked beyond the limit."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.web.readers import told
from tests.web.serving import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 20.0  #: seconds, on a machine that does much else
LINE = b'{"i":0,"t":"genesis","v":"mpx-log/2"}\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    with serving() as served:
        made = await browser.new_page()
        await made.goto(served.base + "/empty.html")
        yield made
        await made.close()


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data)
    return file.getvalue()


GOOD = zipped(("entries.jsonl", LINE), ("openings.jsonl", b""))
DIRECTORY = GOOD.index(b"PK\x01\x02")
END = GOOD.index(b"PK\x05\x06")


def patched(at: int, form: str, *values: int, of: bytes = GOOD) -> bytes:
    made = bytearray(of)
    struct.pack_into("<" + form, made, at, *values)
    return bytes(made)


def bomb(size: int, claimed: int) -> bytes:
    """A file that unpacks to ``size`` bytes and says that it is ``claimed`` long."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    packed = b"".join(deflate.compress(zeros) for _ in range(size >> 20)) + deflate.flush()
    name = b"entries.jsonl"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, 0, len(packed), claimed, 13, 0)
    entry = struct.pack(
        "<4s6H3I5H2I",
        *(b"PK\x01\x02", 20, 20, 0, 8, 0, 33, 0, len(packed), claimed, 13, 0, 0, 0, 0, 0, 0),
    )
    before = local + name + packed
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 46 + 13, len(before), 0)
    return before + entry + name + end


def many(count: int) -> bytes:
    """A directory of so many entries that all lead to one file."""
    head, name = GOOD[DIRECTORY : DIRECTORY + 46], b"entries.jsonl"
    entries = (head + name) * count
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), DIRECTORY, 0)
    return GOOD[:DIRECTORY] + entries + end


def within() -> bytes:
    """A file whose place is in the middle of another's bytes."""
    inner = zipped(("openings.jsonl", b""))
    inner = inner[: inner.index(b"PK\x01\x02")]
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as out:
        out.writestr("entries.jsonl", LINE + inner)
        out.writestr("openings.jsonl", b"")
    made = outer.getvalue()
    return patched(made.rindex(b"PK\x01\x02") + 42, "I", made.index(inner), of=made)


def nested(depth: int) -> bytes:
    return zipped(("entries.jsonl", b"[" * depth + b"]" * depth + b"\n"))


def zip64() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out, out.open("entries.jsonl", "w", force_zip64=True) as one:
        one.write(LINE)
    return patched(
        file.getvalue().index(b"PK\x05\x06") + 8, "HH", 0xFFFF, 0xFFFF, of=file.getvalue()
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a page": lambda: b"<!doctype html><p>Bad gateway",
    "only an end": lambda: GOOD[END:],
    "cut off": lambda: GOOD[: len(GOOD) // 2],
    "its end cut off": lambda: GOOD[:-1],
    "its beginning cut off": lambda: GOOD[10:],
    "something before it": lambda: b"#!/bin/sh\n" + GOOD,
    "something after it": lambda: GOOD + b"more",
    "a path upwards": lambda: zipped(("../entries.jsonl", LINE)),
    "an absolute path": lambda: zipped(("/entries.jsonl", LINE)),
    "a name with a zero": lambda: zipped(("entries.jsonlX", LINE)).replace(b"lX", b"l\0"),
    "another file": lambda: zipped(("entries.jsonl", LINE), ("index.html", b"<p>")),
    "a long name": lambda: zipped(("e" * 60_000, LINE)),
    "one file twice": lambda: zipped(("entries.jsonl", LINE), ("entriesXjsonl", LINE)).replace(
        b"entriesXjsonl", b"entries.jsonl"
    ),
    "a file within another": within,
    "twenty thousand that are one": lambda: many(20_000),
    "more files than any record": lambda: many(20_001),
    "a zip64": zip64,
    "encrypted": lambda: patched(DIRECTORY + 8, "H", 1),
    "packed with something else": lambda: patched(DIRECTORY + 10, "H", 14),
    "stored with another size": lambda: patched(
        DIRECTORY + 24, "I", 9_000, of=patched(DIRECTORY + 10, "H", 0)
    ),
    "an offset outside": lambda: patched(DIRECTORY + 42, "I", 0xFFFFFFF0),
    "a size outside": lambda: patched(DIRECTORY + 20, "I", 0xFFFFFF00),
    "a count that is too large": lambda: patched(END + 8, "HH", 9, 9),
    "a count that is too small": lambda: patched(END + 8, "HH", 1, 1),
    "no directory there": lambda: patched(END + 16, "I", 7),
    "broken deflate": lambda: patched(30 + 13, "I", 0xFFFFFFFF),
    "less than it says": lambda: patched(DIRECTORY + 24, "I", 9_000),
    "more than it says": lambda: bomb(1 << 20, 1000),
    "a bomb": lambda: bomb(128 << 20, 50 << 20),
    "a bomb that says so": lambda: bomb(1 << 20, 0xFFFFFFF0),
    "no entries": lambda: zipped(("checkpoint", b"")),
    "an empty log": lambda: zipped(("entries.jsonl", b"")),
    "half a line": lambda: zipped(("entries.jsonl", LINE[:-1])),
    "a million lines": lambda: zipped(("entries.jsonl", b"\n" * 1_000_000)),
    "four million values": lambda: zipped(("entries.jsonl", b"[" + b"0," * 4_000_000 + b"0]\n")),
    "nested 33 deep": lambda: nested(33),
    "nested a million deep": lambda: nested(1_000_000),
    "nesting behind a broken text": lambda: zipped(
        ("entries.jsonl", b'"\\\n' + b"[" * 1_000_000 + b"\n")
    ),
    "an entry that is no object": lambda: zipped(("entries.jsonl", b"7\n")),
    "no text": lambda: zipped(("entries.jsonl", b'"\xff"\n')),
    "another format": lambda: zipped(("entries.jsonl", LINE.replace(b"2", b"9"))),
    "no genesis": lambda: zipped(("entries.jsonl", b'{"i":0,"t":"close","ts":1}\n')),
    "a checkpoint that is no text": lambda: zipped(
        ("entries.jsonl", LINE), ("checkpoint", b"\xff")
    ),
    "openings of nothing": lambda: zipped(("entries.jsonl", LINE), ("openings.jsonl", b"{}\n")),
    "openings of no JSON": lambda: zipped(("entries.jsonl", LINE), ("openings.jsonl", b"{\n")),
    "openings nested deep": lambda: zipped(
        ("entries.jsonl", LINE), ("openings.jsonl", b"[" * 9999 + b"\n")
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_it_is_refused_with_a_sentence(page: Page, name: str) -> None:
    begun = time.monotonic()
    read = await told(page, HOSTILE[name]())
    assert time.monotonic() - begun < SOON
    assert "refused" in read, read
    said = read["refused"]
    assert read["name"] == "Error" and said.endswith(".") and 10 < len(said) < 250, said


async def test_a_large_file_is_not_even_looked_at(page: Page) -> None:
    ask = """async (base) => {
      const { readRecord } = await import(base + "/static/record.js");
      return readRecord(new ArrayBuffer((64 << 20) + 1)).catch((error) => error.message);
    }"""
    said = await page.evaluate(ask, page.url.rpartition("/")[0])
    assert said == "The file is larger than 64 MB."


async def test_what_they_were_made_of_is_read(page: Page) -> None:
    """So that none of them is refused for something else than what is wrong with it."""
    ask = """async ([base, text]) => {
      const { readRecord } = await import(base + "/static/record.js");
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      return (await readRecord(bytes.buffer)).entries;
    }"""
    read = await page.evaluate(ask, [page.url.rpartition("/")[0], GOOD.decode("latin-1")])
    assert read == [{"i": 0, "t": "genesis", "v": "mpx-log/2"}]
