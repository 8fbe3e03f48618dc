# SPDX-License-Identifier: Apache-2.0
"""What a killed writer left is removed by the next one, counted in the log; nothing else is touched."""

import os
import signal
import subprocess
import sys

import pytest

from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.reading.entries import read_entries, read_private
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing import resume as resume_module
from monai_ethics.provenance.log.writing import writer as log_module
from monai_ethics.provenance.log.writing.writer import EvidenceLog

DIGITS = "0123456789ab"
OTHERS = [
    ".head.json.0123456789ab.tmp~",
    ".head.json.0123456789AB.tmp",
    ".head.json.0123.tmp",
    "head.json.0123456789ab.tmp",
    "notes.txt",
    ".hidden",
]


def repairs(folder):
    return [entry.body for entry in read_entries(folder) if entry.kind == "repair"]


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_on_their_way_into_place_are_removed_and_counted(sealed, key):
    before = names(sealed)
    for place in (sealed, sealed / "private"):
        (place / f".head.json.{DIGITS}.tmp").write_bytes(b"half")
    (sealed / f".report.html.{DIGITS}.part").write_bytes(b"half")
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    assert repairs(sealed) == [{"truncated_bytes": 0, "unsealed_entries": 0, "leftover_files": 3}]
    assert names(sealed) == before
    with EvidenceLog.open(sealed, run_id="fourth", key=key):
        pass
    assert len(repairs(sealed)) == 1
    assert verify_evidence(sealed, trusted=[key.public]).status == "trusted"


def test_nothing_of_another_form_is_removed(sealed, key):
    for place in (sealed, sealed / "private"):
        for name in (*OTHERS, "ab" * 31 + ".bin", "AB" * 32 + ".bin", "ab" * 32 + ".bin.old", "ab" * 32):
            (place / name).write_bytes(b"of somebody")
        (place / f".folder.{DIGITS}.tmp").mkdir()
        (place / f".link.{DIGITS}.tmp").symlink_to(sealed / "notes.txt")
    (sealed / ("cd" * 32 + ".bin")).write_bytes(b"outside the private part")
    before = names(sealed)
    with (sealed / "log.jsonl").open("ab") as file:
        file.write(b"{")
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    assert names(sealed) == before
    assert repairs(sealed) == [{"truncated_bytes": 1, "unsealed_entries": 0}]


def test_a_payload_without_an_entry_is_removed_after_a_cut(tmp_path, key):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    kept = log.put_private("cases", b"kept", media_type="text/plain")
    log.close()
    orphan = tmp_path / "private" / ("ab" * 32 + ".bin")
    orphan.write_bytes(b"never acknowledged")
    assert verify_evidence(tmp_path).status == "torn"
    with EvidenceLog.open(tmp_path, run_id="s", key=key):
        pass
    assert not orphan.exists()
    assert read_payload(tmp_path, kept) == b"kept"
    assert repairs(tmp_path) == [{"truncated_bytes": 0, "unsealed_entries": 2, "orphan_payloads": 1}]


def test_a_payload_whose_entry_is_torn_is_removed(sealed, key):
    log = EvidenceLog.open(sealed, run_id="third", key=key)
    log.seal()
    lost = log.put_private("cases", b"x", media_type="text/plain")
    log.close()
    path = sealed / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    with EvidenceLog.open(sealed, run_id="fourth", key=key):
        pass
    assert repairs(sealed)[-1]["orphan_payloads"] == 1
    assert read_payload(sealed, lost) is None
    assert len(read_private(sealed, "cases")) == 2
    assert verify_evidence(sealed, trusted=[key.public]).status == "trusted"  # nothing is missing


def test_a_payload_beside_a_log_that_ends_with_its_head_is_let_be(sealed, key):
    """It may belong to a newer copy of this log: who puts an older one back shall not lose it."""
    newer = sealed / "private" / ("ab" * 32 + ".bin")
    newer.write_bytes(b"of a newer copy")
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    assert newer.exists()
    assert repairs(sealed) == []


def test_no_payload_is_written_while_the_head_covers_the_whole_log(tmp_path, key, monkeypatch):
    seen = []

    def write(path, data, real=log_module.write_atomically, **how):
        if path.suffix == ".bin":
            seen.append(len(read_entries(tmp_path)) > log._head.size)
        real(path, data, **how)

    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        monkeypatch.setattr(log_module, "write_atomically", write)
        for _ in range(3):
            log.put_private("cases", b"x", media_type="text/plain")
            log.seal()
    assert seen == [True] * 3
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize("resumable", [True, False])
def test_a_large_log_is_searched_for_orphans_after_a_cut_only(tmp_path, key, monkeypatch, resumable):
    monkeypatch.setattr(resume_module, "RESUME_FROM", 5 if resumable else 10**9)
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        kept = [log.put_private("cases", b"x", media_type="text/plain") for _ in range(6)]
    asked = []

    def listing(folder, real=log_module.private_files):
        asked.append(folder)
        return real(folder)

    monkeypatch.setattr(log_module, "private_files", listing)
    log = EvidenceLog.open(tmp_path, run_id="s", key=key)
    assert len(asked) == (not resumable)
    log.append("note", {})
    log.close()  # as if it had been killed
    (tmp_path / "private" / ("ab" * 32 + ".bin")).write_bytes(b"never acknowledged")
    with EvidenceLog.open(tmp_path, run_id="t", key=key):
        pass
    assert len(asked) == 1 + (not resumable)
    assert repairs(tmp_path)[-1]["orphan_payloads"] == 1
    assert all(read_payload(tmp_path, commitment) for commitment in kept)
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


KILLED = """
import os, signal, sys
from pathlib import Path
from monai_ethics.provenance.log.files import storage
from monai_ethics.provenance.log.writing.writer import EvidenceLog
log = EvidenceLog.open(Path(sys.argv[1]), run_id="r")
print(log.put_private("cases", b"acknowledged", media_type="text/plain"), flush=True)
log.seal()
calls = 0
def fsync(handle, real=os.fsync):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(handle)
os.fsync = fsync
log.put_private("cases", b"not acknowledged", media_type="text/plain")
print("done", flush=True)
"""


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_writer_killed_at_any_sync_of_a_payload_leaves_nothing_private_behind(tmp_path, call):
    folder = tmp_path / "e"
    found = subprocess.run([sys.executable, "-c", KILLED, folder, str(call)], stdout=subprocess.PIPE, text=True)
    assert found.returncode == -signal.SIGKILL
    (kept,) = found.stdout.split()
    left = set(os.listdir(folder / "private"))
    with EvidenceLog.open(folder, run_id="next"):
        pass
    entries = read_entries(folder)
    named = {entry.body["commitment"] for entry in entries if entry.kind == "payload"}
    assert kept in named
    assert set(os.listdir(folder / "private")) == {"pseudonym.key", *(f"{name}.bin" for name in named)}
    if call in (2, 3):  # the file was on its way, or there without an entry
        assert len(left) == 3
        (repair,) = repairs(folder)
        assert repair["leftover_files" if call == 2 else "orphan_payloads"] == 1
    assert verify_evidence(folder).status == "intact-signer-unknown"
