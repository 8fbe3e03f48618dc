# SPDX-License-Identifier: Apache-2.0
"""Full disks and folders that cannot be written: one sentence, nothing acknowledged lost, and the log goes on."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from monai_ethics.errors import EthicsError, InputError, ProvenanceError
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


def mount(place, *options):
    """A file system of 256 KB; tests that need one are left out where this user may not mount."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=256k", *options]), "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        reason = "mounting a file system is not allowed here"
        print(f"\nleft out: {reason}")
        pytest.skip(reason)


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount(place)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def one_sentence(error, *places):
    text = str(error)
    assert "\n" not in text
    assert text.startswith("Expected ")
    assert not any(str(place) in text for place in places)


def fill(place, spare=0, *, name="filler"):
    """Take all free space but `spare` bytes."""
    free = shutil.disk_usage(place).free
    (place / name).write_bytes(b"\0" * max(free - spare, 0))


def until_full(log):
    told = []
    with pytest.raises(ProvenanceError, match="No space left on device") as caught:
        told.extend(log.append("note", {"number": number, "text": "x" * 700}) for number in range(10_000))
    return told, caught.value


def test_a_disk_that_fills_up_loses_nothing_acknowledged_and_the_log_goes_on(disk, key):
    folder = disk / "e"
    log = EvidenceLog.open(folder, run_id="r", key=key)
    told = [log.put_private("cases", b"x" * 100, media_type="text/plain")]
    fill(disk, spare=65_536)
    leaves, error = until_full(log)
    one_sentence(error, disk)
    log.close()
    assert len(leaves) > 20
    assert {entry.leaf for entry in read_entries(folder)} >= set(leaves)
    assert verify_evidence(folder).status == "torn"  # the last run is not sealed, and nothing is lost

    for number in range(3):  # no run can begin: it says so, and harms nothing
        with pytest.raises(EthicsError) as caught:
            EvidenceLog.open(folder, run_id=f"full-{number}", key=key)
        one_sentence(caught.value, disk)
        assert {entry.leaf for entry in read_entries(folder)} >= set(leaves)

    (disk / "filler").unlink()
    with EvidenceLog.open(folder, run_id="next", key=key) as log:
        log.append("note", {})
    entries = read_entries(folder)
    assert {entry.leaf for entry in entries} >= set(leaves)
    assert told[0] in {entry.body.get("commitment") for entry in entries}
    assert any(entry.kind == "repair" for entry in entries)
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"


def test_an_entry_of_which_half_fits_leaves_none(disk, key):
    folder = disk / "e"
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        fill(disk, spare=8_192)
        with pytest.raises(ProvenanceError, match="No space"):
            log.append_many([("note", {"text": "x" * 5_000})] * 4)
        assert all(line.endswith(b"\n") for line in (folder / "log.jsonl").read_bytes().splitlines(keepends=True))
    assert [entry for entry in read_entries(folder) if entry.kind == "note"] == []


def test_a_payload_and_a_head_that_do_not_fit_can_be_tried_again(disk, key):
    folder = disk / "e"
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        log.append("note", {})
        fill(disk, spare=20_000)
        with pytest.raises(InputError, match="No space left on device") as caught:
            log.put_private("cases", b"x" * 60_000, media_type="text/plain")
        one_sentence(caught.value, disk)
        assert os.listdir(folder / "private") == ["pseudonym.key"]  # nothing private stays
        fill(disk, name="rest")
        with pytest.raises(InputError, match="No space left on device") as caught:
            log.seal()
        one_sentence(caught.value, disk)
        (disk / "filler").unlink()
        (disk / "rest").unlink()
        log.put_private("cases", b"x" * 60_000, media_type="text/plain")
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"
    assert [name for name in os.listdir(folder) if name.endswith(".tmp")] == []


def test_a_new_log_on_a_full_disk_is_refused_and_begun_later(disk, key):
    fill(disk)
    with pytest.raises(EthicsError) as caught:
        EvidenceLog.open(disk / "e", run_id="r", key=key)
    one_sentence(caught.value, disk)
    (disk / "filler").unlink()
    with EvidenceLog.open(disk / "e", run_id="r", key=key) as log:
        log.append("note", {})
    assert verify_evidence(disk / "e", trusted=[key.public]).status == "trusted"


