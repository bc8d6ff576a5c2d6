"""Whom a hook asks when it is executed again.

Runs in the verifier. On the other side is a process that may have fallen to its referee: it
gets what the record holds, and descriptors of files below a directory of its own
(`sandbox/workspace.py`), nothing else of this machine.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from mcp_multiplayer.sandbox import frames, wire
from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.sandbox.cassette import Cassette
from mcp_multiplayer.sandbox.dice import Dice
from mcp_multiplayer.sandbox.hostcalls import (
    LARGEST,
    MARK,
    MOST_HEARD,
    QUESTIONS,
    Connect,
    Draw,
    Fetch,
    Open,
    Question,
    Resolve,
    Roots,
    read_question,
)
from mcp_multiplayer.sandbox.workspace import Workspace

_LOOK = 0.05  #: seconds between two looks at how much a hook has written


class Full(Exception):
    """The files of a hook are larger than they may be."""


class ReplayHost:
    """One hook's questions, files and record."""

    def __init__(self, tape: Cassette, dice: Dice, workspace: Workspace, limits: Limits) -> None:
        self.tape = tape
        self.dice = dice
        self._workspace = workspace
        self._limits = limits

    def converse(self, sock: socket.socket, until: float) -> bytes:
        """Answer every question, return the result's bytes.

        TimeoutError at ``until`` on the monotonic clock, `Full`, `Differs`, `Broken`, `BadFrame` or
        OSError when the hook ends otherwise.
        """
        largest = max(LARGEST, wire.largest_answer(self._limits))
        asked = heard = 0
        while (data := self._receive(sock, largest, until)).startswith(MARK):
            question = read_question(data)
            asked, heard = asked + (not isinstance(question, Draw)), heard + len(data)
            if asked > QUESTIONS or heard > MOST_HEARD:
                raise wire.Broken("questions without end")
            answer, fd = self._answer(question)
            sock.settimeout(rest(until))
            _tell(sock, frames.pack(json.dumps(answer).encode()), fd)
        return data

    def close(self) -> None:
        """Remove the files."""
        if self._workspace.used:
            self._workspace.close()

    def _answer(self, question: Question) -> tuple[dict[str, Any], int | None]:
        match question:
            case Draw(blocks):
                return self.dice.answer(blocks), None
            case Open(path, mode):
                return self._open(path, mode)
            case Roots():
                return {"pem": ""}, None
            case Fetch():
                return self.tape.answer("fetch", question.blob), None
            case Resolve():
                return self.tape.answer("resolve", question.blob), None
            case Connect():
                return self.tape.answer("connect", question.blob), None

    def _open(self, path: str, mode: str) -> tuple[dict[str, Any], int | None]:
        try:
            return {}, self._workspace.open(path, mode)
        except OSError as error:
            return {"errno": error.errno, "text": error.strerror}, None

    def _receive(self, sock: socket.socket, cap: int, until: float) -> bytes:
        header = self._exactly(sock, frames.HEADER.size, until)
        return self._exactly(sock, frames.length(header, cap), until)

    def _exactly(self, sock: socket.socket, n: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < n:
            part = self._part(sock, min(n - len(data), 1 << 16), until)
            if not part:
                raise frames.BadFrame("end of stream")
            data += part
        return bytes(data)

    def _part(self, sock: socket.socket, most: int, until: float) -> bytes:
        """Some bytes; who has opened a file is looked after meanwhile."""
        while self._workspace.used:
            if self._workspace.full:
                raise Full(f"the files exceed {self._limits.workspace >> 20} MB")
            sock.settimeout(min(rest(until), _LOOK))
            try:
                return sock.recv(most)
            except TimeoutError:
                continue
        sock.settimeout(rest(until))
        return sock.recv(most)


def rest(until: float) -> float:
    """The seconds that are left until then; TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _tell(sock: socket.socket, told: bytes, fd: int | None) -> None:
    if fd is not None:
        try:
            told = told[socket.send_fds(sock, [told], [fd]) :]
        finally:
            os.close(fd)
    if told:  # else the hook may have gone already, its result said
        sock.sendall(told)
