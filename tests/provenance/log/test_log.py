# SPDX-License-Identifier: Apache-2.0
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.evidence import Finding, Stage, Verdict
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.reading.entries import read_entries, read_private, read_report
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.merkle import leaf_hash, tree_root
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing import writer as log_module
from monai_ethics.provenance.log.writing.writer import EvidenceLog

FINDING = Finding(
    check="a.b", title="t", stage=Stage.TRAINING, verdict=Verdict.MEASURED, statement="s", accounting={"cases": 3}
)


def test_a_new_folder_opens_with_tool_pseudonym_key_and_key(tmp_path, key, clock):
    with EvidenceLog.open(tmp_path / "a" / "evidence", run_id="r", clock=clock, key=key) as log:
        folder = log.folder
    entries = read_entries(folder)
    assert [entry.kind for entry in entries] == ["open", "pseudonym_key", "key"]
    assert entries[2].body["public_key"] == key.public.hex()
    assert entries[0].time == "2026-01-02T03:04:05Z"
    assert (folder / ".gitattributes").read_text() == "* -text\n"


def test_lines_are_canonical_and_the_root_is_over_their_raw_bytes(sealed):
    lines = (sealed / "log.jsonl").read_bytes().splitlines()
    assert all(canonical(json.loads(line)) == line for line in lines)
    head = json.loads((sealed / "head.json").read_bytes())
    assert head["size"] == len(lines)
    assert head["root"] == tree_root([leaf_hash(line) for line in lines]).hex()
    assert canonical(head) == (sealed / "head.json").read_bytes()


def test_a_second_run_appends_and_names_the_head_before(sealed):
    entries = read_entries(sealed)
    assert {entry.run_id for entry in entries} == {"first", "second"}
    heads = [entry for entry in entries if entry.kind == "head"]
    # one for the head made when the folder was created, one for the end of the first run
    assert [entry.body["size"] for entry in heads] == [entry.seq for entry in heads]
    assert len(heads) == 2
    assert sum(entry.kind == "key" for entry in entries) == 1


def test_a_run_id_that_is_taken_gets_a_number(tmp_path, key):
    for expected in ("eval", "eval-2", "eval-3"):
        with EvidenceLog.open(tmp_path, run_id="eval", key=key) as log:
            assert log.run_id == expected


@pytest.mark.parametrize("run_id", ["", "a" * 129, "a\nb"])
def test_run_ids_are_short_printable_text(tmp_path, key, run_id):
    with pytest.raises(InputError, match="1 to 128 printable"):
        EvidenceLog.open(tmp_path, run_id=run_id, key=key)


