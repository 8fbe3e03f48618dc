# SPDX-License-Identifier: Apache-2.0
"""A life of an evidence folder and a site log, told step by step; and what of it must outlive a crash."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash_layer import Recorder

from monai_ethics.evidence import EvidenceReport, Finding, Stage, Verdict
from monai_ethics.provenance.consent.registry import UNKNOWN, ConsentRegistry, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.consent.subjects import SALTS_NAME
from monai_ethics.provenance.keys.home import PRIVATE_NAME as PRIVATE_KEY
from monai_ethics.provenance.keys.rotation import rotate_key
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, payload_path
from monai_ethics.provenance.log.tree.canonical import sha256_hex
from monai_ethics.provenance.log.writing.site import open_site
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.sealed import seal_report

EVIDENCE, SITE, HOME = "study/run/evidence", "site", "config/keys"
FINDING = Finding(
    check="a.b", title="t", stage=Stage.TRAINING, verdict=Verdict.MEASURED, statement="s", accounting={"cases": 3}
)
REPORT = EvidenceReport(created="2026-01-02T03:04:05Z", tool="t", environment={}, inputs={}, findings=[])


@dataclass
class Promises:
    """What the library said is done, and after how many operations it said so.

    Args:
        recorder: counts the operations.
    """

    recorder: Recorder
    entries: list[tuple[int, str, str]] = field(default_factory=list)
    payloads: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    heads: list[tuple[int, str, str]] = field(default_factory=list)
    erasing: dict[str, int] = field(default_factory=dict)  # commitment to when erasing began
    gone: list[tuple[int, bytes]] = field(default_factory=list)  # bytes that may be nowhere
    reports: list[tuple[int, int, dict[str, str]]] = field(default_factory=list)  # begun, done, digests
    keys: list[tuple[int, bytes]] = field(default_factory=list)
    rotations: list[int] = field(default_factory=list)
    replaced: list[bytes] = field(default_factory=list)  # public keys
    names: list[tuple[int, str, str]] = field(default_factory=list)  # a pseudonym

    @property
    def _root(self) -> Path:
        return Path(self.recorder.root)

    def add(self, where: str, ids: list[str]) -> None:
        self.entries += [(self.recorder.now, where, entry) for entry in ids]

    def seal(self, where: str, log: EvidenceLog) -> None:
        head = log.seal()
        self.keys.append((self.recorder.now, bytes.fromhex(head.public_key)))
        self.heads.append((self.recorder.now, where, head.fingerprint))

    def name(self, where: str, log: EvidenceLog) -> None:
        self.names.append((self.recorder.now, where, log.pseudonym("patient", "p")))

    def put(self, where: str, log: EvidenceLog, payload: bytes) -> None:
        commitment = log.put_private("cases", payload, media_type="text/plain")
        self.payloads.append((self.recorder.now, where, commitment, payload))

    def erase(self, where: str, log: EvidenceLog) -> None:
        kept = [found[2] for found in self.payloads if found[1] == where and found[2] not in self.erasing]
        if kept:
            stored = payload_path(self._root / where, kept[0]).read_bytes()
            self.erasing[kept[0]] = self.recorder.now
            log.erase(kept[:1], reason="withdrawal")
            self.gone.append((self.recorder.now, stored))

    def report(self, log: EvidenceLog) -> None:
        begun = self.recorder.now
        seal_report(log, REPORT)
        files = sorted(log.folder.glob("report.*"))
        self.reports.append((begun, self.recorder.now, {path.name: sha256_hex(path.read_bytes()) for path in files}))

    def salts(self) -> Iterator[bytes]:
        folder = self._root / SITE / PRIVATE_NAME / SALTS_NAME
        yield from (path.read_bytes() for path in sorted(folder.glob("*.salt"))) if folder.is_dir() else ()


def _create(root: Path, said: Promises) -> None:
    with EvidenceLog.open(root / EVIDENCE, run_id="first", site=root / SITE) as log:
        said.name(EVIDENCE, log)
        said.add(EVIDENCE, [log.append("note", {"n": 1})])
        said.add(EVIDENCE, log.append_many([("note", {"n": n}) for n in range(3)]))
        said.put(EVIDENCE, log, b"case\tage\n")
        said.seal(EVIDENCE, log)
        log.add_findings([FINDING])
        said.report(log)
        said.seal(EVIDENCE, log)


def _cut_off(root: Path, said: Promises) -> None:
    log = EvidenceLog.open(root / EVIDENCE, run_id="second")
    said.name(EVIDENCE, log)
    said.add(EVIDENCE, [log.append("note", {"n": 2})])
    said.put(EVIDENCE, log, b"case\tsex\n")
    log.close()
    handle = os.open(root / EVIDENCE / "log.jsonl", os.O_WRONLY | os.O_APPEND)
    os.write(handle, b'{"body":{"n":3},"ki')
    os.close(handle)


def _repair(root: Path, said: Promises) -> None:
    with EvidenceLog.open(root / EVIDENCE, run_id="third", site=root / SITE) as log:
        said.erase(EVIDENCE, log)
        said.add(EVIDENCE, log.append_many([("note", {"n": n, "text": "x" * 1500}) for n in range(8)]))
        said.seal(EVIDENCE, log)


def _new_key(root: Path, said: Promises) -> None:
    before = (root / HOME / PRIVATE_KEY).read_bytes()
    link = rotate_key(root / HOME)
    said.replaced.append(bytes.fromhex(link.previous))
    said.gone.append((said.recorder.now, before))
    said.rotations.append(said.recorder.now)
    said.keys.append((said.recorder.now, bytes.fromhex(link.public_key)))


def _threads(root: Path, said: Promises) -> None:
    with EvidenceLog.open(root / EVIDENCE, run_id="fourth") as log:

        def work() -> None:
            for n in range(3):
                said.add(EVIDENCE, [log.append("note", {"n": n})])

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        said.report(log)
        said.seal(EVIDENCE, log)


def _site(root: Path, said: Promises) -> None:
    registry, person = ConsentRegistry(root / SITE), Person(patient_id="p", issuer="i")
    wills = [Will(person=who, consent=Consent(subject=UNKNOWN, purposes=("training",))) for who in _people()]
    said.add(SITE, registry.record(wills))
    said.add(SITE, [registry.withdraw(person)[0]])
    before = set(said.salts())
    registry.erase(person)
    said.gone += [(said.recorder.now, salt) for salt in sorted(before - set(said.salts()))]
    with open_site(root / SITE) as log:
        said.name(SITE, log)
        said.put(SITE, log, b"why")
        said.erase(SITE, log)
        said.seal(SITE, log)


def _people() -> tuple[Person, ...]:
    return Person(patient_id="p", issuer="i"), Person(patient_id="q")


CHAPTERS: tuple[Callable[[Path, Promises], None], ...] = (_create, _cut_off, _new_key, _repair, _site, _threads)


def tell(root: Path, *, deaf: str = "", kill_at: int | None = None, threads: bool = True) -> Promises:
    """Tell the story in a folder; with `kill_at` the process of that moment dies, and the next chapter is another's.

    The key home of the environment must be `HOME` of the folder.
    """
    recorder = Recorder(root, deaf=deaf)
    recorder.kill_at = kill_at
    said = Promises(recorder)
    for chapter in CHAPTERS if threads else CHAPTERS[:-1]:
        with recorder.recording():
            chapter(root, said)
        if kill_at is not None and recorder.now >= kill_at:
            recorder.kill_at = None
    return said


def go_on(root: Path, before: Promises, at: int) -> Promises:
    """The run after a crash, recorded: what was promised until operation `at` of the story before stays promised."""
    recorder = Recorder(root)
    said = Promises(recorder)
    for name in ("entries", "payloads", "heads", "gone", "keys", "names"):
        getattr(said, name).extend((0, *item[1:]) for item in getattr(before, name) if item[0] <= at)
    said.replaced.extend(before.replaced)
    said.rotations.extend(0 for when in before.rotations if when <= at)
    said.erasing.update({commitment: -1 for commitment, begun in before.erasing.items() if begun < at})
    with recorder.recording():
        _repair(root, said)
        with open_site(root / SITE) as log:
            said.put(SITE, log, b"later")
            said.seal(SITE, log)
    return said


def plain_render(report: EvidenceReport, *, integrity: Mapping[str, Any], **more: object) -> dict[str, bytes]:
    """Stands for `render`, which takes long and matters here only by the bytes that it gives."""
    said = f"{len(report.findings)} {integrity['head']} {integrity['status']} {len(more)}"
    return {name: f"{name} {said}".encode() for name in ("report.html", "report.json", "report.md")}
