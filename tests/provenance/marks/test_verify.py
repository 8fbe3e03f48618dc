# SPDX-License-Identifier: Apache-2.0
"""Verification of marked files: every change of a covered field is named, and transport is not called tampering."""

from __future__ import annotations

import json
import shutil
from importlib import resources

import nibabel as nib
import numpy as np
import pydicom
import pytest
from marks_files import volume, write_nifti, write_png

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import attrs_v1, digest_file
from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.keys.standing import Revocation
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.sidecar import sidecar_path, write_least, write_marks
from monai_ethics.provenance.marks.verify import verify_file, verify_marked
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files

ENDINGS = ("nii", "nii.gz", "png", "dcm", "npy")


def edit(path, change):
    """Change the sidecar of a file."""
    data = json.loads(sidecar_path(path).read_bytes())
    change(data)
    sidecar_path(path).write_bytes(canonical(data))


def edit_dicom(path, change):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_marked_file_is_as_signed_by_whom_it_says(mark, ending, key):
    path = mark(ending)
    found = verify_file(path, trusted=[key.public])
    assert (found.status, found.faults, found.synthetic) == ("as-signed", {}, "yes")
    assert found.signer_trusted
    assert verify_file(path, trusted=[SigningKey.generate().public]).status == "wrong-key"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("grave", "status"), [(True, "wrong-key"), (False, "as-signed")])
def test_of_an_ended_key_a_file_counts_where_nobody_else_had_it(mark, ending, key, grave, status):
    path, ends = mark(ending), {fingerprint(key.public): (Revocation(3, grave),)}
    for trusted in ([], [key.public]):
        found = verify_file(path, trusted=trusted, revoked=ends)
        assert (found.status, found.signer_trusted) == (status, False if grave else (True if trusted else None))
        assert found.notes[-1].startswith("The key that signed was " + ("revoked" if grave else "retired"))
    path.write_bytes(b"no image")
    assert found.notes[-1] in verify_file(path, revoked=ends).notes


def test_a_partial_image_states_the_composite_source_type(mark):
    path = mark("nii", synthetic="partial")
    assert verify_file(path).synthetic == "partial"
    sidecar = json.loads(sidecar_path(path).read_bytes())
    assert sidecar["digital_source_type"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert digest_file(path).marks.synthetic == "partial"


@pytest.mark.parametrize("state", ["no", "unknown"])
def test_a_real_image_has_no_source_type_and_no_mark_in_the_file(tmp_path, state):
    path = write_nifti(tmp_path / "a.nii")
    before = path.read_bytes()
    record = Record(type="import", synthetic=state).to_dict()
    assert write_marks(path, record, voxel_v1=None, key=SigningKey.generate()) == ("sidecar",)
    assert path.read_bytes() == before
    assert json.loads(sidecar_path(path).read_bytes())["digital_source_type"] is None


def test_without_a_key_the_sidecar_says_that_nobody_signed_it(tmp_path):
    path = write_nifti(tmp_path / "a.nii")
    stamp_file(path)
    assert "nobody signed" in json.loads(sidecar_path(path).read_bytes())["unsigned"]
    found = verify_file(path)
    assert (found.status, found.intact) == ("unsigned", False)
    assert found.notes == ("Its sidecar is of this image.",)
    assert sidecar_path(path).exists()


def test_an_earlier_sidecar_is_still_read(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, volume())
    digests = digest_file(path)
    old = {"schema": "monai_ethics.sidecar/1", "synthetic": "yes", "voxel_v1": digests.voxel_v1, "sha256": "ab" * 32}
    sidecar_path(path).write_bytes(canonical(old))
    assert verify_file(path).status == "unsigned"


# transport: bytes change, what is covered does not


def test_a_nifti_stored_anew_with_its_header_is_carried(mark):
    path = mark("nii.gz")
    image = nib.load(path)
    image = nib.Nifti1Image(image.get_fdata(dtype=np.float32), image.affine, image.header)
    image.set_data_dtype(np.float32)
    nib.save(image, path)
    found = verify_file(path)
    assert (found.status, found.faults) == ("carried", {})
    assert found.fields["file"] == "changed"


def test_tags_and_transfer_syntax_of_a_dicom_file_may_change_on_the_way(mark):
    path = mark("dcm")
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.file_meta.ImplementationVersionName = "ARCHIVE"
    dataset.StationName = "ROUTER"
    dataset.private_block(0x0009, "SOMEBODY", create=True).add_new(1, "LO", "note")
    item = pydicom.Dataset()
    item.Manufacturer = "router"
    dataset.ContributingEquipmentSequence.append(item)
    dataset.save_as(path)
    found = verify_file(path)
    assert (found.status, found.faults) == ("carried", {})


# changes, each named


def test_a_flag_turned_to_no_is_named_and_refused(mark):
    """The gap of a peer: a file whose flag says NO after it was signed as synthetic verified as valid there."""
    path = mark("dcm")
    edit_dicom(path, lambda dataset: setattr(dataset, "SyntheticData", "NO"))
    found = verify_file(path)
    assert (found.status, found.faults) == ("altered", {"attribute.SyntheticData": "changed"})
    assert "It says that it is not synthetic; what was signed says that it is." in found.notes


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (lambda d: delattr(d, "SyntheticData"), {"attribute.SyntheticData": "removed"}),
        (lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY"]), {"attribute.ImageType": "changed"}),
        (lambda d: setattr(d, "Modality", "MR"), {"attribute.Modality": "changed"}),
        (lambda d: delattr(d, "ContributingEquipmentSequence"), {"attribute.ContributingEquipmentSequence": "removed"}),
        (
            lambda d: setattr(d, "PixelSpacing", [1, 1]),
            {"attribute.PixelSpacing": "changed", "geometry": "changed"},
        ),
    ],
)
def test_changes_of_dicom_attributes_are_named(mark, change, faults):
    path = mark("dcm")
    edit_dicom(path, change)
    found = verify_file(path)
    assert (found.status, found.faults) == ("altered", faults)


