# SPDX-License-Identifier: Apache-2.0
"""What must hold on a disk after a crash: before repair, while the next run opens it, and after that run closed it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from crash_story import EVIDENCE, HOME, REPORT, SITE, Promises

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import Signer
from monai_ethics.provenance.keys.rotation import read_chain
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, read_payload
from monai_ethics.provenance.log.reading.entries import LOG_NAME, read_entries
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.sealed import seal_report

BEFORE = ("trusted", "torn", "redacted")
AFTER = ("trusted", "redacted")
SEEN: Counter[str] = Counter()  # statuses before repair, and what was repaired, over all disks that were judged


def faults(root: Path, said: Promises, at: int) -> list[str]:
    """What is wrong with a disk on which the first `at` operations may have left their traces; repairs it on the way.

    Args:
        root: the materialized disk.
        said: what the library had said.
        at: the last operation before the crash.
    """
    promised = [public for when, public in said.keys if when <= at]
    home = root / HOME
    home.parent.mkdir(parents=True, exist_ok=True)
    os.environ["MONAI_ETHICS_KEY_HOME"] = str(home)  # where a log that is opened looks for endorsements
    key = load_or_create_key(root / EVIDENCE, home=home)
    found = [] if not promised or _follows(home, promised[-1], key.public) else ["the key is lost"]
    trusted = [*promised, *said.replaced, key.public]
    found += list(_spilled(root, said, at)) + list(_reports(root / EVIDENCE, said, at))
    for where in (EVIDENCE, SITE):
        try:
            found += [f"{where}: {fault}" for fault in _log(root, where, said, at=at, key=key, trusted=trusted)]
        except ProvenanceError as error:
            found.append(f"{where}: {error}")
    if not found:
        witnessed = verify_evidence(root / EVIDENCE, trusted=trusted, site=root / SITE)
        found += [f"with the site log: {witnessed.text}"] if witnessed.status not in AFTER else []
        rotation = said.rotations[0] if said.rotations else at
        if any(where == EVIDENCE and when <= min(at, rotation) for when, where, _ in said.heads):
            chained = verify_evidence(root / EVIDENCE, trusted=promised[:1])  # later keys by the word of the first
            found += [f"by the first key: {chained.text}"] if chained.status not in AFTER else []
    return found


def _follows(home: Path, promised: bytes, present: bytes) -> bool:
    """Whether a key is the promised one, or the one that a rotation which did not return yet put in its place."""
    links = [link for link in read_chain(home) if link.previous == promised.hex()]
    return present.hex() in (promised.hex(), *(link.public_key for link in links))


def _log(root: Path, where: str, said: Promises, *, at: int, key: Signer, trusted: list[bytes]) -> Iterator[str]:
    folder = root / where
    entries = {entry for when, place, entry in said.entries if place == where and when <= at}
    heads = [head for when, place, head in said.heads if place == where and when <= at]
    if not (folder / LOG_NAME).exists():
        if entries or heads:
            yield "the log is lost"
            return
    else:
        before = verify_evidence(folder, trusted=trusted)
        SEEN[before.status] += 1
        if before.status not in BEFORE:
            yield f"before repair: {before.status}: {before.problems}"
    yield from _kept(folder, where, said, at=at, entries=entries, heads=heads)
    try:
        with EvidenceLog.open(folder, run_id="next", key=key) as log:
            log.append("note", {"after": "the crash"})
            names = {name for when, place, name in said.names if place == where and when <= at}
            if names - {log.pseudonym("patient", "p")}:
                yield "the pseudonym key is lost"
            log.seal()
            if any("report." in words for words in verify_evidence(folder).notes):
                seal_report(log, REPORT)
    except (InputError, ProvenanceError) as error:
        yield f"cannot be opened: {error}"
        return
    after = verify_evidence(folder, trusted=trusted)
    if after.status not in AFTER:
        yield f"after repair: {after.status}: {after.problems + after.notes}"
    yield from _kept(folder, where, said, at=at, entries=entries, heads=heads)
    for path in [*folder.glob(".*.tmp"), *(folder / PRIVATE_NAME).rglob("*.tmp")]:
        yield f"left behind: {path.name[-20:]}"
    yield from _finished(folder)
    _count_repairs(folder)


def _count_repairs(folder: Path) -> None:
    entries = read_entries(folder)
    for entry in entries:
        if entry.kind == "repair" and entry.run_id == entries[-1].run_id:
            SEEN.update(f"repaired {name}" for name, value in entry.body.items() if value)


def _kept(folder: Path, where: str, said: Promises, *, at: int, entries: set[str], heads: list[str]) -> Iterator[str]:
    if not (folder / LOG_NAME).exists():
        return
    lost = entries - {entry.leaf for entry in read_entries(folder)}
    if lost:
        yield f"{len(lost)} of {len(entries)} acknowledged entries are lost"
    for head in heads[-1:] + heads[:1]:
        if verify_evidence(folder, expect_head=head).expected_head not in ("same", "contained"):
            yield "a head that was given out is lost"
    for when, place, commitment, payload in said.payloads:
        due = place == where and when <= at and said.erasing.get(commitment, at) >= at
        if due and read_payload(folder, commitment) != payload:
            yield "an acknowledged payload is lost"


def _finished(folder: Path) -> Iterator[str]:
    """Whatever the log says is erased is erased, once the next run had the folder."""
    for entry in read_entries(folder):
        if entry.kind == "erasure":
            for commitment in entry.body["commitments"]:
                if read_payload(folder, commitment) is not None:
                    yield "an erasure was cut off and not finished"


def _spilled(root: Path, said: Promises, at: int) -> Iterator[str]:
    """Bytes whose destruction was acknowledged, under whatever name."""
    gone = {secret for when, secret in said.gone if when <= at}
    for path in root.rglob("*"):
        if gone and path.is_file() and path.read_bytes() in gone:
            yield f"destroyed bytes are still there: {path.name[-20:]}"


def _reports(folder: Path, said: Promises, at: int) -> Iterator[str]:
    done = [digests for _, when, digests in said.reports if when <= at]
    if done:
        later = [digests for begun, when, digests in said.reports if begun < at < when]
        for name, digest in done[-1].items():
            present = sha256_hex((folder / name).read_bytes()) if (folder / name).exists() else None
            if present not in {digest, *(digests[name] for digests in later)}:
                yield f"{name} of an acknowledged report is lost"