@pytest.mark.slow
def test_every_size_of_the_last_free_bytes_is_survived(disk, key):
    """Whatever part of opening, appending, a payload or sealing the space ends in, the next run goes on."""
    folder, tried = disk / "e", 0
    ended = set()
    for spare in range(0, 40_961, 1_024):  # the file system gives whole pages
        shutil.rmtree(folder, ignore_errors=True)
        with EvidenceLog.open(folder, run_id="first", key=key) as log:
            told = [log.append("note", {"first": True})]
        fill(disk, spare=spare)
        try:
            with EvidenceLog.open(folder, run_id="second", key=key) as log:
                told.extend(log.append("note", {"number": number, "text": "x" * 300}) for number in range(40))
                log.put_private("cases", b"x" * 5_000, media_type="text/plain")
            ended.add("whole")
        except EthicsError as error:
            one_sentence(error, disk)
            ended.add(type(error).__name__)
        tried += 1
        assert {entry.leaf for entry in read_entries(folder)} >= set(told)
        assert verify_evidence(folder, trusted=[key.public]).status in ("torn", "trusted")
        (disk / "filler").unlink()
        with EvidenceLog.open(folder, run_id="third", key=key) as log:
            log.append("note", {})
        assert {entry.leaf for entry in read_entries(folder)} >= set(told)
        assert verify_evidence(folder, trusted=[key.public]).status == "trusted"
    assert ended == {"InputError", "ProvenanceError", "whole"}
    print(f"\n{tried} amounts of free space: none lost an acknowledged entry, each log went on")


def test_a_read_only_disk_is_read_and_verified_and_refused_to_writers(disk, key, tmp_path):
    with EvidenceLog.open(disk / "e", run_id="r", key=key) as log:
        log.append("note", {})
    before = {path: path.stat().st_mtime_ns for path in disk.rglob("*")}
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(InputError, match="Read-only file system") as caught:
        EvidenceLog.open(disk / "e", run_id="s", key=key)
    one_sentence(caught.value, disk)
    assert verify_evidence(disk / "e", trusted=[key.public]).status == "trusted"
    assert len(read_entries(disk / "e")) == 5
    assert {path: path.stat().st_mtime_ns for path in disk.rglob("*")} == before


def test_a_folder_that_cannot_take_a_head_takes_no_entry(tmp_path, key, monkeypatch):
    with EvidenceLog.open(tmp_path / "e", run_id="a", key=key):
        pass
    before = (tmp_path / "e" / "log.jsonl").read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)  # its files may still be open to writing
    with pytest.raises(InputError, match="can be written: got 'Permission denied'"):
        EvidenceLog.open(tmp_path / "e", run_id="b", key=key)
    assert (tmp_path / "e" / "log.jsonl").read_bytes() == before


LIMITED = """
import resource, sys
from pathlib import Path
from monai_ethics.errors import EthicsError
from monai_ethics.provenance.log.writing.writer import EvidenceLog
log = EvidenceLog.open(Path(sys.argv[1]), run_id="r")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    while True:
        print(log.append("note", {"text": "x" * 700}), flush=True)
except EthicsError as error:
    print(error, file=sys.stderr)
try:
    log.append("note", {})
except EthicsError as error:
    print(error, file=sys.stderr)
log.close()
"""


@pytest.mark.parametrize("limit", [2_000, 5_001, 20_480])
def test_a_file_that_may_not_grow_ends_the_log_in_one_sentence(tmp_path, limit):
    folder = tmp_path / "e"
    done = subprocess.run([sys.executable, "-c", LIMITED, folder, str(limit)], capture_output=True, text=True)
    assert done.returncode == 0
    first, second = done.stderr.splitlines()
    assert first == ("Expected to append to the evidence log: got 'File too large'. Free space and start a new run.")
    assert second.startswith("Expected an open evidence log")
    told = set(done.stdout.split())
    assert {entry.leaf for entry in read_entries(folder)} >= told
    assert (folder / "log.jsonl").stat().st_size <= limit
    with EvidenceLog.open(folder, run_id="next") as log:
        log.append("note", {})
    assert {entry.leaf for entry in read_entries(folder)} >= told
    assert verify_evidence(folder).status == "intact-signer-unknown"


NOBODY = """
import os, sys
from pathlib import Path
from monai_ethics.errors import EthicsError
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
key = SigningKey.generate()
"".encode("utf-16be")  # loaded while the interpreter's own files can be read
if os.geteuid() == 0:  # to root, modes mean nothing
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1])
for place in (folder, folder / "new"):
    try:
        EvidenceLog.open(place, run_id="s", key=key)
    except EthicsError as error:
        print(type(error).__name__, error)
print(len(read_entries(folder)), verify_evidence(folder).problems)
"""


@pytest.fixture
def open_place():
    """A folder that every user may enter."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    for path in (place, *place.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(place)


def test_a_folder_without_permission_is_refused_in_one_sentence_and_can_be_read(open_place, key):
    folder = open_place / "e"
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        log.append("note", {})
    folder.chmod(0o555)
    (folder / ".lock").chmod(0o444)
    done = subprocess.run([sys.executable, "-c", NOBODY, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    refusal = (
        "InputError Expected an evidence folder that can be written: got 'Permission denied'. Choose another folder."
    )
    assert done.stdout.splitlines() == [refusal, refusal, "5 ()"]
    folder.chmod(0o755)
    (folder / ".lock").chmod(0o644)
    with EvidenceLog.open(folder, run_id="s", key=key):
        pass
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"
