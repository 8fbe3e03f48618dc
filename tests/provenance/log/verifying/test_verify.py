# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.head import read_head, sign_head
from monai_ethics.provenance.log.tree.merkle import leaf_hash, tree_root
from monai_ethics.provenance.log.verifying.verify import STATUSES, verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


def _lines(folder):
    return (folder / "log.jsonl").read_bytes().splitlines()


def _write(folder, lines):
    (folder / "log.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def _sign_again(folder, key, *, announce=True):
    """What a forger does: replace keys and heads throughout and sign with a key of their own."""
    lines, done, previous = _lines(folder), [], None
    for seq, line in enumerate(lines):
        entry = json.loads(line)
        if entry["kind"] == "key" and announce:
            entry["body"].update(public_key=key.public.hex(), fingerprint=fingerprint(key.public))
        if entry["kind"] == "head":
            root = tree_root([leaf_hash(item) for item in done])
            head = sign_head(key, size=seq, root=root, time="t", run_id="r", previous=previous)
            entry["body"], previous = head.to_dict(), head.fingerprint
        done.append(canonical(entry))
    _write(folder, done)
    root = tree_root([leaf_hash(item) for item in done])
    head = sign_head(key, size=len(done), root=root, time="t", run_id="r", previous=previous)
    (folder / "head.json").write_bytes(head.to_bytes())


def test_without_a_key_the_signer_is_unknown_and_the_text_says_what_cannot_be_seen(sealed, key):
    result = verify_evidence(sealed)
    assert result.status == "intact-signer-unknown"
    assert result.intact
    assert result.problems == ()
    assert "--trust" in result.text
    assert "--expect-head" in result.text
    assert result.signer == fingerprint(key.public)
    assert result.head == hashlib.sha256((sealed / "head.json").read_bytes()).hexdigest()
    assert json.loads(json.dumps(result.to_dict()))["entries"] == result.sealed == len(_lines(sealed))


def test_a_trusted_key_or_its_fingerprint_makes_it_trusted(sealed, key):
    for trusted in (key.public, hashlib.sha256(key.public).digest()):
        result = verify_evidence(sealed, trusted=[b"\0" * 32, trusted])
        assert (result.status, result.signer_trusted) == ("trusted", True)


def test_the_head_that_was_kept_makes_it_trusted(sealed):
    head = verify_evidence(sealed).head
    assert verify_evidence(sealed, expect_head=f"sha256:{head.upper()}").status == "trusted"


def test_an_earlier_head_is_contained_after_another_run(sealed, key):
    kept = verify_evidence(sealed).head
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
    result = verify_evidence(sealed, expect_head=kept)
    assert (result.status, result.expected_head) == ("intact-signer-unknown", "contained")
    assert verify_evidence(sealed, expect_head=kept, trusted=[key.public]).status == "trusted"


def test_an_older_copy_is_stale(sealed, key, tmp_path):
    shutil.copytree(sealed, tmp_path / "old")
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
    kept = verify_evidence(sealed).head
    assert (
        verify_evidence(tmp_path / "old", trusted=[key.public]).status == "trusted"
    )  # cannot be seen without the head
    result = verify_evidence(tmp_path / "old", trusted=[key.public], expect_head=kept)
    assert (result.status, result.intact) == ("stale", False)


def test_a_log_signed_again_with_a_fresh_key(sealed, key):
    kept = verify_evidence(sealed).head
    _write(sealed, [line.replace(b'"number":3', b'"number":4') for line in _lines(sealed)])
    _sign_again(sealed, SigningKey.generate())
    assert verify_evidence(sealed).status == "intact-signer-unknown"
    assert verify_evidence(sealed, trusted=[key.public]).status == "wrong-key"
    assert verify_evidence(sealed, expect_head=kept).status == "stale"


def test_a_forged_entry_cannot_claim_to_contain_the_expected_head(sealed, key):
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
    kept = read_head(sealed)
    lines = [line.replace(b'"number":3', b'"number":4') for line in _lines(sealed)]
    forged = {**json.loads(lines[-1]), "kind": "head", "body": kept.to_dict(), "seq": len(lines)}
    _write(sealed, [*lines, canonical(forged)])
    root = tree_root([leaf_hash(line) for line in _lines(sealed)])
    fresh = SigningKey.generate()
    head = sign_head(fresh, size=len(lines) + 1, root=root, time="t", run_id="r", previous=kept.fingerprint)
    (sealed / "head.json").write_bytes(head.to_bytes())
    assert verify_evidence(sealed, expect_head=kept.fingerprint).status == "altered"


def test_a_head_by_a_key_that_the_log_does_not_announce_is_altered(sealed):
    _sign_again(sealed, SigningKey.generate(), announce=False)
    assert verify_evidence(sealed).status == "altered"


EDITS = {
    "edited": lambda lines: [*lines[:5], lines[5].replace(b"number", b"NUMBER"), *lines[6:]],
    "reordered": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "removed": lambda lines: [*lines[:5], *lines[6:]],
    "duplicated": lambda lines: [*lines[:5], lines[5], *lines[5:]],
    "cut": lambda lines: lines[:-1],
    "first line cut": lambda lines: lines[1:],
    "emptied": lambda lines: [],
    "carriage returns": lambda lines: [line + b"\r" for line in lines],
    "broken in the middle": lambda lines: [*lines[:5], lines[5][:20], *lines[6:]],
    "swapped sequence": lambda lines: [
        *lines[:4],
        lines[5].replace(b'"seq":5', b'"seq":4'),
        lines[4].replace(b'"seq":4', b'"seq":5'),
        *lines[6:],
    ],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_log_is_altered(sealed, key, edit):
    _write(sealed, edit(_lines(sealed)))
    result = verify_evidence(sealed, trusted=[key.public])
    assert (result.status, result.intact) == ("altered", False)
    assert result.problems


def test_a_log_cut_inside_what_was_signed_is_altered(sealed):
    data = (sealed / "log.jsonl").read_bytes()
    (sealed / "log.jsonl").write_bytes(data[:-7])
    assert verify_evidence(sealed).status == "altered"


def test_no_one_byte_change_of_log_or_head_goes_unseen(sealed, key):
    for name, step in (("head.json", 1), ("log.jsonl", 97)):
        path = sealed / name
        data = path.read_bytes()
        for place in range(0, len(data), step):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert verify_evidence(sealed, trusted=[key.public]).status in ("altered", "wrong-key"), (name, place)
        path.write_bytes(data)
    assert verify_evidence(sealed, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize(
    "form",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b'"size":', b'"size": '),
        lambda data: data.replace(b'"schema"', b'"schema":"monai_ethics.head/1","schema"'),
        lambda data: data.replace(b"head/1", b"head/2"),
        lambda data: json.dumps({**json.loads(data), "extra": 1}).encode(),
        lambda data: b"[]",
        lambda data: b"",
    ],
)
def test_a_head_in_another_form_is_altered(sealed, form):
    path = sealed / "head.json"
    path.write_bytes(form(path.read_bytes()))
    assert verify_evidence(sealed).status == "altered"


def test_a_missing_head_is_altered(sealed):
    (sealed / "head.json").unlink()
    assert verify_evidence(sealed).status == "altered"


def test_a_head_of_another_folder_is_altered(sealed, tmp_path, key):
    with EvidenceLog.open(tmp_path / "other", run_id="r", key=key):
        pass
    shutil.copy(tmp_path / "other" / "head.json", sealed)
    assert verify_evidence(sealed).status == "altered"


def test_an_older_head_beside_the_longer_log_is_torn_not_trusted(sealed, key):
    head = (sealed / "head.json").read_bytes()
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.append("note", {})
    (sealed / "head.json").write_bytes(head)
    assert verify_evidence(sealed, trusted=[key.public]).status == "torn"


def test_a_deleted_payload_is_redacted_and_a_changed_one_altered(sealed, key):
    first, second = sorted((sealed / "private").glob("*.bin"))
    first.unlink()
    result = verify_evidence(sealed, trusted=[key.public])
    assert (result.status, result.redacted, result.intact) == ("redacted", 1, True)
    second.write_bytes(second.read_bytes() + b"x")
    assert verify_evidence(sealed, trusted=[key.public]).status == "altered"


def test_the_pseudonym_key_belongs_to_the_log(sealed, key):
    path = sealed / "private" / "pseudonym.key"
    path.write_bytes(b"\1" * 32)
    assert verify_evidence(sealed).status == "altered"
    path.write_bytes(b"short")
    assert verify_evidence(sealed).status == "altered"
    path.unlink()
    assert verify_evidence(sealed).status == "redacted"
    with EvidenceLog.open(sealed, run_id="third", key=key):
        pass
    assert verify_evidence(sealed).status == "intact-signer-unknown"


def test_report_files_are_those_that_were_sealed(sealed):
    path = sealed / "report.json"
    data = path.read_bytes()
    path.write_bytes(data + b" ")
    assert verify_evidence(sealed).status == "altered"
    path.unlink()
    assert "report.json is absent" in verify_evidence(sealed).text
    path.write_bytes(data)
    (sealed / "report.html").write_bytes(b"<html>")
    assert verify_evidence(sealed).status == "torn"


def test_a_report_entry_cannot_name_files_elsewhere(sealed, key):
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        log.add_report({"../x": "0" * 64})
    assert verify_evidence(sealed).status == "altered"


def test_an_ephemeral_key_is_named(tmp_path):
    with EvidenceLog.open(tmp_path, run_id="r", key=SigningKey.generate()):
        pass
    result = verify_evidence(tmp_path)
    assert result.key == "ephemeral"
    assert "nobody can recognize it later" in result.text


def test_what_is_no_evidence_or_no_fingerprint_is_refused(tmp_path, sealed):
    with pytest.raises(InputError, match="Expected an evidence folder"):
        verify_evidence(tmp_path / "none")
    with pytest.raises(InputError, match="64 hex digits"):
        verify_evidence(sealed, expect_head="abc")
    assert set(STATUSES) == {
        "trusted",
        "intact-signer-unknown",
        "stale",
        "redacted",
        "torn",
        "altered",
        "wrong-key",
    }


def test_verifying_needs_no_array_library(sealed):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'numpy','torch','monai','scipy','pandas','nibabel','pydicom','typer'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from monai_ethics.provenance.log.verifying.verify import verify_evidence\n"
        "from monai_ethics.provenance.log.reading.entries import read_report\n"
        "print(verify_evidence(Path(sys.argv[1])).status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(sealed)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "intact-signer-unknown"


@pytest.mark.parametrize("kind", ["folder", "link", "endless link", "pipe"])
@pytest.mark.parametrize("place", ["head.json", "log.jsonl", "private/*.bin", "private/pseudonym.key"])
def test_what_is_no_plain_file_is_altered_and_never_waited_for(sealed, place, kind):
    path = next(sealed.glob(place))
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "endless link" else sealed / "report.html")
    assert verify_evidence(sealed).status == "altered"
