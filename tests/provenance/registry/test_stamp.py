# SPDX-License-Identifier: Apache-2.0
import gzip
import json
import os

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.nifti import mark_nifti
from monai_ethics.provenance.records.record import SYNTHETIC_LIMITS, SYNTHETIC_USE, record_id
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files

AFFINE = np.diag([-1.5, -1.5, 2, 1])
RECORD = "sha256:" + "ab" * 32


def volume(seed, shape=(20, 18, 6)):
    return np.random.default_rng(seed).normal(100, 30, size=shape).astype(np.float32)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(3):
        nib.save(nib.Nifti1Image(volume(seed), AFFINE), folder / f"patient_{seed}.nii.gz")
    return folder


@pytest.fixture
def log(tmp_path, key):
    with EvidenceLog.open(tmp_path / "evidence", run_id="stamp", key=key) as log:
        yield log


# marks in the file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_marking_keeps_every_voxel_byte_and_the_rest_of_the_header(tmp_path, kind, name, endian):
    array = np.random.default_rng(0).integers(-5, 900, size=(7, 6, 5)).astype(np.int16)
    image = kind(array, AFFINE, header=kind.header_class(endianness=endian))
    image.set_data_dtype(np.int16)
    image.header["descrip"] = b"made by a scanner"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kept"))
    nib.save(image, tmp_path / name)
    before = digest_file(tmp_path / name)
    assert mark_nifti(tmp_path / name, synthetic="yes", record=RECORD, voxel_v1=before.voxel_v1)
    after = digest_file(tmp_path / name)
    assert (after.voxel_v1, after.geometry_v1) == (before.voxel_v1, before.geometry_v1)
    assert (after.marks.synthetic, after.marks.record, after.marks.voxel_v1) == ("yes", RECORD, before.voxel_v1)
    header = nib.load(tmp_path / name).header
    assert bytes(header["descrip"]).rstrip(b"\0") == b"SYNTHETIC me1:abababababababab; made by a scanner"
    assert next(item.get_content() for item in header.extensions) in (b"kept", "kept")
    assert header.get_data_dtype() == np.dtype(np.int16).newbyteorder(endian)


def test_marking_again_replaces_the_mark(tmp_path):
    nib.save(nib.Nifti1Image(volume(0), AFFINE), tmp_path / "a.nii")
    for record in (RECORD, "sha256:" + "cd" * 32):
        mark_nifti(tmp_path / "a.nii", synthetic="yes", record=record, voxel_v1=None)
    header = nib.load(tmp_path / "a.nii").header
    assert len(header.extensions) == 1
    assert b"cdcd" in bytes(header["descrip"])
    assert digest_file(tmp_path / "a.nii").marks.record == "sha256:" + "cd" * 32


def test_the_description_survives_where_the_extension_does_not(tmp_path):
    nib.save(nib.Nifti1Image(volume(0), AFFINE), tmp_path / "a.nii")
    mark_nifti(tmp_path / "a.nii", synthetic="yes", record=RECORD, voxel_v1=None)
    image = nib.load(tmp_path / "a.nii")
    image.header.extensions.clear()
    nib.save(image, tmp_path / "b.nii")
    marks = digest_file(tmp_path / "b.nii").marks
    assert (marks.synthetic, marks.record) == ("yes", "sha256:abababababababab")


def test_other_comments_are_no_marks(tmp_path):
    image = nib.Nifti1Image(volume(0), AFFINE)
    for content in (b"free text", b'{"schema":"other"}', b'{"schema":"monai_ethics.mark/1","synthetic":"maybe"}'):
        image.header.extensions[:] = [nib.nifti1.Nifti1Extension("comment", content)]
        nib.save(image, tmp_path / "a.nii")
        assert digest_file(tmp_path / "a.nii").marks.synthetic is None