def test_ids_are_the_leaf_hashes(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        one = log.append("note", {"a": np.float32(0.5)})
        two, three = log.append_many([("note", {}), ("note", {"b": 1})])
        assert log.append_many([]) == []
    by_leaf = {entry.leaf: entry for entry in read_entries(tmp_path)}
    assert by_leaf[one].body == {"a": 0.5}
    assert by_leaf[three].body == {"b": 1}
    assert by_leaf[three].seq == by_leaf[two].seq + 1


def test_findings_come_back_as_a_report(tmp_path, key, clock):
    with EvidenceLog.open(tmp_path, run_id="r", key=key, clock=clock) as log:
        log.append("environment", {"python": "3.11"})
        log.append("inputs", {"config": "ab"})
        log.append("run", {"environment": {"device": "cpu"}})
        log.add_findings([FINDING, FINDING])
    report = read_report(tmp_path)
    assert report.findings == (replace(FINDING, run="r"),) * 2
    assert report.environment == {"python": "3.11", "device": "cpu"}
    assert report.inputs == {"config": "ab"}
    assert report.created == "2026-01-02T03:04:05Z"
    assert report.tool.startswith("monai_ethics ")
    with pytest.raises(InputError, match="entries of that run"):
        read_report(tmp_path, run_id="other")


def test_a_finding_of_another_form_is_refused(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("finding", {**FINDING.to_dict(), "stage": "other"})
    with pytest.raises(ProvenanceError, match="Expected a finding at entry"):
        read_report(tmp_path)


def test_a_second_writer_is_refused_in_one_sentence(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key), pytest.raises(ProvenanceError, match="only writer"):
        EvidenceLog.open(tmp_path, run_id="s", key=key)
    EvidenceLog.open(tmp_path, run_id="s", key=key).close()


def test_a_closed_log_takes_nothing(tmp_path, key):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    log.close()
    log.close()
    with pytest.raises(ProvenanceError, match="open evidence log"):
        log.append("note", {})


def test_threads_share_one_log(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        threads = [threading.Thread(target=lambda: [log.append("note", {}) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(entry.kind == "note" for entry in read_entries(tmp_path)) == 80


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": object()}, {"a": 2**53}, {"a": "x" * 1_000_001}])
def test_a_body_that_cannot_be_stored_leaves_nothing_behind(tmp_path, key, body):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        before = (tmp_path / "log.jsonl").read_bytes()
        with pytest.raises(InputError, match=r"Evidence must be|finite|at most 1 MB"):
            log.append_many([("note", {}), ("note", body)])
        assert (tmp_path / "log.jsonl").read_bytes() == before
        log.append("note", {})
    assert verify_evidence(tmp_path).intact


def test_records_carry_the_digest_of_their_content(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        identity = log.add_record({"type": "import", "synthetic": "no"})
        assert log.add_record({"type": "import", "synthetic": "no", "id": identity}) == identity
        with pytest.raises(InputError, match="digest of its content"):
            log.add_record({"type": "import", "synthetic": "yes", "id": identity})
    assert read_entries(tmp_path)[-1].body["id"] == identity


# private payloads -----------------------------------------------------------------------------------------------------


def test_payloads_are_salted_private_and_committed(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        one = log.put_private("cases", b"same", media_type="text/plain")
        two = log.put_private("cases", b"same", media_type="text/plain")
    assert one != two
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    for path in (tmp_path / "private").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(tmp_path, "cases") == [("r", b"same"), ("r", b"same")]
    assert read_private(tmp_path, "cases", "other") == []
    assert read_private(tmp_path, "scores") == []
    assert b"same" not in (tmp_path / "log.jsonl").read_bytes()


def test_an_erased_payload_is_absent_and_the_log_says_redacted(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        gone = log.put_private("cases", b"a", media_type="text/plain")
        log.put_private("cases", b"b", media_type="text/plain")
        log.erase([gone], reason="withdrawal")
    assert read_private(tmp_path, "cases") == [("r", b"b")]
    result = verify_evidence(tmp_path, trusted=[key.public])
    assert result.status == "redacted"
    assert result.meaning == "the log is as it was signed, by a key that you trust; private payloads are absent."
    assert "1 private payload is absent, 1 of them with an erasure entry.\n" in result.text
    assert "nothing says whose key signed it; private" in verify_evidence(tmp_path).meaning


def test_a_commitment_cannot_name_a_file_elsewhere(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("payload", {"commitment": "../head", "kind": "cases", "media_type": "x", "size_bucket": 1})
    with pytest.raises(ProvenanceError, match="64 hex digits"):
        read_private(tmp_path, "cases")
    assert verify_evidence(tmp_path).status == "altered"


def test_pseudonyms_are_keyed_by_folder_and_domain(tmp_path, key):
    with EvidenceLog.open(tmp_path / "a", run_id="r", key=key) as log:
        first = log.pseudonym("patient", "e\u0301")
        assert first == log.pseudonym("patient", "é")
        assert first != log.pseudonym("case", "é")
        assert len(first) == 32
    with EvidenceLog.open(tmp_path / "a", run_id="s", key=key) as log:
        assert log.pseudonym("patient", "é") == first
    with EvidenceLog.open(tmp_path / "b", run_id="r", key=key) as log:
        assert log.pseudonym("patient", "é") != first


# durability -----------------------------------------------------------------------------------------------------------


def test_no_append_returns_before_an_fsync_that_covers_it(tmp_path, key, monkeypatch):
    synced = {}

    def record(handle, real=os.fsync):
        real(handle)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size
        else:
            synced[os.fstat(handle).st_ino] = sorted(os.listdir(handle))

    monkeypatch.setattr(os, "fsync", record)
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        path = tmp_path / "log.jsonl"
        assert "log.jsonl" in synced[tmp_path.stat().st_ino]
        for number in range(3):
            log.append("note", {"number": number})
            assert synced[path.stat().st_ino] == path.stat().st_size
        log.append_many([("note", {}), ("note", {})])
        assert synced[path.stat().st_ino] == path.stat().st_size
        commitment = log.put_private("cases", b"abc", media_type="text/plain")
        stored = tmp_path / "private" / f"{commitment}.bin"
        assert synced[stored.stat().st_ino] == 35
        assert stored.name in synced[(tmp_path / "private").stat().st_ino]
        log.seal()
        head = tmp_path / "head.json"
        assert synced[head.stat().st_ino] == head.stat().st_size
        assert "head.json" in synced[tmp_path.stat().st_ino]


def test_one_fsync_covers_a_batch(tmp_path, key, monkeypatch):
    calls = []
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        monkeypatch.setattr(os, "fsync", lambda handle: calls.append(handle))
        log.append_many([("note", {"number": number}) for number in range(50)])
        assert len(calls) == 1


def test_a_failed_fsync_leaves_no_entry_and_closes_the_log(tmp_path, key, monkeypatch):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    before = (tmp_path / "log.jsonl").read_bytes()

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(ProvenanceError, match="No space left on device"):
            log.append("note", {})
    assert (tmp_path / "log.jsonl").read_bytes() == before
    with pytest.raises(ProvenanceError, match="open evidence log"):
        log.append("note", {})
    log.close()
    assert verify_evidence(tmp_path).intact


WRITER = """
import sys
from pathlib import Path
from monai_ethics.provenance.log.writing.writer import EvidenceLog
log = EvidenceLog.open(Path(sys.argv[1]), run_id="r")
for number in range(10**9):
    print(log.append("note", {"number": number}), flush=True)
    if number % 50 == 49:
        log.seal()
"""


@pytest.mark.parametrize("lines", [1, 60, 120])
def test_a_killed_writer_loses_no_acknowledged_entry_and_the_next_run_goes_on(tmp_path, lines):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "e")], stdout=subprocess.PIPE, text=True)
    acknowledged = [process.stdout.readline().strip() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    assert set(acknowledged) <= {entry.leaf for entry in read_entries(tmp_path / "e")}
    assert verify_evidence(tmp_path / "e").status in ("torn", "intact-signer-unknown")
    with EvidenceLog.open(tmp_path / "e", run_id="next"):
        pass
    assert verify_evidence(tmp_path / "e").status == "intact-signer-unknown"


@pytest.mark.parametrize("tail", [b'{"body":{', b"\0" * 100, b'{"schema":1}\n'])
def test_exactly_one_torn_line_is_cut_off_and_the_repair_logged(sealed, key, tail):
    with (sealed / "log.jsonl").open("ab") as file:
        file.write(tail)
    assert verify_evidence(sealed).status == "torn"
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    repair = [entry for entry in read_entries(sealed) if entry.kind == "repair"]
    assert [entry.body for entry in repair] == [{"truncated_bytes": len(tail), "unsealed_entries": 0}]
    assert verify_evidence(sealed, trusted=[key.public]).status == "trusted"


def test_two_torn_lines_are_no_torn_tail(sealed, key):
    with (sealed / "log.jsonl").open("ab") as file:
        file.write(b'{"a\n{"b')
    assert verify_evidence(sealed).status == "altered"
    with pytest.raises(ProvenanceError, match="altered"):
        EvidenceLog.open(sealed, run_id="third", key=key)


def test_a_run_that_was_cut_off_before_sealing_is_reported_by_the_next(tmp_path, key):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    log.append("note", {})
    log.close()
    assert verify_evidence(tmp_path).status == "torn"
    with EvidenceLog.open(tmp_path, run_id="s", key=key):
        pass
    assert [entry.body for entry in read_entries(tmp_path) if entry.kind == "repair"] == [
        {"truncated_bytes": 0, "unsealed_entries": 2}
    ]
    assert verify_evidence(tmp_path).intact


def test_a_log_cut_off_while_being_created_is_taken_up_again(tmp_path, key):
    EvidenceLog.open(tmp_path, run_id="r", key=key).close()
    (tmp_path / "head.json").unlink()
    data = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(data[:-5])
    assert verify_evidence(tmp_path).status == "torn"
    with EvidenceLog.open(tmp_path, run_id="r", key=key):
        pass
    assert verify_evidence(tmp_path).intact


# what is not written to -----------------------------------------------------------------------------------------------


def test_an_altered_log_is_not_appended_to(sealed, key):
    path = sealed / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number":3', b'"number":4'))
    with pytest.raises(ProvenanceError, match="altered"):
        EvidenceLog.open(sealed, run_id="third", key=key)


def test_a_log_without_its_head_and_a_head_without_its_log_are_refused(sealed, key):
    head = (sealed / "head.json").read_bytes()
    (sealed / "head.json").unlink()
    with pytest.raises(ProvenanceError, match="signed head beside the log"):
        EvidenceLog.open(sealed, run_id="third", key=key)
    (sealed / "head.json").write_bytes(head)
    (sealed / "log.jsonl").unlink()
    with pytest.raises(ProvenanceError, match=r"log beside head\.json"):
        EvidenceLog.open(sealed, run_id="third", key=key)


@pytest.mark.parametrize("name", ["log.jsonl", "head.json"])
def test_a_linked_log_is_refused(sealed, key, tmp_path, name):
    (sealed / name).rename(tmp_path / "elsewhere")
    (sealed / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProvenanceError, match=r"link|altered"):
        EvidenceLog.open(sealed, run_id="third", key=key)
    assert verify_evidence(sealed).status == "altered"


def test_a_linked_private_folder_is_refused(tmp_path, key):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "private").symlink_to(tmp_path)
    with pytest.raises(InputError, match="can be written"):
        EvidenceLog.open(tmp_path / "e", run_id="r", key=key)
    assert not (tmp_path / "e" / "log.jsonl").exists()


def test_a_folder_that_cannot_be_written_is_refused_without_its_name(tmp_path, key, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="can be written") as caught:
        EvidenceLog.open(tmp_path / "file" / "evidence", run_id="r", key=key)
    assert str(tmp_path) not in str(caught.value)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(log_module.os, "open", refuse)
    with pytest.raises(InputError, match="Read-only file system"):
        EvidenceLog.open(tmp_path / "new", run_id="r", key=key)


def test_a_key_that_changes_between_runs_is_announced(sealed):
    other = SigningKey.generate()
    with EvidenceLog.open(sealed, run_id="third", key=other) as log:
        log.append("note", {})
    keys = [entry.body for entry in read_entries(sealed) if entry.kind == "key"]
    assert keys[1]["previous"] == keys[0]["public_key"]
    assert keys[1]["key"] == "ephemeral"
    assert verify_evidence(sealed, trusted=[other.public]).status == "trusted"


def test_reading_a_folder_that_is_no_evidence_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="Expected an evidence folder"):
            read_entries(folder)


def test_reading_an_altered_line_is_refused(sealed):
    path = sealed / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":3', b'"seq":7'))
    with pytest.raises(ProvenanceError, match="Expected entry 3 at line 4"):
        read_entries(sealed)