def test_a_lost_private_block_is_stripped_and_no_tampering(mark):
    path = mark("dcm")
    edit_dicom(path, lambda dataset: dataset.remove_private_tags())
    found = verify_file(path)
    assert (found.status, found.faults) == (
        "stripped",
        {"mark.private": "removed", "mark.statement": "removed"},
    )


def test_without_sidecar_the_embedded_statement_of_a_dicom_file_is_compared(mark):
    path = mark("dcm")
    sidecar_path(path).unlink()
    found = verify_file(path)
    assert (found.status, found.faults) == ("carried", {})
    assert "no sidecar" in found.notes[0]
    edit_dicom(path, lambda dataset: setattr(dataset, "SyntheticData", "NO"))
    assert verify_file(path).faults == {"attribute.SyntheticData": "changed"}


def test_statement_and_sidecar_hold_no_digest_of_the_patient(mark):
    path = mark("dcm")
    text = sidecar_path(path).read_text()
    assert "PatientIdentity" not in text
    assert set(verify_file(path).fields) & {"attribute.PatientIdentity", "attribute.PatientID"} == set()
    assert attrs_v1({"PatientID": "DOE-17"}, key=b"k")["PatientIdentity"] not in text


def test_changed_values_read_as_derived_with_what_is_left(mark):
    path = mark("nii")
    image = nib.load(path)
    array = image.get_fdata().astype(np.int16)
    array[4, 5, 2] += 1
    nib.save(nib.Nifti1Image(array, image.affine, image.header), path)
    found = verify_file(path)
    assert (found.status, found.faults) == ("derived", {"values": "changed"})
    assert "26 of 29 signed slices are still in it." in found.notes


def test_a_moved_affine_is_the_geometry_and_not_the_values(mark):
    path = mark("nii")
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 5
    nib.save(nib.Nifti1Image(image.get_fdata().astype(np.int16), affine, image.header), path)
    found = verify_file(path)
    assert (found.status, found.faults) == ("altered", {"geometry": "changed"})


@pytest.mark.parametrize("ending", ["nii", "png"])
def test_a_mark_that_a_tool_dropped_is_named_as_removed(mark, ending, tmp_path):
    path = mark(ending)
    if ending == "nii":
        image = nib.load(path)
        nib.save(nib.Nifti1Image(image.get_fdata().astype(np.int16), image.affine), path)
        faults = {"mark.descrip": "removed", "mark.extension": "removed"}
    else:
        pil = pytest.importorskip("PIL.Image")
        array = np.asarray(pil.open(path))
        write_png(path, array)
        faults = {"mark.text": "removed", "mark.xmp": "removed"}
    found = verify_file(path)
    assert (found.status, found.faults, found.intact) == ("stripped", faults, False)


@pytest.mark.parametrize("field", ["synthetic", "digital_source_type", "voxel_v1", "sha256", "marks", "record"])
def test_every_field_of_the_sidecar_is_compared_with_what_was_signed(mark, field):
    path = mark("npy")
    edit(path, lambda data: data.update({field: "no"}))
    found = verify_file(path)
    assert (found.status, found.faults) == ("altered", {f"sidecar.{field}": "changed"})
    edit(path, lambda data: data.pop(field))
    assert verify_file(path).faults == {f"sidecar.{field}": "removed"}


def test_a_field_more_in_the_sidecar_is_named(mark):
    path = mark("npy")
    edit(path, lambda data: data.update(approved="yes"))
    assert verify_file(path).faults == {"sidecar.approved": "added"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda data: data["statement"]["signatures"][0].update(sig="AAAA"), "signature"),
        (lambda data: data["statement"].pop("payloadType"), "signature"),
        (lambda data: data.pop("statement"), "signature"),
        (lambda data: data.update(statement=3), "signature"),
        (lambda data: data.update(schema="other"), "sidecar"),
    ],
)
def test_a_broken_statement_is_altered(mark, change, fault):
    path = mark("npy")
    edit(path, change)
    found = verify_file(path)
    assert found.status == "altered"
    assert fault in found.faults