def test_a_pair_of_files_gets_a_sidecar_only(tmp_path):
    nib.save(nib.Nifti1Pair(volume(0), AFFINE), tmp_path / "a.hdr")
    assert stamp_file(tmp_path / "a.hdr") == ("sidecar",)


def test_a_single_file_is_stamped_without_a_log(tmp_path):
    nib.save(nib.Nifti1Image(volume(0), AFFINE), tmp_path / "a.nii.gz")
    assert stamp_file(tmp_path / "a.nii.gz", record={"model": {"bundle": "b"}}) == ("header", "sidecar")
    sidecar = json.loads((tmp_path / "a.nii.gz.prov.json").read_bytes())
    assert sidecar["record"]["model"] == {"bundle": "b"}
    assert sidecar["record"]["id"] == record_id(sidecar["record"]) == digest_file(tmp_path / "a.nii.gz").marks.record
    assert sidecar["sha256"] == digest_file(tmp_path / "a.nii.gz").file_sha256
    assert sidecar["digital_source_type"].endswith("trainedAlgorithmicMedia")


# registration --------------------------------------------------------------------------------------------------------


def test_stamping_registers_marks_and_names_no_file(images, log):
    result = stamp_files([images], log, record={"model": {"bundle": "generator"}, "limits": ["not for diagnosis"]})
    log.seal()
    assert [item.marks for item in result.items] == [("header", "sidecar")] * 3
    assert len({item.record for item in result.items}) == 3
    entries = read_entries(log.folder)
    registered = [entry.body for entry in entries if entry.kind == "registered"]
    for path, body in zip(sorted(images.glob("*.nii.gz")), registered, strict=True):
        found = digest_file(path)
        assert body["digests"]["voxel_v1"] == found.voxel_v1
        assert body["digests"]["slices"] == list(found.slices)
        assert found.marks.record == body["record"]
    assert all(b"patient_" not in (log.folder / name).read_bytes() for name in ("log.jsonl", "head.json"))
    record = next(entry.body for entry in entries if entry.kind == "record")
    assert list(record["limits"]) == [*SYNTHETIC_LIMITS, "not for diagnosis"]
    assert record["intended_use"] == SYNTHETIC_USE
    assert verify_evidence(log.folder).intact


def test_a_record_stands_in_the_log_before_a_file_is_marked(images, log, monkeypatch):
    seen = []

    def crash(path, record, **_):
        seen.append([entry.kind for entry in read_entries(log.folder)])
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_ethics.provenance.registry.stamp.write_marks", crash)
    with pytest.raises(KeyboardInterrupt):
        stamp_files([images], log)
    assert seen[0].count("registered") == 3


def test_stamping_twice_registers_once(images, log):
    first = stamp_files([images], log)
    size = len(read_entries(log.folder))
    second = stamp_files([images], log)
    assert all(item.already for item in second.items)
    assert [item.record for item in second.items] == [item.record for item in first.items]
    assert {entry.kind for entry in read_entries(log.folder)[size:]} == {"stored"}


def test_a_lost_mark_is_written_again_with_the_record_it_had(images, log):
    first = stamp_files([images], log)
    path = sorted(images.glob("*.nii.gz"))[0]
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine), path)
    path.with_name(path.name + ".prov.json").unlink()
    second = stamp_files([path], log)
    assert second.items[0].record == first.items[0].record == digest_file(path).marks.record
    sidecar = json.loads(path.with_name(path.name + ".prov.json").read_bytes())
    assert record_id(sidecar["record"]) == first.items[0].record


def test_digests_of_acquired_images_stay_private(images, log):
    before = {path: path.read_bytes() for path in images.iterdir()}
    result = stamp_files([images], log, synthetic="no")
    assert {path: path.read_bytes() for path in images.iterdir()} == before
    assert result.items[0].marks == ()
    text = (log.folder / "log.jsonl").read_text()
    found = digest_file(next(iter(before)))
    assert found.voxel_v1 not in text
    assert found.slices[0] not in text


