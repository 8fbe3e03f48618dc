# SPDX-License-Identifier: Apache-2.0
"""What somebody tries who owns the evidence folder, and not the key that signed it."""

import hashlib
import os
import shutil

import pytest

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.log.reading.entries import Covered, read_entries, read_private
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.head import read_head
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.known import load_known


def append_unsigned(folder, kind, body, run="second"):
    """What anybody can do who may write the file."""
    path = folder / "log.jsonl"
    entry = {
        "schema": "monai_ethics.entry/1",
        "seq": path.read_bytes().count(b"\n"),
        "time": "2026-01-02T03:04:05.000000Z",
        "run_id": run,
        "kind": kind,
        "body": body,
    }
    with path.open("ab") as log:
        log.write(canonical(entry) + b"\n")


def test_an_unsigned_entry_cannot_give_a_rolled_back_log_an_id_that_the_site_log_does_not_know(tmp_path, key, capsys):
    folder, site = tmp_path / "evidence", tmp_path / "site"
    for run in ("first", "second"):
        with EvidenceLog.open(folder, run_id=run, key=key, site=site) as log:
            log.append("note", {})
        if run == "first":
            shutil.copytree(folder, tmp_path / "older")
    older = tmp_path / "older"
    true_id = verify_evidence(folder).log_id
    append_unsigned(older, "open", {"tool": "another", "log_id": "0" * 32})
    found = verify_evidence(older, trusted=[key.public], site=site)
    assert (found.status, found.log_id, found.witness) == ("stale", true_id, "not contained")


def test_an_unsigned_entry_does_not_announce_another_pseudonym_key(sealed, key):
    from monai_ethics.provenance.log.files.payload import key_id_of

    (sealed / "private" / "pseudonym.key").write_bytes(bytes(32))
    append_unsigned(sealed, "pseudonym_key", {"key_id": key_id_of(bytes(32))})
    assert verify_evidence(sealed, trusted=[key.public]).status == "altered"


def test_entries_that_nobody_signed_register_nothing(sealed, key):
    digests = {"voxel_v1": "f" * 64, "slices": []}
    append_unsigned(sealed, "registered", {"synthetic": "yes", "record": "sha256:" + "0" * 64, "digests": digests})
    found = load_known([sealed], trusted=[key.public])
    assert not found.synthetic
    assert found.notes[0] == "registry 1: torn"


def test_payloads_that_nobody_signed_are_not_taken_for_those_of_the_last_run(sealed, key):
    stored = bytes(32) + b"forged"
    commitment = hashlib.sha256(b"monai_ethics.payload/1\x00" + stored).hexdigest()
    (sealed / "private" / f"{commitment}.bin").write_bytes(stored)
    append_unsigned(sealed, "payload", {"commitment": commitment, "kind": "cases", "media_type": "", "size_bucket": 8})
    under = relied_on(sealed, verify_evidence(sealed, trusted=[key.public]))
    assert [payload for _, payload in read_private(sealed, "cases", under=under)] == [
        b"case\tpatient\nfirst",
        b"case\tpatient\nsecond",
    ]


def test_a_log_that_is_exchanged_between_its_verification_and_its_use_is_refused(sealed, key, tmp_path):
    found = verify_evidence(sealed, trusted=[key.public])
    log = (sealed / "log.jsonl").read_bytes()
    (sealed / "log.jsonl").write_bytes(log.replace(b'{"number":4}', b'{"number":5}'))
    with pytest.raises(ProvenanceError, match="stays as it was verified"):
        read_entries(sealed, under=relied_on(sealed, found))
    (sealed / "log.jsonl").write_bytes(b"".join(log.splitlines(keepends=True)[:5]))
    with pytest.raises(ProvenanceError, match="stays as it was verified"):
        read_entries(sealed, under=relied_on(sealed, found))


def test_a_log_that_went_on_after_its_verification_is_read_as_far_as_it_was_verified(sealed, key):
    found = verify_evidence(sealed, trusted=[key.public])
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
        assert relied_on(sealed, found) is None  # its own writer reads all of it
    assert len(read_entries(sealed, under=relied_on(sealed, found))) == found.sealed < len(read_entries(sealed))