def test_a_sidecar_of_another_image_is_noticed(mark):
    first, second = mark("nii", "a"), mark("nii", "b", volume(1))
    shutil.copy(sidecar_path(first), sidecar_path(second))
    found = verify_file(second)
    assert found.status == "altered"
    assert {"values", "mark.extension.record", "mark.descrip.record"} <= set(found.faults)


def test_a_statement_signed_again_with_another_key_is_only_seen_with_a_trusted_one(mark, key):
    path = mark("npy")
    stranger = Record(type="synthesis", synthetic="yes", limits=("none",)).to_dict()
    write_marks(path, stranger, voxel_v1=None, key=SigningKey.generate())
    assert verify_file(path).status == "as-signed"
    assert verify_file(path, trusted=[key.public]).status == "wrong-key"


def test_files_of_which_nothing_is_known_do_not_pass(tmp_path):
    write_nifti(tmp_path / "a.nii")
    found = verify_marked([tmp_path])
    assert (found.counts, found.intact) == ({"unmarked": 1}, False)


def test_damaged_files_are_unreadable_and_do_not_stop_the_others(mark, tmp_path):
    path, other = mark("nii.gz"), mark("png")
    path.write_bytes(path.read_bytes()[:-40])
    found = verify_marked([path, other])
    assert found.counts == {"as-signed": 1, "unreadable": 1}
    assert found.to_dict()["files"][0]["fields"]["file"] == "changed"
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="no images and have no sidecar"):
        verify_marked([tmp_path / "text.png"])


def test_a_format_that_cannot_be_read_is_compared_by_its_bytes(tmp_path, key):
    path = tmp_path / "a.mha"
    path.write_bytes(b"ObjectType = Image")
    record = Record(type="synthesis", synthetic="yes").to_dict()
    assert write_marks(path, record, voxel_v1="ab" * 32, key=key) == ("sidecar",)
    assert verify_file(path).status == "as-signed"
    path.write_bytes(b"ObjectType = Other")
    assert verify_file(path).status == "unreadable"


def test_a_constant_image_is_compared_by_bytes_and_says_so(tmp_path, key):
    path = write_nifti(tmp_path / "a.nii", np.zeros((5, 5, 5), np.int16))
    write_marks(path, Record(type="synthesis", synthetic="yes").to_dict(), voxel_v1=None, key=key)
    assert verify_file(path).status == "as-signed"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.ones((5, 5, 5), np.int16), image.affine, image.header), path)
    found = verify_file(path)
    assert found.fields["values"] == "not comparable"
    assert "cannot be told" in found.notes[0]


def test_what_is_printed_names_no_file_and_says_what_is_not_shown(mark):
    path = mark("png", "doe_jane")
    text = verify_marked([path]).text
    assert "doe" not in text
    assert "Not visible without a trusted key" in text
    assert "not that what was signed is true" in text


@pytest.mark.parametrize(
    ("number", "state"), [("DOE-17", "kept"), (" DOE-17 ", "kept"), ("DOE-18", "changed"), ("", "removed")]
)
def test_another_patient_is_told_by_the_evidence_and_not_by_the_file(mark, tmp_path, number, state):
    path = mark("dcm")
    edit_dicom(path, lambda dataset: setattr(dataset, "PatientID", number))
    assert verify_file(path).intact
    found = verify_marked([path], evidence=tmp_path / "evidence").files[0]
    assert found.fields["patient"] == state
    assert found.intact == (state == "kept")
    assert "DOE" not in (tmp_path / "evidence" / "log.jsonl").read_text()


def test_the_evidence_of_a_stamped_dicom_file_follows_its_schema(mark, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    mark("dcm")
    schema = json.loads(resources.files("monai_ethics").joinpath("schemas/entry-1.schema.json").read_text())
    entries = [json.loads(line) for line in (tmp_path / "evidence" / "log.jsonl").read_text().splitlines()]
    stored = [entry for entry in entries if entry["kind"] == "stored"]
    assert len(stored[0]["body"]["patient"]) == 32
    for entry in stored:
        jsonschema.validate(entry, schema)


def test_evidence_that_does_not_know_a_file_or_came_without_its_key_says_so(mark, tmp_path):
    path, other = mark("dcm"), tmp_path / "other"
    with EvidenceLog.open(other, run_id="another"):
        pass
    assert "stamped elsewhere" in verify_marked([path], evidence=other).files[0].notes[0]
    (tmp_path / "evidence" / "private" / "pseudonym.key").unlink()
    assert "cannot be told" in verify_marked([path], evidence=tmp_path / "evidence").files[0].notes[0]


def test_the_least_that_can_be_said_is_unsigned_and_no_tampering(tmp_path):
    path = write_nifti(tmp_path / "a.nii")
    write_least(path, "unknown")
    assert verify_file(path).status == "unsigned"


def test_a_lost_sidecar_is_written_again(mark, tmp_path, key):
    path = mark("nii")
    sidecar_path(path).unlink()
    assert verify_file(path).status == "unsigned"
    with EvidenceLog.open(tmp_path / "second", run_id="stamp", key=key) as log:
        stamp_files([path], log)
    assert verify_file(path).status == "as-signed"