@pytest.mark.parametrize("part", ["whole", "slice"])
def test_an_acquired_image_cannot_be_stamped_as_synthetic(images, log, tmp_path, part):
    stamp_files([images], log, synthetic="no")
    copy = tmp_path / "generated.npy"
    array = volume(1)[:, :, ::-1] if part == "whole" else np.flipud(volume(1)[:, :, 2].T)
    np.save(copy, array.astype(np.float64))
    if part == "whole":
        copy = tmp_path / "generated.nii"
        nib.save(nib.Nifti1Image(volume(1).astype(np.float64), AFFINE), copy)
    result = stamp_files([copy], log)
    assert (result.items, result.refused) == ((), (1,))
    assert "memorized" in result.finding.statement
    assert result.finding.verdict is Verdict.WARNED
    assert not copy.with_name(copy.name + ".prov.json").exists()
    assert read_report(log.folder).findings[-1].check == "provenance.synthetic_guard"


def test_a_partly_synthetic_image_may_share_slices_with_the_acquired_one(images, log, tmp_path):
    stamp_files([images], log, synthetic="no")
    array = volume(1)
    array[5:9, 5:9, 3] = 0
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "inpainted.nii")
    result = stamp_files([tmp_path / "inpainted.nii"], log, synthetic="partial")
    assert result.refused == ()
    assert digest_file(tmp_path / "inpainted.nii").marks.synthetic == "partial"


def test_a_synthetic_image_cannot_be_registered_as_acquired(images, log):
    stamp_files([images], log)
    result = stamp_files([images], log, synthetic="no")
    assert result.refused == (1, 2, 3)


def test_files_that_cannot_be_written_are_registered_without_marks(images, log, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("monai_ethics.provenance.marks.nifti.write_atomically", refuse)
    monkeypatch.setattr("monai_ethics.provenance.marks.sidecar.write_atomically", refuse)
    result = stamp_files([images], log)
    assert [item.marks for item in result.items] == [()] * 3


def test_a_link_stays_a_link(images, log, tmp_path):
    (tmp_path / "link.nii.gz").symlink_to(images / "patient_0.nii.gz")
    stamp_files([tmp_path / "link.nii.gz"], log)
    assert (tmp_path / "link.nii.gz").is_symlink()
    assert digest_file(images / "patient_0.nii.gz").marks.synthetic == "yes"


def test_permissions_of_a_marked_file_stay(images, log):
    path = images / "patient_0.nii.gz"
    path.chmod(0o600)
    stamp_files([path], log)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(images).count("patient_0.nii.gz") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"record": {"subjects": []}}, "leave out `subjects`"),
        ({"record": {"unknown": 1}}, "Expected a record"),
        ({"record": {"type": "magic"}}, "type must be one of"),
        ({"synthetic": "maybe"}, "yes, partial or no"),
        ({"digests": []}, "one entry per image"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_before_anything_is_written(images, log, options, message):
    size = len(read_entries(log.folder))
    with pytest.raises((InputError, SchemaError), match=message):
        stamp_files([images], log, **options)
    assert len(read_entries(log.folder)) == size


def test_one_unreadable_file_stops_all_before_anything_is_written(images, log):
    (images / "patient_1.nii.gz").write_bytes(gzip.compress(b"short"))
    size = len(read_entries(log.folder))
    with pytest.raises(InputError, match="Image 2 of 3: Expected a readable image") as caught:
        stamp_files([images], log)
    assert "patient" not in str(caught.value)
    assert len(read_entries(log.folder)) == size
    assert digest_file(images / "patient_0.nii.gz").marks.synthetic is None


def test_empty_folders_and_missing_paths_are_refused(tmp_path, log):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="Expected image files: got none"):
        stamp_files([tmp_path / "empty"], log)
    with pytest.raises(InputError, match="Expected path 2 to exist"):
        stamp_files([tmp_path / "empty", tmp_path / "none"], log)