def test_nothing_is_read_of_a_log_of_which_nothing_is_signed(sealed):
    assert read_entries(sealed, under=Covered(0, "")) == []


def test_cleaning_follows_no_link_out_of_the_private_part(sealed, key, tmp_path):
    name = ".another.0123456789ab.tmp"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / name).write_bytes(b"of another writer")
    inside = sealed / "private" / "inside"
    inside.mkdir()
    (inside / name).write_bytes(b"left behind")
    os.symlink(elsewhere, sealed / "private" / "link")
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    assert (elsewhere / name).exists()
    assert not (inside / name).exists()


def test_a_log_that_was_signed_again_before_the_writer_went_on_says_so(sealed, key):
    from monai_ethics.provenance.keys.key import SigningKey

    forged = sealed.parent / "forged"
    with EvidenceLog.open(forged, run_id="first", key=SigningKey.generate(storage="persistent")) as log:
        log.append("note", {"number": "forged"})
    size = verify_evidence(forged).sealed
    with EvidenceLog.open(forged, run_id="second", key=key):
        pass
    found = verify_evidence(forged, trusted=[key.public])
    assert f"The first {size} entries were signed by a key that you do not trust" in found.text
    assert "that you do not trust" not in verify_evidence(sealed, trusted=[key.public]).text


@pytest.mark.parametrize("way", ["entry", "resume file"])
def test_a_bundle_cannot_give_its_log_another_id_to_hide_a_later_rollback(tmp_path, key, monkeypatch, way, capsys):
    from monai_ethics.provenance.log.writing import resume

    monkeypatch.setattr(resume, "RESUME_FROM", 0)
    folder, site, other = tmp_path / "evidence", tmp_path / "site", "0" * 32
    with EvidenceLog.open(folder, run_id="first", key=key, site=site) as log:
        true_id = log.log_id
        if way == "entry":
            log.append("open", {"tool": "a bundle", "log_id": other})
        else:
            log.seal()
            monkeypatch.setattr(log._tail, "log_id", other)
    shutil.copytree(folder, tmp_path / "older")
    with EvidenceLog.open(folder, run_id="second", key=key, site=site) as log:
        assert log.log_id == true_id
        log.append("note", {})
    assert verify_evidence(folder, trusted=[key.public], site=site).status == "trusted"
    assert verify_evidence(tmp_path / "older", trusted=[key.public], site=site).status == "stale"


def test_a_witness_that_nobody_had_signed_is_told_with_what_it_says(tmp_path, sealed, key):
    site = tmp_path / "site"
    with EvidenceLog.open(site, run_id="site", key=key) as log:
        log.append("note", {})
    found = verify_evidence(sealed)
    body = {"log_id": found.log_id, "size": found.sealed, "root": "", "head": found.head, "run_id": "", "signer": ""}
    append_unsigned(site, "head", read_head(site).to_dict(), run="site")  # as every writer begins
    append_unsigned(site, "witness", body, run="site")
    with EvidenceLog.open(site, run_id="site", key=key):
        pass
    text = verify_evidence(sealed, trusted=[key.public], site=site).text
    assert "In the site log, 2 unsigned entries were signed by its next writer" in text


def test_no_consent_and_no_proof_rests_on_what_nobody_signed(sealed, key):
    from monai_ethics.errors import GateError, InputError
    from monai_ethics.provenance.consent.proofs import membership_proofs
    from monai_ethics.provenance.consent.registry import Person, load_consent

    append_unsigned(sealed, "withdrawal", {"subject": "0" * 32})
    assert not load_consent(sealed, trusted=[key.public]).withdrawals
    append_unsigned(sealed, "training_set", {"record": "x", "commitment": "0" * 64, "root": "", "n": 1})
    with pytest.raises(InputError, match="with its sets"):
        membership_proofs(sealed, Person(patient_id="7"))
    log = (sealed / "log.jsonl").read_bytes()
    (sealed / "log.jsonl").write_bytes(log.replace(b'{"number":4}', b'{"number":5}'))
    with pytest.raises(GateError, match="as it was signed"):
        membership_proofs(sealed, Person(patient_id="7"))
