# SPDX-License-Identifier: Apache-2.0
"""Power cuts: at every point of a scripted life, whatever was not synced may be gone, and nothing promised is lost."""

import os
import random
import shutil
from pathlib import Path

import pytest
from crash_disk import DATA_ONLY, EVERYTHING, NAMES_ONLY, NOTHING, Disk, Drawn, materialize, real_state
from crash_judge import SEEN, faults
from crash_layer import Recorder
from crash_story import HOME, go_on, plain_render, tell

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.lineage import show
from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing import resume, writer
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting import sealed

STATES = (NOTHING, EVERYTHING, NAMES_ONLY, DATA_ONLY)


@pytest.fixture(autouse=True)
def quick_reports(monkeypatch):
    monkeypatch.setattr(sealed, "render", plain_render)
    monkeypatch.setattr(show, "sketch_of", lambda folder: None)


@pytest.fixture
def told(tmp_path, monkeypatch):
    """`told(...)` tells the story in a new folder, with salts and names of temporary files drawn from one seed."""
    made = []

    def start(**settings):
        root = tmp_path / f"live-{len(made)}"
        root.mkdir()
        made.append(root)
        monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(root / HOME))
        with monkeypatch.context() as patch:
            patch.setattr(os, "urandom", random.Random(len(made)).randbytes)
            return tell(root, **settings)

    return start


@pytest.fixture
def judged(tmp_path):
    """`judged(said, at, state)` gives the faults of a disk; equal disks after equal promises are judged once."""
    known = {}

    def judge(said, at, state):
        promised = sum(item[0] <= at for item in [*said.entries, *said.heads, *said.payloads, *said.gone, *said.keys])
        done = sum(when <= at for _, when, _ in said.reports), sum(when < at for when in said.erasing.values())
        key = hash((tuple(state.items()), promised, done, id(said)))
        if key not in known:
            place = tmp_path / "disk"
            materialize(state, place)
            known[key] = faults(place, said, at)
            shutil.rmtree(place)
        return known[key]

    judge.known = known
    SEEN.clear()
    return judge


def _points(said):
    """Number of operations so far and the disk after them."""
    disk = Disk()
    for at, op in enumerate(said.recorder.journal, start=1):
        disk.apply(op)
        yield at, disk


def _disk(said, at):
    disk = Disk()
    for op in said.recorder.journal[:at]:
        disk.apply(op)
    return disk


# the layer itself -----------------------------------------------------------------------------------------------------


def test_nothing_of_the_story_is_written_past_the_layer(told):
    said = told()
    recorded = _disk(said, said.recorder.now).state(EVERYTHING)
    real = real_state(Path(said.recorder.root))
    real.pop(f"{HOME}/.lock")  # opened by name; an empty file that nothing depends on
    assert {path: found and found[0] for path, found in recorded.items()} == real


