# SPDX-License-Identifier: Apache-2.0
"""The resume file of a large log: used only where all of it fits what is signed, and never needed."""

import json
import os
import shutil
import subprocess
import sys
from random import Random

import pytest

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.reading.entries import iter_entries, read_entries, read_private, read_report
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing import resume as resume_module
from monai_ethics.provenance.log.writing.resume import RESUME_NAME, inspect_log
from monai_ethics.provenance.log.writing.runs import MOST_RANGES, RunNames
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture(autouse=True)
def small_logs_are_large(monkeypatch):
    monkeypatch.setattr(resume_module, "RESUME_FROM", 5)


@pytest.fixture
def folder(tmp_path, key, clock):
    """A log of two runs whose last writer left a resume file."""
    for run in ("first", "first"):
        with EvidenceLog.open(tmp_path / "e", run_id=run, key=key, clock=clock) as log:
            log.append_many([("note", {"number": number}) for number in range(9)])
            log.put_private("cases", run.encode(), media_type="text/plain")
    return tmp_path / "e"


def count_lines(monkeypatch):
    read = []

    def counted(line, seq, real=resume_module.parse_entry):
        read.append(seq)
        return real(line, seq)

    monkeypatch.setattr(resume_module, "parse_entry", counted)
    return read


def test_a_log_that_was_closed_in_order_is_not_read_again(folder, key, monkeypatch):
    slow = inspect_log_without(folder)
    read = count_lines(monkeypatch)
    fast = inspect_log(folder)
    assert (read, fast.whole, slow.whole) == ([], False, True)
    for name in ("head", "end", "torn", "log_id", "public_key", "key_id"):
        assert getattr(fast, name) == getattr(slow, name)
    assert fast.frontier.peaks == slow.frontier.peaks
    assert fast.runs.to_dict() == slow.runs.to_dict() == {"first": [[1, 2]]}
    with EvidenceLog.open(folder, run_id="first", key=key) as log:
        assert log.run_id == "first-3"
        log.append("note", {"number": 9})
    assert read == []
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"
    assert [entry.kind for entry in read_entries(folder)][-2:] == ["open", "note"]  # neither key is announced again


def inspect_log_without(folder):
    path = folder / RESUME_NAME
    data = path.read_bytes()
    path.unlink()
    try:
        return inspect_log(folder)
    finally:
        path.write_bytes(data)


def test_small_logs_get_no_resume_file(tmp_path, key, monkeypatch):
    monkeypatch.setattr(resume_module, "RESUME_FROM", 20_000)
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("note", {})
    assert not (tmp_path / RESUME_NAME).exists()


def test_the_resume_file_is_no_evidence_and_stays_out_of_version_control(folder, key):
    assert (folder / RESUME_NAME).stat().st_mode & 0o777 == 0o644
    assert RESUME_NAME in (folder / ".gitignore").read_text().split()
    before = verify_evidence(folder, trusted=[key.public])
    (folder / RESUME_NAME).unlink()
    assert verify_evidence(folder, trusted=[key.public]) == before
    (folder / ".gitignore").write_bytes(b"private/\n.lock\nindex.sqlite*\n")  # as an older version left it
    with EvidenceLog.open(folder, run_id="r", key=key):
        pass
    assert RESUME_NAME in (folder / ".gitignore").read_text().split()
    assert (folder / RESUME_NAME).exists()
    (folder / ".gitignore").write_bytes(b"mine\n")
    EvidenceLog.open(folder, run_id="r", key=key).close()
    assert (folder / ".gitignore").read_bytes() == b"mine\n"


def rewritten(folder, key, **changes):
    body = json.loads((folder / RESUME_NAME).read_bytes())
    body.pop("signature")
    body.update(changes)
    signature = key.sign(resume_module._message(body)).hex()
    (folder / RESUME_NAME).write_bytes(canonical({**body, "signature": signature}))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 1},
        {"size": -3},
        {"size": "many"},
        {"end": 10},
        {"end": 10**9},
        {"peaks": []},
        {"peaks": ["00" * 32]},
        {"peaks": None},
        {"runs": [1]},
        {"runs": {"a": [[1]]}},
        {"schema": "monai_ethics.resume/2"},
        {"more": 1},
    ],
)
def test_a_resume_file_that_does_not_fit_is_not_used(folder, key, changes, monkeypatch):
    rewritten(folder, key, **changes)
    read = count_lines(monkeypatch)
    assert inspect_log(folder).whole
    assert len(read) == len(read_entries(folder))


def test_a_resume_file_of_another_key_is_not_used(folder):
    rewritten(folder, SigningKey.generate(), runs={})
    assert inspect_log(folder).whole
    with EvidenceLog.open(folder, run_id="first") as log:
        assert log.run_id == "first-3"


def test_no_damage_to_the_resume_file_is_believed(folder, key):
    whole, random = (folder / RESUME_NAME).read_bytes(), Random(6)
    true = inspect_log_without(folder)
    for _ in range(100):
        data = bytearray(whole)
        if random.random() < 0.3:
            del data[random.randrange(len(data)) :]
        else:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        (folder / RESUME_NAME).write_bytes(data)
        found = inspect_log(folder)
        assert found.whole or bytes(data) == whole
        assert (found.end, found.frontier.peaks, found.runs.to_dict()) == (
            true.end,
            true.frontier.peaks,
            true.runs.to_dict(),
        )


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_lies_in_its_place_is_not_used(folder, kind, tmp_path):
    path = folder / RESUME_NAME
    path.rename(tmp_path / "elsewhere")
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)
    assert inspect_log(folder).whole
    with EvidenceLog.open(folder, run_id="r") as log:
        log.append("note", {})
    assert verify_evidence(folder).intact


