# SPDX-License-Identifier: Apache-2.0
"""A small evidence folder with a history, and how its files are changed and put back."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from monai_ethics.provenance.keys.home import key_home, load_or_create_key
from monai_ethics.provenance.keys.rotation import rotate_key
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

LOG, HEAD, KEY = "log.jsonl", "head.json", "private/pseudonym.key"
REPORTS = ("report.html", "report.json")


@dataclass(frozen=True)
class Put:
    """Something that is no plain file: ``"link"``, ``"pipe"`` or ``"folder"``."""

    what: str


@dataclass(frozen=True)
class World:
    """The folder, what lies in it, and everything that a mutation may take from elsewhere."""

    folder: Path
    files: dict
    older: list
    other: dict
    fork: dict
    trusted: bytes
    head: str
    site: Path

    @property
    def lines(self):
        return self.files[LOG].splitlines()


def _files(folder):
    kept = (LOG, HEAD, *REPORTS)
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return {name: (folder / name).read_bytes() for name in names if name in kept or name.startswith("private/")}


def _run(folder, number, site):
    with EvidenceLog.open(folder, run_id=f"run {number}", site=site) as log:
        log.append("note", {"name": "Jürgen", "text": f"number {number}", "values": [number, 0.5, None, True]})
        log.put_private("cases", f"case\t{number}".encode(), media_type="text/tab-separated-values")
        files = {name: f"{name} of run {number}".encode() * 3 for name in REPORTS}
        log.add_report({name: sha256_hex(data) for name, data in files.items()})
        log.seal()
        for name, data in files.items():
            (folder / name).write_bytes(data)


def build(place):
    """Three runs, one writer that was cut off, a key that was replaced, and a site log that witnessed every head."""
    folder, site, older = place / "evidence", place / "site", []
    _run(folder, 1, site)
    trusted = load_or_create_key(folder).public
    older.append(_files(folder))
    log = EvidenceLog.open(folder, run_id="cut off", site=site)
    log.append("note", {"text": "not signed"})
    older.append(_files(folder))
    log.close()
    with (folder / LOG).open("ab") as file:
        file.write(b'{"body":{"half')
    older.append(_files(folder))
    _run(folder, 2, site)
    older.append(_files(folder))
    _run(place / "other", 4, None)
    rotate_key(key_home())
    fork = place / "fork"
    shutil.copytree(folder, fork)
    _run(fork, 9, None)
    _run(folder, 3, site)
    found = verify_evidence(folder, trusted=[trusted], site=site)
    assert (found.status, found.witness, found.repairs) == ("trusted", "same", 1)
    return World(
        folder=folder,
        files=_files(folder),
        older=older,
        other=_files(place / "other"),
        fork=_files(fork),
        trusted=trusted,
        head=found.head,
        site=site,
    )


def put(world, changes):
    """Change the folder on the disk; ``None`` removes."""
    for name, content in changes.items():
        path = world.folder / name
        _clear(path)
        if content is None:
            continue
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.what == "pipe":
            os.mkfifo(path)
        elif content.what == "private link":
            path.symlink_to(world.folder.parent / "fork" / "private")
        elif content.what == "folder":
            path.mkdir()
        else:
            twin = world.folder.parent / "twin"
            twin.write_bytes(world.files[name])
            path.symlink_to(twin)


def _clear(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def restore(world, changes):
    names = [name for name in world.files if name.startswith("private/")] if "private" in changes else []
    put(world, {name: world.files.get(name) for name in [*changes, *names]})
