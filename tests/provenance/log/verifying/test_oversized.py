# SPDX-License-Identifier: Apache-2.0
"""Files without blocks that claim a terabyte: whoever verifies is kept neither busy nor out of memory."""

import os

import pytest

from monai_ethics.errors import ProvenanceError
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.revocation import revoked_in
from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.files.storage import read_file
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

TERABYTE = 1 << 40


def payload_of(folder):
    return next(path for path in sorted((folder / "private").iterdir()) if path.suffix == ".bin")


@pytest.mark.parametrize("name", ["head.json", "report.json", "private/pseudonym.key", "a payload"])
def test_a_file_that_claims_a_terabyte_is_altered_and_not_read(sealed, key, name):
    os.truncate(payload_of(sealed) if name == "a payload" else sealed / name, TERABYTE)
    assert verify_evidence(sealed, trusted=[key.public]).status == "altered"


def test_a_log_that_claims_a_terabyte_ends_where_its_blocks_do(sealed, key):
    os.truncate(sealed / "log.jsonl", TERABYTE)
    assert verify_evidence(sealed, trusted=[key.public]).status == "torn"
    assert revoked_in(sealed) == {}


@pytest.mark.parametrize("name", [".resume.json", ".gitignore", ".gitattributes"])
def test_a_writer_reads_no_terabyte_either(sealed, key, name):
    (sealed / name).touch()
    os.truncate(sealed / name, TERABYTE)
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
    assert verify_evidence(sealed, trusted=[key.public]).status == "trusted"


def test_a_payload_is_not_read_at_once_before_it_is_known_to_be_what_was_committed_to(sealed, monkeypatch):
    path = payload_of(sealed)
    os.truncate(path, 100_000)
    monkeypatch.setattr("monai_ethics.provenance.log.files.payload.read_file", pytest.fail)
    with pytest.raises(ProvenanceError, match="other bytes"):
        read_payload(sealed, path.stem)


def test_a_file_is_read_up_to_a_size(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", most=5) == b"12345"
    with pytest.raises(ProvenanceError, match="far too large"):
        read_file(tmp_path / "file", most=4)


def test_of_a_key_entry_only_what_endorses_is_kept(sealed, key):
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("key", {"public_key": "x" * 900_000, "previous": None, "endorsement": None})
        log.append(
            "key", {"public_key": key.public.hex(), "previous": None, "endorsement": None, "more": "x" * 900_000}
        )
    assert sum(len(canonical(body)) for body in audit(sealed).keys) < 2000


def test_a_line_of_many_megabytes_hides_no_revocation_and_is_not_held(tmp_path, key):
    entry = {"schema": "", "seq": 1, "time": "", "run_id": "", "kind": "key_revocation"}
    said = canonical({**entry, "body": {"fingerprint": fingerprint(key.public), "reason": "lost"}})
    (tmp_path / "log.jsonl").write_bytes(b"x" * 20_000_000 + b"\n" + said + b"\n")
    assert revoked_in(tmp_path) == {fingerprint(key.public): "lost"}
