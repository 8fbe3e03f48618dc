# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pydicom
import pytest
from dicom_files import ANALYSIS, PARTIAL, PIXELS, RECORD, marked, scan, whole, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom_marks import CREATOR, GROUP, MARK, marks_of
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.images.read import read_image
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.dicom import (
    DicomOptions,
    apply_provenance,
    copy_marks,
    mark_dicom,
)
from monai_ethics.provenance.marks.sidecar import write_marks
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files
from monai_ethics.provenance.signed.envelope import read_statement

# files ----------------------------------------------------------------------------------------------------------------

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_a_file_is_marked_in_its_own_transfer_syntax_without_touching_a_pixel(tmp_path, syntax, key):
    path = written(scan(), tmp_path / "a.dcm", syntax=syntax)
    path.chmod(0o640)
    before, digests = pydicom.dcmread(path), digest_file(path)
    assert mark_dicom(path, RECORD, voxel_v1=digests.voxel_v1, key=key) == "yes"
    after = pydicom.dcmread(path)
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.PixelData == before.PixelData
    assert path.stat().st_mode & 0o777 == 0o640
    found = digest_file(path)
    assert (found.voxel_v1, found.geometry_v1) == (digests.voxel_v1, digests.geometry_v1)
    marks = read_image(path).marks
    assert (marks.synthetic, marks.record, marks.voxel_v1) == ("yes", RECORD["id"], digests.voxel_v1)
    assert not marks.contradiction
    statement = read_statement(json.loads(marks.statement))
    assert statement.signature_holds
    assert statement.record["id"] == RECORD["id"]
    assert statement.subjects["image"]["voxel_v1"] == digests.voxel_v1
    assert statement.subjects["attributes"] == dict(found.attrs_v1)
    assert "sha256" not in json.dumps(statement.subjects)
    assert [item.name for item in tmp_path.iterdir()] == ["a.dcm"]


def test_a_file_of_several_frames_brings_back_its_marks(tmp_path):
    pixels = np.stack([PIXELS, PIXELS + 1, PIXELS + 2])
    dataset = scan(sop_class="1.2.840.10008.5.1.4.1.1.4.1", pixels=pixels, NumberOfFrames=3)
    dataset.ImageType = ["MIXED", "PRIMARY", "M", "NONE"]
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    group = Dataset()
    group.MRImageFrameTypeSequence = [kind]
    dataset.SharedFunctionalGroupsSequence = [group]
    path = written(dataset, tmp_path / "a.dcm", syntax=ImplicitVRLittleEndian)
    assert read_image(path).marks.derived is False
    mark_dicom(path, PARTIAL)
    marks = read_image(path).marks
    assert (marks.synthetic, marks.record, marks.derived) == ("partial", PARTIAL["id"], True)
    after = pydicom.dcmread(path)
    assert after.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
    assert after.ImageType[0] == "DERIVED"


def test_values_that_break_the_rules_of_their_types_do_not_stop_a_mark(tmp_path):
    text = "T1 \N{GREEK SMALL LETTER ALPHA} " * 20
    with quiet_dicom():
        dataset = scan(SpecificCharacterSet="ISO_IR 192", SeriesDescription=text)
        dataset.ImageType = ["original", "lower case, and far too long"]
        dataset.PatientAge, dataset.ScanOptions = "old", "x" * 40
        path = written(dataset, tmp_path / "a.dcm")
    assert mark_dicom(path, RECORD) == "yes"
    with quiet_dicom():
        after = pydicom.dcmread(path)
        assert list(after.ImageType) == ["DERIVED", "lower case, and far too long"]
        assert after.SeriesDescription.startswith("SYNTHETIC T1 \N{GREEK SMALL LETTER ALPHA}")
        assert after.PatientAge == "old"


def test_what_is_no_dicom_is_refused_and_stays(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"something else" * 20)
    with pytest.raises(InputError, match="Expected a DICOM file"):
        mark_dicom(path, RECORD)
    assert path.read_bytes() == b"something else" * 20


def test_a_copy_is_marked_for_deployed_applications_and_its_origin_is_not():
    dataset = scan()
    before = whole(dataset)
    marked = apply_provenance(dataset, ANALYSIS, options=DicomOptions(inputs=["yes"]))
    assert whole(dataset) == before
    assert marks_of(marked).synthetic == "yes"


def test_the_name_of_a_file_does_not_decide_whether_it_is_marked(tmp_path, key):
    path = written(scan(), tmp_path / "IM0001")
    assert write_marks(path, RECORD, voxel_v1=digest_file(path).voxel_v1, key=key) == ("header", "sidecar")
    assert read_image(path).marks.statement


