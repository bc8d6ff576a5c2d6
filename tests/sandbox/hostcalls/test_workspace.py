# ruff: noqa: ASYNC240, E501 looks at directories; the rows are read as a table
"""A bot's files are its own, below its workspace, of one hook, and so large and no larger."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls import workspace as workspace_module
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.workspace import MOST_FILES, Workspace, Workspaces, sweep
from tests.sandbox.outside import bot, got

pytestmark = pytest.mark.asyncio(loop_scope="module")
MB = 1 << 20


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(disk: Path) -> AsyncIterator[Pool]:
    limits = Limits(workspace=2 * MB)
    made = Pool(limits=limits, broker=Broker(limits=limits, workspaces=Workspaces(disk, 2 * MB)))
    await made.start()
    yield made
    await made.close()
    assert list(disk.iterdir()) == []


async def run(pool: Pool, *body: str) -> Any:
    return await pool.run(HookCall(bot("w = self.ctx.workspace", *body), "on_init"))


RUN = {
    "write and read": (
        "with open(f'{w}/a.txt', 'w') as f:\n    f.write('äb')\nwith open(f'{w}/a.txt') as f:\n    got = f.read()",
        "äb",
    ),
    "a bare name": ("open('a.txt', 'w').close()\ngot = open(w + '/a.txt').read()", ""),
    "append": (
        "for part in 'abc':\n    with open(w + '/log', 'a') as f:\n        f.write(part)\ngot = open(w + '/log').read()",
        "abc",
    ),
    "binary": (
        "with open(w + '/b', 'wb') as f:\n    n = f.write(bytes(range(256)))\nwith open(w + '/b', 'rb') as f:\n    got = [n, sum(f.read())]",
        [256, 32640],
    ),
    "lines": (
        "with open(w + '/l', 'w') as f:\n    f.writelines(['a\\n', 'b\\n'])\ngot = [line.strip() for line in open(w + '/l')]",
        ["a", "b"],
    ),
    "read and write in place": (
        "with open(w + '/p', 'w+') as f:\n    f.write('hello')\n    f.seek(1)\n    got = [f.read(), f.tell()]",
        ["ello", 5],
    ),
    "truncated by writing again": (
        "open(w + '/t', 'w').write('long')\nwith open(w + '/t', 'w') as f:\n    f.write('x')\ngot = open(w + '/t', 'r').read()",
        "x",
    ),
    "update": (
        "with open(w + '/u', 'w') as f:\n    f.write('abc')\nwith open(w + '/u', 'r+') as f:\n    f.write('X')\ngot = open(w + '/u').readline()",
        "Xbc",
    ),
    "json": (
        "with open(w + '/j', 'w') as f:\n    json.dump({'a': 1}, f)\nwith open(w + '/j') as f:\n    got = json.load(f)",
        {"a": 1},
    ),
    "directories come with their files": (
        "with open(w + '/d/e/f', 'w') as f:\n    f.write('deep')\ngot = open(w + '//d/./e/f').read()",
        "deep",
    ),
    "an encoding": (
        "with open(w + '/e', 'w', encoding='latin-1') as f:\n    f.write('ä')\ngot = len(open(w + '/e', 'rb').read())",
        1,
    ),
    "exclusive": (
        "open(w + '/x', 'x').close()\ntry:\n    open(w + '/x', 'x')\nexcept FileExistsError as e:\n    got = e.filename",
        "/workspace/x",
    ),
    "what a file knows": (
        "with open(w + '/k', 'w') as f:\n    got = [f.name, f.mode, f.closed, f.writable(), f.encoding]\ngot.append(f.closed)",
        ["/workspace/k", "w", False, True, "utf-8", True],
    ),
    "a file that is missing": (
        "try:\n    open(w + '/missing')\nexcept FileNotFoundError as e:\n    got = str(e)",
        "[Errno 2] No such file or directory: '/workspace/missing'",
    ),
    "more at a time than a process has": (
        "open('a', 'w').close()\ntry:\n    kept = [open('a') for i in range(70)]\nexcept OSError as e:\n    got = e.strerror",
        "Too many open files",
    ),
    "as many at a time as a process has": (
        "kept = [open(f'{w}/{i}', 'w') for i in range(50)]\ngot = len(kept)",
        50,
    ),
}


@pytest.mark.parametrize("name", RUN)
async def test_files_behave_like_files(pool: Pool, name: str) -> None:
    body, expected = RUN[name]
    assert got(await run(pool, *body.split("\n"))) == expected


OUTSIDE = [
    "/etc/passwd",
    "../x",
    "a/../../x",
    "w/..",
    "/workspace/../etc/passwd",
    "/workspacex",
    "//etc/passwd",
    "/proc/self/mem",
    "/dev/null",
    "..",
    ".",
    "",
    "/workspace",
    "/workspace/",
    "a\\0b",
    "x" * 300,
    "a/" * 20 + "b",
    "/proc/self/fd/3",
    "/tmp/x",
]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_nothing_outside_is_opened(pool: Pool, path: str) -> None:
    for mode in ("r", "w"):
        result = await run(pool, f"open('{path}', '{mode}')")
        assert isinstance(result, Failed), result
        assert result.error in (
            "PermissionError",
            "IsADirectoryError",
            "OSError",
            "FileNotFoundError",
        )
        assert mode == "r" or result.error != "FileNotFoundError"


@pytest.mark.parametrize(
    "call",
    [
        "open(3)",
        "open(b'x')",
        "open('x', 'q')",
        "open('x', 'rw')",
        "open('x', 'rbt')",
        "open('x', 5)",
        "open('x', 'w', closefd=False)",
        "open('x', 'w', opener=max)",
        "open(self)",
    ],
)
async def test_open_takes_a_path_and_an_ordinary_mode(pool: Pool, call: str) -> None:
    result = await run(pool, call)
    assert result.error in ("TypeError", "ValueError"), result


async def test_a_workspace_is_empty_at_the_start_of_every_hook_and_of_one_bot_only(
    pool: Pool, disk: Path
) -> None:
    assert got(await run(pool, "got = open(w + '/mine', 'w').write('x')")) == 1
    assert (await run(pool, "open(w + '/mine')")).error == "FileNotFoundError"
    left = [p for d in disk.iterdir() for p in d.iterdir()]
    assert left == []


async def test_one_file_is_as_large_as_allowed_and_no_larger(pool: Pool) -> None:
    lines = "f = open(w + '/big', 'wb', 0)", "for i in range(3):", "    f.write(b'x' * (1 << 20))"
    result = await run(pool, *lines)
    assert (result.error, result.killed) == ("WorkspaceLimit", True)
    assert "File too large" in result.text


async def test_all_files_together_are_as_large_as_allowed(pool: Pool) -> None:
    lines = (
        "for i in range(9):",
        "    with open(f'{w}/{i}', 'wb') as f:",
        "        f.write(b'x' * (1 << 19))",
    )
    result = await run(pool, *lines)
    assert (result.error, result.killed) == ("WorkspaceLimit", True)
    assert "ctx.workspace is full: 2 MB in all" in result.text


async def test_a_full_workspace_ends_the_hook_whatever_is_made_of_it(pool: Pool) -> None:
    """How large it may be is the server's setting, and in no record."""
    lines = (
        "f = open(w + '/big', 'wb', 0)",
        "for i in range(3):",
        "    try:",
        "        f.write(b'x' * (1 << 20))",
        "    except OSError:",
        "        got = 'full'",
    )
    result = await run(pool, *lines)
    assert (result.error, result.killed) == ("WorkspaceLimit", True)


