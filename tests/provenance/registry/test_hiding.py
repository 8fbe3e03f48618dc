# SPDX-License-Identifier: Apache-2.0
import os
import shutil

import numpy as np
import pydicom
import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.images.listing import image_files, marked_digests
from monai_ethics.provenance.marks.compare import compare_layers
from monai_ethics.provenance.marks.sidecar import read_sidecar, sidecar_marks
from monai_ethics.provenance.registry.known import Known, load_known


@pytest.fixture
def image(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32))
    return tmp_path / "a.npy"


def test_a_folder_is_searched_through_links_once_and_beside_logs(image, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "far").mkdir()
    shutil.copy(image, tmp_path / "far" / "b.npy")
    (tmp_path / "far" / "log.jsonl").touch()
    os.symlink(tmp_path / "far", tmp_path / "data" / "near")
    os.symlink(tmp_path / "data", tmp_path / "far" / "back")
    shutil.copy(image, tmp_path / "data" / "c.npy")
    assert [path.name for path in image_files([tmp_path / "data"])] == ["c.npy", "b.npy"]


def test_dicom_is_recognized_whatever_its_name(tmp_path):
    for name in ("1.2.840.113619.2", "x.ima", "IM0001", "DICOMDIR"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes.txt").write_text("text")
    assert sorted(path.name for path in image_files([tmp_path])) == ["1.2.840.113619.2", "IM0001", "x.ima"]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "long"])
def test_a_sidecar_that_is_no_plain_file_holds_nobody_up(image, kind):
    beside = image.with_name("a.npy.prov.json")
    if kind == "pipe":
        os.mkfifo(beside)
    elif kind == "device":
        os.symlink("/dev/zero", beside)
    elif kind == "folder":
        beside.mkdir()
    else:
        beside.write_bytes(b" " * 2_000_000)
    with pytest.raises(ValueError, match="Expected"):
        read_sidecar(image)
    assert marked_digests(image).marks.synthetic is None


def test_a_statement_of_broken_unicode_is_none_and_does_not_stop_the_others(image):
    import base64
    import json

    payload = (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"record":{"a":"\\ud800"}},'
        b'"predicateType":"tag:monai_ethics,2026:provenance/1","subject":[{"digest":{"a":"ab"},"name":"x"}]}'
    )
    statement = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "ed25519:" + "0" * 64, "sig": base64.b64encode(bytes(64)).decode()}],
    }
    text = json.dumps({"schema": "monai_ethics.sidecar/2", "statement": statement, "synthetic": "no"})
    image.with_name("a.npy.prov.json").write_text(text)
    digests = marked_digests(image)
    assert sidecar_marks(image, digests).synthetic is None


def test_a_folder_that_cannot_be_listed_is_not_passed_over(tmp_path, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "denied")

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        image_files([tmp_path])


def test_a_file_without_the_preamble_is_no_image_by_content(tmp_path):
    dataset = pydicom.Dataset()
    dataset.PatientID = "x"
    pydicom.dcmwrite(tmp_path / "x.ima", dataset, implicit_vr=True, little_endian=True)
    with pytest.raises(InputError, match="got none"):
        image_files([tmp_path])


def test_what_anybody_can_sign_stops_no_verification(image, tmp_path, key):
    """A signature holds for whatever its key signed: the form of what it says is not to be relied upon."""
    from dataclasses import replace

    from monai_ethics.provenance.images.digest import digest_file
    from monai_ethics.provenance.marks.sidecar import write_sidecar
    from monai_ethics.provenance.marks.verify import verify_file

    found = digest_file(image)
    odd = replace(found, slices=([], {"a": []}, 1, *found.slices))
    record = {"id": "sha256:" + "0" * 64, "synthetic": {"a": []}, "subjects": None}
    write_sidecar(image, record, digests=odd, marks=["sidecar"], key=key)
    np.save(image, np.random.default_rng(1).normal(size=(6, 5, 4)).astype(np.float32))
    assert not verify_file(image).intact
    assert compare_layers({"text": "x"}, {"text": {"synthetic": "yes"}})["mark.text.form"] == "removed"


def test_statements_and_sidecars_do_not_fit_another_file(tmp_path, key):
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.marks.verify import verify_file
    from monai_ethics.provenance.registry.stamp import stamp_files

    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for seed, path in enumerate(files):
        np.save(path, np.random.default_rng(seed).normal(size=(6, 5, 4)).astype(np.float32))
    with EvidenceLog.open(tmp_path / "evidence", run_id="x") as log:
        stamp_files(files, log)
    shutil.copy(tmp_path / "b.npy.prov.json", tmp_path / "a.npy.prov.json")
    assert [verify_file(path).status for path in files] == ["derived", "as-signed"]


def test_a_sidecar_that_a_fresh_key_signed_as_real_attests_nothing(image, tmp_path, key):
    from monai_ethics.provenance.images.digest import digest_file
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.provenance.marks.sidecar import write_sidecar
    from monai_ethics.provenance.registry.guard import admit
    from monai_ethics.provenance.registry.stamp import stamp_files

    with EvidenceLog.open(tmp_path / "evidence", run_id="x") as log:
        other = tmp_path / "other.npy"
        np.save(other, np.ones((6, 5, 4)) * np.arange(4))
        stamp_files([other], log)
    record = {"id": "sha256:" + "0" * 64, "type": "import", "synthetic": "no"}
    for path in (image, other):
        write_sidecar(path, record, digests=digest_file(path), marks=["sidecar"], key=key)
    result = admit([image, other], log.folder, "allow-list")
    assert [row.kind for row in result.rows] == ["unknown", "synthetic-by-digest"]
    assert result.refused == (1, 2)
    assert any("earlier state" in note for note in result.notes)


def test_a_record_is_found_by_its_beginning_if_only_one_begins_so():
    known = Known(records={f"sha256:{digits}": {} for digits in ("aa1", "aa2", "b")})
    assert known.named("sha256:b") == "sha256:b"
    assert known.named("sha256:aa2") == "sha256:aa2"
    assert known.named("sha256:aa") is None
    assert known.named("sha256:c") is None


def test_a_registration_of_another_form_is_refused_in_words(tmp_path):
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

    for number, digests in enumerate((["x"], {"slices": 7})):
        with EvidenceLog.open(tmp_path / str(number), run_id="x") as log:
            log.append("registered", {"item": "0" * 32, "record": "x", "synthetic": "yes", "digests": digests})
        with pytest.raises(SchemaError, match="another form"):
            load_known([log.folder])
