# SPDX-License-Identifier: Apache-2.0
"""Every disk that a power cut may leave, from the journal of `crash_layer`.

The model is harsher than POSIX file systems are in practice:

- bytes of a file are durable after fsync of that file, names in a folder after fsync of that folder, and nothing else;
- of what is not durable, each write, each truncation and each half of a rename is there or not, alone;
- a write may be there in part: a prefix, or the new size with any of its blocks zero.

Assumed: bytes that were synced stay as they were when later ones are added behind them; one truncation is whole.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from crash_layer import ROOT, Op

_BLOCKS = (16, 512, 4096)


@dataclass
class _File:
    """What a file holds for certain, and what was done to it since: (offset, data) or a new size."""

    durable: bytes = b""
    since: list[tuple[int, bytes] | int] = field(default_factory=list)
    mode: int = 0o644


@dataclass
class _Folder:
    """Names for certain, and what became of names since."""

    durable: dict[str, int] = field(default_factory=dict)
    since: list[tuple[str, int | None]] = field(default_factory=list)
    mode: int = 0o755


class Survival:
    """Which unsynced effects survive: by default all of them.

    Args:
        names: whether changes in folders do.
        data: whether changes of files do.
    """

    def __init__(self, *, names: bool = True, data: bool = True) -> None:
        self._keep_names, self._keep_data = names, data

    def names(self, since: list[tuple[str, int | None]]) -> list[tuple[str, int | None]]:
        return since if self._keep_names else []

    def data(self, durable: bytes, since: list[tuple[int, bytes] | int]) -> bytes:
        found = durable
        for effect in since if self._keep_data else ():
            found = _after(found, effect)
        return found


NOTHING = Survival(names=False, data=False)
EVERYTHING = Survival()
NAMES_ONLY = Survival(data=False)
DATA_ONLY = Survival(names=False)


class Drawn(Survival):
    """Any subset: each effect with the same chance, writes also in part.

    Args:
        random: the dice.
    """

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice
        self._chance = dice.choice((0.1, 0.5, 0.9))
        self._block = dice.choice(_BLOCKS)

    def names(self, since: list[tuple[str, int | None]]) -> list[tuple[str, int | None]]:
        return [change for change in since if self._dice.random() < self._chance]

    def data(self, durable: bytes, since: list[tuple[int, bytes] | int]) -> bytes:
        found = durable
        for effect in since:
            if self._dice.random() < self._chance:
                found = _after(found, effect)
            elif not isinstance(effect, int) and self._dice.random() < 0.7:
                found = self._part(found, *effect)
        return found

    def _part(self, found: bytes, offset: int, data: bytes) -> bytes:
        """A prefix, or the new size with some of the new blocks zero."""
        if self._dice.random() < 0.5:
            return _after(found, (offset, data[: self._dice.randint(0, len(data))]))
        grown = bytearray(_after(found, (offset, data)))
        for start in range(len(found) - len(found) % self._block, len(grown), self._block):
            if self._dice.random() < 0.5:
                first, stop = max(start, len(found)), min(start + self._block, len(grown))
                grown[first:stop] = bytes(stop - first)
        return bytes(grown)


def _after(found: bytes, effect: tuple[int, bytes] | int) -> bytes:
    if isinstance(effect, int):
        return found[:effect].ljust(effect, b"\0")
    offset, data = effect
    return found[:offset].ljust(offset, b"\0") + data + found[offset + len(data) :]


State = dict[str, tuple[bytes, int] | None]


class Disk:
    """What is durable, and what may be, after the operations that were applied."""

    def __init__(self) -> None:
        self._nodes: dict[int, _File | _Folder] = {ROOT: _Folder()}

    def apply(self, op: Op) -> None:
        """Replay one operation."""
        if op.kind == "create":
            folder, mode = op.what
            self._nodes[op.node] = _Folder(mode=mode) if folder else _File(mode=mode)
            return
        node = self._nodes[op.node]
        if op.kind == "sync":
            if isinstance(node, _File):
                node.durable = EVERYTHING.data(node.durable, node.since)
            else:
                node.durable = _named(node.durable, node.since)
            node.since = []
        elif isinstance(node, _File):
            node.since.append(op.what[0] if op.kind == "truncate" else (op.what[0], op.what[1]))
        else:
            node.since.append((op.what[0], op.what[1]))

    def state(self, survival: Survival) -> State:
        """Relative path to (bytes, mode) of each file and `None` of each folder."""
        found: State = {}
        self._collect(ROOT, "", survival, found)
        return found

    def _collect(self, number: int, path: str, survival: Survival, found: State) -> None:
        node = self._nodes[number]
        if isinstance(node, _File):
            found[path] = survival.data(node.durable, node.since), node.mode
            return
        if path:
            found[path] = None
        for name, child in sorted(_named(node.durable, survival.names(node.since)).items()):
            self._collect(child, os.path.join(path, name), survival, found)


def _named(names: dict[str, int], changes: list[tuple[str, int | None]]) -> dict[str, int]:
    after = dict(names)
    for name, node in changes:
        if node is None:
            after.pop(name, None)
        else:
            after[name] = node
    return after


def materialize(state: State, folder: Path) -> None:
    """Write a state into a new folder."""
    folder.mkdir()
    for path, content in state.items():
        if content is None:
            (folder / path).mkdir(mode=0o700)
        else:
            data, mode = content
            handle = os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)


def real_state(folder: Path) -> dict[str, bytes | None]:
    """What really lies in a folder, as `Disk.state` names it, without modes."""
    every = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in every}
