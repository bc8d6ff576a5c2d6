# ruff: noqa: E501 the rows are read as a table
"""The text that a source imports as `referee`: what counts as importing it, what a source is with it."""

import textwrap
from typing import Any

import pytest

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, SourceReport
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.protocol import wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIBRARY = textwrap.dedent("""
    import random
    import secrets as hidden

    LIMIT = 3


    class Base:
        def __init__(self, ctx, params):
            self.ctx = ctx

        def on_init(self):
            self.greet()

        def on_timer(self, name):
            self.ctx.post("bot", {"rang": name})

        def greet(self):
            self.ctx.post("bot", {"text": "hello"})

        def fail(self):
            return {}["nothing"]

        def forever(self):
            while True:
                pass


    class Quiet:
        limit = LIMIT


    def roll():
        return random.randint(1, 6)


    def salted(text):
        return text + salt()


    def salt():
        return hidden.token_hex(4)


    def plain(text):
        return text.strip()
""")
BOT = "class Bot(Base):\n    def on_message(self, msg):\n        "


async def report(pool: Pool, source: str, library: str = LIBRARY) -> SourceReport:
    return await pool.inspect(source, library=library)


async def ran(pool: Pool, source: str, hook: Any = "on_message", library: str = LIBRARY) -> Any:
    args = ({"id": 1, "sender": "alice", "kind": "user", "body": {}, "ts": "t"},)
    named = args if hook == "on_message" else ()
    return await pool.run(HookCall(source, hook, named, library=library))


async def refused(pool: Pool, source: str, library: str = LIBRARY) -> str:
    with pytest.raises(BotRejected) as error:
        await report(pool, source, library)
    return str(error.value)


@pytest.mark.parametrize(
    "head",
    [
        "from referee import Base",
        "import referee\nBase = referee.Base",
        "import referee as r\nBase = r.Base",
        "from  referee import Base as Other\nBase = Other",
        "import referee, json\nBase = referee.Base",
    ],
)
async def test_a_source_that_imports_the_library_is_handed_it(pool: Pool, head: str) -> None:
    source = f"{head}\n{BOT}self.greet()"
    assert (await report(pool, source)).library
    result = await ran(pool, source)
    assert isinstance(result, Finished), result
    assert result.said[0].body == {"text": "hello"}


async def test_a_source_that_does_not_import_it_has_none(pool: Pool) -> None:
    source = '"""\nimport referee\n"""\nclass Bot:\n    def on_init(self): pass'
    assert not (await report(pool, source)).library
    assert await report(pool, source) == await report(pool, source, "")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("class Bot:\n    def on_init(self):\n        import referee", 3),
        ("import json, referee\nclass Bot:\n    def on_init(self): pass", 1),
        ("if True:\n    from referee import Base\nclass Bot:\n    def on_init(self): pass", 2),
        ("x = 1; import referee\nclass Bot:\n    def on_init(self): pass", 1),
    ],
)
async def test_elsewhere_it_cannot_be_imported(pool: Pool, source: str, line: int) -> None:
    said = await refused(pool, source)
    assert said.startswith(f"Line {line}: Write `import referee`")


async def test_without_a_library_the_import_is_refused(pool: Pool) -> None:
    source = f"from referee import Base\n{BOT}pass"
    assert await refused(pool, source, "") == "Line 1: There is no library `referee` here"
    result = await ran(pool, source, library="")
    assert isinstance(result, Failed) and (result.error, result.line) == ("BotRejected", 1)


@pytest.mark.parametrize("import_of", ["module", "class"])
async def test_the_hooks_of_the_base_class_are_the_hooks_of_the_class(
    pool: Pool, import_of: str
) -> None:
    head = "import referee" if import_of == "module" else "from referee import Base"
    base = "referee.Base" if import_of == "module" else "Base"
    source = f"{head}\nclass Bot({base}):\n    def on_message(self, msg): pass"
    found = await report(pool, source)
    assert (found.class_name, found.hooks) == ("Bot", ("on_init", "on_message", "on_timer"))
    assert (await ran(pool, source, "on_init")).said[0].body == {"text": "hello"}


async def test_a_class_of_its_own_with_no_hook_of_its_own_is_a_referee(pool: Pool) -> None:
    found = await report(pool, "from referee import Base\nclass Bot(Base):\n    pass")
    assert (found.class_name, found.hooks) == ("Bot", ("on_init", "on_timer"))