def test_the_layer_knows_what_is_durable(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    recorder = Recorder(tmp_path)
    with recorder.recording():
        handle = os.open(tmp_path / "new", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(handle, b"abc")
        os.fsync(handle)
        os.write(handle, b"def")
        os.close(handle)
        os.replace(tmp_path / "old", tmp_path / "other")
    disk = Disk()
    for op in recorder.journal:
        disk.apply(op)
    assert disk.state(NOTHING) == {"old": (b"old", 0o644)}
    assert disk.state(NAMES_ONLY) == {"new": (b"abc", 0o600), "other": (b"old", 0o644)}
    assert disk.state(EVERYTHING) == {"new": (b"abcdef", 0o600), "other": (b"old", 0o644)}
    drawn = [disk.state(Drawn(random.Random(seed))) for seed in range(300)]
    contents = {state["new"][0] for state in drawn if "new" in state}
    assert {b"abc", b"abcd", b"abc\0\0\0", b"abcdef"} <= contents
    assert {"old", "other"} in [set(state) - {"new"} for state in drawn]


def test_a_killed_process_does_nothing_more(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.kill_at = recorder.now + 2
    with recorder.recording():
        try:
            os.mkdir(tmp_path / "a")
            os.mkdir(tmp_path / "b")
        finally:
            os.rmdir(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("deaf", ["files", "folders"])
def test_a_writer_that_does_not_sync_is_caught(told, judged, deaf):
    said = told(deaf=deaf, threads=False)
    found = judged(said, said.recorder.now, _disk(said, said.recorder.now).state(NOTHING))
    assert any("lost" in fault for fault in found)


# power cuts -----------------------------------------------------------------------------------------------------------


def _told_of(what, judged):
    counts = ", ".join(f"{name} {count}" for name, count in sorted(SEEN.items()))
    print(f"\n{what}: {len(judged.known)} different disks; {counts}")


def test_no_power_cut_at_some_points_loses_what_was_promised(told, judged):
    said = told(threads=False)
    points = list(range(9, said.recorder.now + 1, 25))
    assert [(at, judged(said, at, _disk(said, at).state(NOTHING))) for at in points] == [(at, []) for at in points]


@pytest.mark.slow
def test_no_power_cut_at_any_point_loses_what_was_promised(told, judged):
    said, found = told(), {}
    for at, disk in _points(said):
        for number, survival in enumerate(STATES):
            wrong = judged(said, at, disk.state(survival))
            if wrong:
                found[at, number] = wrong
    _told_of(f"power cut after each of {said.recorder.now} operations, {len(STATES)} states each", judged)
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("resume_from", [resume.RESUME_FROM, 5], ids=["read whole", "opened at the end"])
def test_no_power_cut_at_random_loses_what_was_promised(told, judged, monkeypatch, resume_from):
    monkeypatch.setattr(resume, "RESUME_FROM", resume_from)
    said, found = told(), {}
    writes = [at for at, op in enumerate(said.recorder.journal, start=1) if op.kind == "write"]
    for seed in range(500):
        dice = random.Random(seed)
        at = dice.choice(writes) if seed % 2 else dice.randint(1, said.recorder.now)
        wrong = judged(said, at, _disk(said, at).state(Drawn(dice)))
        if wrong:
            found[seed, at] = wrong
    _told_of("500 random power cuts", judged)
    assert found == {}


@pytest.mark.slow
def test_no_power_cut_after_a_kill_loses_what_was_promised(told, judged):
    """The process is killed, another one goes on from what it sees, and then the power fails."""
    found, journal = {}, told(threads=False).recorder.journal
    unsynced = [at for at, op in enumerate(journal) if op.kind == "sync" and at > 1]  # killed before that sync
    for seed in range(50):
        dice = random.Random(seed)
        killed = dice.choice(unsynced) if seed % 2 else dice.randint(1, len(journal))
        said = told(threads=False, kill_at=killed)
        for number in range(4):
            at = dice.randint(killed, min(said.recorder.now, killed + 60) if number % 2 else said.recorder.now)
            wrong = judged(said, at, _disk(said, at).state(dice.choice((NOTHING, Drawn(dice)))))
            if wrong:
                found[seed, killed, at] = wrong
    _told_of("50 kills with 4 random power cuts later each", judged)
    assert found == {}


@pytest.mark.slow
def test_no_power_cut_while_a_crash_is_repaired_loses_what_was_promised(told, judged, tmp_path, monkeypatch):
    first, found = told(), {}
    for seed in range(50):
        dice = random.Random(seed)
        at, root = dice.randint(1, first.recorder.now), tmp_path / f"again-{seed}"
        materialize(_disk(first, at).state(Drawn(dice)), root)
        monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(root / HOME))
        said = go_on(root, first, at)
        for _ in range(4):
            later = dice.randint(said.recorder.start, said.recorder.now)
            wrong = judged(said, later, _disk(said, later).state(Drawn(dice)))
            if wrong:
                found[seed, at, later] = wrong
    _told_of("50 random power cuts with 4 more while the next run repairs", judged)
    assert found == {}


# what was found this way ----------------------------------------------------------------------------------------------


def test_an_erasure_that_was_cut_off_is_told_and_finished_by_the_next_run(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        commitment = log.put_private("cases", b"a", media_type="text/plain")
        log.append("erasure", {"commitments": [commitment], "reason": "withdrawal"})
    found = verify_evidence(tmp_path, trusted=[key.public])
    assert (found.status, "1 erased payload is still there" in found.text) == ("torn", True)
    EvidenceLog.open(tmp_path, run_id="s", key=key).close()
    assert read_payload(tmp_path, commitment) is None


def test_what_is_no_commitment_is_erased_nowhere(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log, pytest.raises(ProvenanceError, match="64 hex digits"):
        log.erase(["../head"], reason="withdrawal")
    with EvidenceLog.open(tmp_path, run_id="s", key=key):
        pass
    assert verify_evidence(tmp_path).intact


def test_a_second_name_of_erased_bytes_goes_with_them(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        commitment = log.put_private("cases", b"a", media_type="text/plain")
        stored = tmp_path / "private" / f"{commitment}.bin"
        os.link(stored, tmp_path / "private" / f".{stored.name}.0123456789ab.tmp")  # cut off between link and unlink
        log.erase([commitment], reason="withdrawal")
        assert [path.name for path in (tmp_path / "private").iterdir()] == ["pseudonym.key"]


@pytest.mark.parametrize("zeros", [(0, 16), (40, 900), (300, 300), (100, 2_500_000)])
def test_blocks_that_a_power_cut_left_empty_end_the_log(tmp_path, key, zeros):
    first, count = zeros
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        kept = log.append("note", {})
        log.seal()
    sealed_end = (tmp_path / "log.jsonl").stat().st_size
    with EvidenceLog.open(tmp_path, run_id="s", key=key) as log:
        log.append_many([("note", {"n": n}) for n in range(20)])
        log.close()
    data = bytearray((tmp_path / "log.jsonl").read_bytes())
    data[sealed_end + first : sealed_end + first + min(count, 900)] = bytes(count)
    (tmp_path / "log.jsonl").write_bytes(data)
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "torn"
    with EvidenceLog.open(tmp_path, run_id="t", key=key) as log:
        pass
    entries = read_entries(tmp_path)
    assert kept in {entry.leaf for entry in entries}
    assert [entry.body["truncated_bytes"] for entry in entries if entry.kind == "repair"][-1] > count
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize("zeros", [(0, 5), (0, 100), (3, 50), (100, 400)])
def test_blocks_that_are_empty_at_the_very_beginning_are_no_other_file(tmp_path, key, zeros):
    EvidenceLog.open(tmp_path, run_id="r", key=key).close()
    (tmp_path / "head.json").unlink()
    (tmp_path / "private" / "pseudonym.key").unlink()  # written once the first lines are on the disk
    data = bytearray((tmp_path / "log.jsonl").read_bytes())
    data[zeros[0] : zeros[1]] = bytes(zeros[1] - zeros[0])
    (tmp_path / "log.jsonl").write_bytes(data)
    assert verify_evidence(tmp_path).status == "torn"
    EvidenceLog.open(tmp_path, run_id="r", key=key).close()
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


def test_zeros_in_what_is_signed_are_an_alteration(sealed, key):
    data = (sealed / "log.jsonl").read_bytes()
    (sealed / "log.jsonl").write_bytes(data[:100] + bytes(16) + data[116:])
    assert verify_evidence(sealed).status == "altered"
    with pytest.raises(ProvenanceError, match="altered"):
        EvidenceLog.open(sealed, run_id="third", key=key)


def test_a_first_opening_that_is_cut_off_again_and_again_is_taken_up(tmp_path, key, monkeypatch):
    def refuse(*_, **__):
        raise OSError(5, "Input/output error")

    for number in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(writer, "sign_head", refuse)
            with pytest.raises(OSError, match="Input/output"):
                EvidenceLog.open(tmp_path, run_id="r", key=key)
        assert verify_evidence(tmp_path).status == "torn", number
    with EvidenceLog.open(tmp_path, run_id="r", key=key):
        pass
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"
    assert read_entries(tmp_path)[0].kind == "open"


def test_a_log_without_a_head_that_holds_more_than_its_opening_is_refused(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("note", {})
    (tmp_path / "head.json").unlink()
    assert verify_evidence(tmp_path).status == "altered"
    with pytest.raises(ProvenanceError, match="signed head beside the log"):
        EvidenceLog.open(tmp_path, run_id="s", key=key)