async def test_files_that_grow_side_by_side_end_the_hook(pool: Pool, disk: Path) -> None:
    lines = (
        "kept = [open(f'{w}/{i}', 'wb') for i in range(9)]",
        "for f in kept:",
        "    f.write(b'x' * (1 << 20))",
        "    f.flush()",
        "sum(iter(int, 1))",
    )
    result = await run(pool, *lines)
    assert (result.error, result.killed) == ("WorkspaceLimit", True)
    assert result.text == "the files exceed 2 MB"


@pytest.mark.parametrize("name", ["{i}", "{i}/a/b/c/d"])
async def test_there_are_so_many_files_and_no_more(pool: Pool, name: str) -> None:
    lines = (f"for i in range({MOST_FILES + 1}):", f"    open(f'{{w}}/{name}', 'w').close()")
    assert f"at most {MOST_FILES} files" in (await run(pool, *lines)).text


# The host's side by itself


def workspace(path: Path) -> Workspace:
    return Workspace(lambda: path, MB)


@pytest.mark.parametrize("openat2", [True, False])
async def test_no_link_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openat2: bool
) -> None:
    if not openat2:
        monkeypatch.setattr(workspace_module, "_libc", None)
    made = workspace(tmp_path)
    os.close(made.open("a", "w"))
    (root,) = tmp_path.iterdir()
    (root / "file").symlink_to("/etc/passwd")
    (root / "directory").symlink_to("/etc")
    (root / "inside").symlink_to("a")
    os.mkfifo(root / "pipe")
    for name in ("file", "directory/passwd", "inside", "pipe"):
        for mode in ("r", "w", "a"):
            with pytest.raises(OSError, match=r"\w") as refused:
                made.open(name, mode)
            assert refused.value.errno in (
                errno.ELOOP,
                errno.EISDIR,
                errno.ENOTDIR,
                errno.ENXIO,
            )
    made.close()
    assert list(tmp_path.iterdir()) == [] and Path("/etc/passwd").stat().st_size > 0


async def test_a_descriptor_can_do_what_its_mode_says(tmp_path: Path) -> None:
    made = workspace(tmp_path)
    written = made.open("a", "w")
    os.write(written, b"x")
    read = made.open("a", "r")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(read, b"y")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(written, 1)
    os.close(read)
    os.close(written)
    made.close()


async def test_what_a_killed_server_left_is_removed_and_what_a_living_one_has_is_not(
    tmp_path: Path,
) -> None:
    left, other = tmp_path / "mpx-bots-left", tmp_path / "other"
    for path in (left, other):
        (path / "hook-1").mkdir(parents=True)
        os.utime(path, (1, 1))
    living = Workspaces(tmp_path, MB)
    used = living.hook()
    os.close(used.open("a", "w"))
    (mine,) = (p for p in tmp_path.glob("mpx-bots-*") if p != left)
    os.utime(mine, (1, 1))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])
    living.close()
    assert list(tmp_path.iterdir()) == [other]