@pytest.mark.parametrize(
    ("head", "line", "dice"),
    [
        ("from referee import Base", "pass", False),
        ("from referee import Base, plain", "plain('x')", False),
        ("from referee import Base, roll", "roll()", True),
        ("from referee import Base, salted as s", "s('x')", True),
        ("from referee import Base, Quiet", "Quiet.limit", False),
        ("import referee\nBase = referee.Base", "referee.salt()", True),
        ("import referee\nBase = referee.Base", "referee.plain('')", False),
        ("from referee import Base", "self.ctx.random.random()", True),
    ],
)
async def test_it_may_draw_if_what_it_uses_of_the_library_does(
    pool: Pool, head: str, line: str, dice: bool
) -> None:
    found = await report(pool, f"{head}\n{BOT}{line}")
    assert (found.dice, found.network) == (dice, False)


async def test_a_hook_of_the_library_that_draws_makes_every_heir_one_that_may(pool: Pool) -> None:
    library = LIBRARY.replace("self.greet()", "roll()")
    source = f"from referee import Base\n{BOT}pass"
    assert (await report(pool, source, library)).dice


async def test_a_library_that_reaches_the_network_reaches_it_for_its_sources(pool: Pool) -> None:
    library = "import socket\n" + LIBRARY
    assert (await report(pool, f"from referee import Base\n{BOT}pass", library)).network


@pytest.mark.parametrize(
    "head",
    ["from referee import Baze\nclass B(Baze):", "import referee\nclass B(referee.Baze):"],
)
async def test_a_name_that_it_does_not_have_is_told_with_those_it_has(
    pool: Pool, head: str
) -> None:
    said = await refused(pool, f"{head}\n    def on_init(self): pass")
    assert "'referee' has no attribute 'Baze' for bots; did you mean Base?" in said
    assert "it has Base, LIMIT, plain, Quiet, roll, salt, salted" in said


async def test_what_the_library_imports_is_not_imported_from_it(pool: Pool) -> None:
    assert "has no attribute 'random'" in await refused(
        pool, f"from referee import Base, random\n{BOT}pass"
    )
    result = await ran(
        pool, f"import referee\nBase = referee.Base\n{BOT}getattr(referee, 'hidden')"
    )
    assert isinstance(result, Failed) and result.error == "AttributeError"


async def test_an_error_in_the_library_is_told_at_the_line_that_called_it(pool: Pool) -> None:
    result = await ran(pool, f"from referee import Base\n{BOT}self.fail()")
    assert isinstance(result, Failed) and (result.error, result.line) == ("KeyError", 4)
    assert "line 4: self.fail()" in result.text and "nothing" in result.text
    line = LIBRARY[: LIBRARY.index("return {}")].count("\n") + 1
    assert f"in the library `referee`, line {line}" in result.text


async def test_an_error_in_an_inherited_hook_has_no_line_of_the_authors(pool: Pool) -> None:
    library = LIBRARY.replace("self.greet()", "self.fail()")
    result = await ran(pool, f"from referee import Base\n{BOT}pass", "on_init", library)
    assert isinstance(result, Failed) and (result.error, result.line) == ("KeyError", None)


async def test_a_turn_of_a_loop_in_the_library_is_a_tick(pool: Pool) -> None:
    result = await ran(pool, f"from referee import Base\n{BOT}self.forever()")
    assert isinstance(result, Failed) and (result.error, result.line) == ("FuelLimit", 4)


@pytest.mark.parametrize(
    ("library", "why"),
    [
        ("import os\nclass Base:\n    def on_init(self): pass", "Import of 'os'"),
        ("from referee import Base\nclass Base:\n    def on_init(self): pass", "imports itself"),
        ("def f(): pass", "has no class"),
    ],
)
async def test_a_library_is_held_to_the_language_of_a_source(
    pool: Pool, library: str, why: str
) -> None:
    source = "import referee\nclass Bot:\n    def on_init(self): pass"
    result = await ran(pool, source, "on_init", library)
    assert isinstance(result, Failed) and result.error == "BotRejected" and why in result.text


async def test_a_library_that_cannot_be_read_is_told_at_the_import(pool: Pool) -> None:
    said = await refused(pool, "import referee\nclass Bot:\n    def on_init(self): pass", "class (")
    assert said.startswith("Line 1: The library `referee` cannot be read")


async def test_it_is_compiled_once_for_all_its_sources(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    request = wire.library_request

    def noted(library: str) -> bytes:
        told.append(library)
        return request(library)

    monkeypatch.setattr(wire, "library_request", noted)
    library = LIBRARY + "# once\n"
    for n in range(2):
        for _ in range(2):
            await ran(pool, f"from referee import Base\n{BOT}pass  # {n}", library=library)
    assert told == [library]


async def test_the_same_source_with_another_library_is_another(pool: Pool) -> None:
    source = f"from referee import Base\n{BOT}self.greet()"
    other = LIBRARY.replace("hello", "good day").replace("on_timer", "on_leave")
    assert (await report(pool, source, other)).hooks == ("on_init", "on_message", "on_leave")
    assert (await ran(pool, source, library=other)).said[0].body == {"text": "good day"}
    assert (await ran(pool, source)).said[0].body == {"text": "hello"}