def test_an_older_resume_file_beside_a_newer_log_is_not_used(folder, key):
    shutil.copy(folder / RESUME_NAME, folder.parent / "old")
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        log.append("note", {})
    shutil.copy(folder.parent / "old", folder / RESUME_NAME)
    assert inspect_log(folder).whole


@pytest.mark.parametrize("tail", [b"x", b'{"half":', b"\n"])
def test_a_log_that_goes_on_after_it_is_read_whole(folder, key, tail):
    with (folder / "log.jsonl").open("ab") as file:
        file.write(tail)
    found = inspect_log(folder)
    assert found.whole
    assert found.torn == len(tail)
    with EvidenceLog.open(folder, run_id="r", key=key):
        pass
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"


def test_a_run_that_was_not_sealed_leaves_no_resume_file_that_is_used(folder, key):
    log = EvidenceLog.open(folder, run_id="r", key=key)
    log.append("note", {})
    log.close()
    found = inspect_log(folder)
    assert found.whole
    assert found.unsealed == 3  # head, open, note
    assert "r" in found.runs


def test_a_changed_earlier_line_is_found_by_verify_and_stays_visible(folder, key):
    path = folder / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number":3', b'"number":4', 1))
    with EvidenceLog.open(folder, run_id="r", key=key) as log:  # not read: the true history is what is continued
        log.append("note", {})
    assert verify_evidence(folder, trusted=[key.public]).status == "altered"
    (folder / RESUME_NAME).unlink()
    with pytest.raises(ProvenanceError, match="altered"):
        EvidenceLog.open(folder, run_id="s", key=key)
    path.write_bytes(path.read_bytes().replace(b'"number":4', b'"number":3', 1))  # the true line, from a copy
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"


def test_a_shorter_log_is_refused_whatever_the_resume_file_says(folder, key):
    path = folder / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ProvenanceError, match="altered"):
        EvidenceLog.open(folder, run_id="r", key=key)


def test_a_resume_file_that_cannot_be_written_harms_nothing(folder, key):
    (folder / RESUME_NAME).unlink()
    (folder / RESUME_NAME).mkdir()
    (folder / RESUME_NAME / "x").touch()
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        log.append("note", {})
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"


WRITER = """
import sys
from pathlib import Path
from monai_ethics.provenance.log.writing import resume
from monai_ethics.provenance.log.writing.site import open_site
resume.RESUME_FROM = 5
for number in range(20):
    with open_site(Path(sys.argv[1]), run_id="site", wait=60) as log:
        print(log.run_id, not log._tail.whole, log.append("note", {"number": number}))
"""


@pytest.mark.slow
def test_processes_that_take_turns_resume_from_each_other(tmp_path):
    command = [sys.executable, "-c", WRITER, tmp_path / "site"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(told) == len({run for run, _, _ in told}) == 80
    assert sum(resumed == "True" for _, resumed, _ in told) >= 78  # all but the first two: the log was too short
    assert {leaf for _, _, leaf in told} <= {entry.leaf for entry in read_entries(tmp_path / "site")}
    assert verify_evidence(tmp_path / "site").status == "intact-signer-unknown"


# run ids --------------------------------------------------------------------------------------------------------------


def free_by_trying(used, wanted):
    name, number = wanted, 1
    while name in used:
        number += 1
        name = f"{wanted}-{number}"
    return name


def test_free_run_ids_are_those_that_trying_finds():
    random = Random(6)
    for _ in range(300):
        names, used = RunNames(), set()
        for _ in range(random.randrange(1, 40)):
            wanted = random.choice(["a", "b", "a-2", "a-3", "a-1", "a-02", "a-2-2", "-", "-2", "a-", "a-7"])
            assert (wanted in names) == (wanted in used)
            name = names.free(wanted, size=9)
            assert name == free_by_trying(used, wanted)
            if random.random() < 0.8:
                names.add(name)
                used.add(name)
            names = RunNames.from_dict(json.loads(json.dumps(names.to_dict())))


def test_all_runs_of_one_name_are_one_range():
    names = RunNames()
    for number in (1, *Random(6).sample(range(2, 10_001), 9_999)):
        names.add("site" if number == 1 else f"site-{number}")
    assert names.to_dict() == {"site": [[1, 10_000]]}
    assert names.free("site", size=50_000) == "site-10001"


def test_runs_of_ever_other_names_are_not_remembered_for_ever():
    names = RunNames()
    for number in range(MOST_RANGES + 1):
        names.add(f"{number:x} run")
    assert names.to_dict() is None
    again = RunNames.from_dict(names.to_dict())
    assert again.free("eval", size=123_456) == "eval-123456"
    assert again.free("eval", size=0) == "eval"


# reading in one pass --------------------------------------------------------------------------------------------------


def test_entries_come_one_at_a_time_and_a_broken_end_is_left_out(folder):
    with (folder / "log.jsonl").open("ab") as file:
        file.write(b'{"half":')
    assert list(iter_entries(folder)) == read_entries(folder)
    first = next(iter_entries(folder))
    assert first.kind == "open"


def test_reports_and_payloads_are_read_without_all_entries(folder, monkeypatch):
    monkeypatch.setattr("monai_ethics.provenance.log.reading.entries.read_entries", None)
    assert [payload for _, payload in read_private(folder, "cases")] == [b"first", b"first"]
    assert read_report(folder).created == "2026-01-02T03:04:05Z"