def test_stamping_marks_dicom_and_the_guard_reads_it(tmp_path, key):
    files = [written(scan(pixels=PIXELS + number), tmp_path / f"{number}.dcm") for number in range(2)]
    denying = written(scan(pixels=PIXELS + 9, SyntheticData="NO"), tmp_path / "9.dcm")
    real = written(
        scan(pixels=np.random.default_rng(1).integers(0, 4000, (40, 60)).astype(np.uint16)), tmp_path / "5.dcm"
    )
    with EvidenceLog.open(tmp_path / "evidence", run_id="stamp", key=key) as log:
        result = stamp_files([*files, denying], log)
        assert [item.marks for item in result.items] == [("header", "sidecar")] * 2 + [("sidecar",)]
        again = stamp_files(files, log)
        assert [item.marks for item in again.items] == [(), ()]
    assert pydicom.dcmread(denying).SyntheticData == "NO"
    assert pydicom.dcmread(files[0]).PatientID == "DOE-4711"
    for file in (*files, denying):
        file.with_name(file.name + ".prov.json").unlink()
    found = admit([*files, denying, real], tmp_path / "evidence", "deny-list")
    assert [row.kind for row in found.rows] == ["synthetic-declared"] * 2 + ["conflict", "unknown"]
    assert found.refused == (1, 2, 3)
    assert found.rows[0].record == result.items[0].record


# what is read ---------------------------------------------------------------------------------------------------------


def test_a_profile_that_removes_private_tags_leaves_the_beginning_of_the_id():
    dataset = marked(scan())
    dataset.remove_private_tags()
    del dataset.DerivationDescription
    marks = marks_of(dataset)
    assert marks.synthetic == "yes"
    assert marks.record == RECORD["id"][:-4]
    assert marks.names(RECORD["id"])
    assert not marks.names(PARTIAL["id"])


def test_equipment_that_synthesizes_speaks_where_the_flag_was_removed():
    dataset = marked(scan())
    dataset.remove_private_tags()
    del dataset.SyntheticData
    assert marks_of(dataset).synthetic == "yes"


def test_contradicting_marks_are_named():
    turned = marked(scan())
    turned.SyntheticData = "NO"
    assert marks_of(turned).synthetic == "no"
    assert marks_of(turned).contradiction == "says that it is not synthetic, but names what synthesized it"
    other = marked(scan())
    other.ContributingEquipmentSequence[0].SoftwareVersions = "me1:" + "0" * 60
    assert "one record in its private block and another" in marks_of(other).contradiction


def test_marks_are_carried_to_what_a_tool_made_of_a_file():
    source, target = marked(scan(), voxel_v1="ab" * 32), scan()
    copy_marks(source, target)
    assert marks_of(target) == marks_of(source)
    silent = scan()
    copy_marks(silent, target)
    assert target.SyntheticData == "YES"


ELEMENTS = ["SyntheticData", "ImageType", "ContributingEquipmentSequence", "private", "SeriesDescription"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(ELEMENTS), unique=True),
    st.text(max_size=80),
    st.sampled_from(["text", "number", "bytes", "empty"]),
)
def test_damaged_marks_are_read_without_an_error_and_say_nothing_new(names, text, kind):
    dataset = marked(scan())
    for name in names:
        if name == "private":
            value = {"text": text, "number": json.dumps({"schema": 1}), "bytes": text.encode(), "empty": ""}[kind]
            block = dataset.private_block(GROUP, CREATOR)
            block.add_new(MARK, "UN" if kind == "bytes" else "UT", value)
        elif name == "ContributingEquipmentSequence":
            dataset.ContributingEquipmentSequence = [Dataset()] if kind == "text" else []
        elif kind == "empty":
            dataset[name].value = None
        else:
            del dataset[name]
    marks = marks_of(dataset)
    assert marks.synthetic in ("yes", None)
    assert marks.record is None or RECORD["id"].startswith(marks.record)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_edit_of_the_private_mark_gives_no_other_record_unsaid(data):
    """One changed byte of the mark: it is damaged, or it contradicts the equipment, or it is the mark."""
    dataset = marked(scan(), voxel_v1="ab" * 32)
    element = dataset.private_block(GROUP, CREATOR)[MARK]
    text = element.value
    place = data.draw(st.integers(0, len(text) - 1))
    element.value = text[:place] + data.draw(st.sampled_from('0a9Z"{')) + text[place + 1 :]
    marks = marks_of(dataset)
    assert marks.synthetic == "yes"
    assert RECORD["id"].startswith(marks.record[:67]) or marks.contradiction
