# SPDX-License-Identifier: Apache-2.0
"""What docs/reference/evidence-format.md says is enough to verify a log without this package, and openssl agrees."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.tree.head import read_head, sign_head
from monai_ethics.provenance.log.tree.merkle import leaf_hash, tree_root
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

AUDITOR = Path(__file__).with_name("auditor.py")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the judge of the signature")


@pytest.fixture
def key():
    return SigningKey.generate()


@pytest.fixture
def folder(tmp_path, key):
    """Two runs, a private payload, a text outside ASCII, and a report whose digest is sealed."""
    place = tmp_path / "evidence"
    with EvidenceLog.open(place, run_id="first", key=key) as log:
        log.append("note", {"text": "Größe \U0001f9e0", "n": 1.5e-9})
        log.put_private("cases", b"case\tsex\n", media_type="text/plain")
    with EvidenceLog.open(place, run_id="zweite Prüfung", key=key) as log:
        (place / "report.md").write_text("# Report\n")
        log.add_report({"report.md": hashlib.sha256(b"# Report\n").hexdigest()})
    return place


def audited(folder, key):
    words = [sys.executable, "-I", "-S", str(AUDITOR), str(folder), key.public.hex()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_an_auditors_own_program_agrees_that_a_log_is_as_signed(folder, key):
    assert audited(folder, key) == (0, "as signed")
    assert verify_evidence(folder, trusted=[key.public]).status == "trusted"


def test_the_program_has_few_lines_and_nothing_but_the_standard_library():
    lines = [line for line in AUDITOR.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 70
    assert not [line for line in lines if "import" in line and ("monai" in line or "rfc8785" in line)]


def _flip(folder, name, old, new):
    path = folder / name
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def _forge(folder, other):
    """Sign the newest head again with a key of one's own."""
    lines = (folder / "log.jsonl").read_bytes().splitlines()
    leaves = [leaf_hash(line) for line in lines]
    old = read_head(folder)
    head = sign_head(
        other, size=len(lines), root=tree_root(leaves), time=old.time, run_id=old.run_id, previous=old.previous
    )
    (folder / "head.json").write_bytes(head.to_bytes())


CHANGES = {
    "a byte of an entry": lambda folder: _flip(folder, "log.jsonl", b'"n":1.5e-9', b'"n":2.5e-9'),
    "an entry less": lambda folder: _flip(
        folder, "log.jsonl", (folder / "log.jsonl").read_bytes().splitlines()[3] + b"\n", b""
    ),
    "the head's time": lambda folder: _flip(folder, "head.json", b'"time":"2', b'"time":"3'),
    "the report": lambda folder: _flip(folder, "report.md", b"Report", b"Repart"),
    "a payload": lambda folder: next((folder / "private").glob("*.bin")).write_bytes(b"x" * 40),
    "the signer": lambda folder: _forge(folder, SigningKey.generate()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_both_see_the_same_changes(folder, key, change):
    change(folder)
    code, told = audited(folder, key)
    assert code == 1, told
    assert not verify_evidence(folder, trusted=[key.public]).intact


def test_openssl_says_yes_to_every_head_and_no_to_a_changed_one(folder):
    sys.path.insert(0, str(AUDITOR.parent))
    try:
        from auditor import signed
    finally:
        sys.path.pop(0)
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    heads = [entry["body"] for entry in entries if entry["kind"] == "head"]
    heads.append(json.loads((folder / "head.json").read_text()))
    assert len(heads) >= 3
    assert all(map(signed, heads))
    assert not any(signed({**head, "size": head["size"] + 1}) for head in heads)
