# SPDX-License-Identifier: Apache-2.0
import copy
import io
import json
import re
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.envelope import read_statement
from monai_ethics.provenance.images.dicom_marks import CREATOR, GROUP, MARK, marks_of
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.images.read import read_image
from monai_ethics.provenance.log.writer import EvidenceLog
from monai_ethics.provenance.marks.dicom import (
    DicomOptions,
    DistributionConsent,
    Identity,
    SourceImage,
    Subject,
    apply_provenance,
    copy_marks,
    mark_dataset,
    mark_dicom,
)
from monai_ethics.provenance.marks.sidecar import write_marks
from monai_ethics.provenance.record import Record
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files

MR, SC = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RECORD = Record(type="synthesis", synthetic="yes", model={"name": "brain generator"}).to_dict()
PARTIAL = Record(type="synthesis", synthetic="partial").to_dict()
ANALYSIS = Record(type="inference", synthetic="unknown", model={"name": "segmenter"}).to_dict()
REAL = Record(type="import", synthetic="no").to_dict()
PIXELS = np.random.default_rng(0).integers(0, 4000, (40, 60)).astype(np.uint16)


def scan(*, sop_class=MR, pixels=PIXELS, **further):
    """An image as a scanner sends it, full of what tells of a person."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "DOE-SCANNER"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "DOE^JANE", "DOE-4711", "19600102"
    dataset.InstitutionName, dataset.StudyDescription, dataset.ProtocolName = "DOE clinic", "DOE study", "DOE head"
    dataset.ReferringPhysicianName, dataset.AccessionNumber, dataset.StudyDate = "DOE^REF", "DOE-1", "20200304"
    dataset.SeriesDescription, dataset.DeviceSerialNumber, dataset.ImageComments = "t1 DOE", "DOE-7", "of DOE"
    dataset.RepetitionTime, dataset.ScanningSequence = 500, "SE"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, generate_uid()
    dataset.ReferencedImageSequence = [reference]
    dataset.private_block(0x0011, "DOE VENDOR", create=True).add_new(1, "LO", "DOE private")
    dataset.add_new((0x6000, 0x4000), "LT", "DOE overlay comment")
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelData = pixels.tobytes()
    for name, value in further.items():
        setattr(dataset, name, value)
    return dataset


def written(dataset, path, *, syntax=ExplicitVRLittleEndian):
    dataset = copy.deepcopy(dataset)
    if syntax == RLELossless:
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset["PixelData"].VR = "OW"
    pydicom.dcmwrite(
        path,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return path


def whole(dataset):
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


# what is written ------------------------------------------------------------------------------------------------------


def test_a_synthetic_image_says_so_in_every_place():
    dataset = scan()
    assert mark_dataset(dataset, RECORD, voxel_v1="ab" * 32, options=DicomOptions(at=AT)) == "yes"
    assert dataset[0x0008, 0x001C].value == "YES"
    assert list(dataset.ImageType) == ["DERIVED", "PRIMARY", "M"]
    assert dataset.SeriesDescription == "SYNTHETIC t1 DOE"
    (item,) = dataset.ContributingEquipmentSequence
    purpose = item.PurposeOfReferenceCodeSequence[0]
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning) == (
        "109100",
        "DCM",
        "Synthesizing Equipment",
    )
    word = item.SoftwareVersions[0]
    assert word == "me1:" + RECORD["id"].removeprefix("sha256:")[:60]
    assert len(word) == 64
    assert item.ManufacturerModelName == "brain generator"
    assert item.ContributionDateTime == "20260102030405+0000"
    assert word in dataset.DerivationDescription
    marks = marks_of(dataset)
    assert (marks.synthetic, marks.record, marks.voxel_v1) == ("yes", RECORD["id"], "ab" * 32)
    assert marks.derived
    assert marks.names(RECORD["id"])
    assert not marks.contradiction


def test_pixels_and_identity_stay_where_no_identity_case_is_given():
    dataset, before = scan(), scan()
    mark_dataset(dataset, RECORD)
    assert dataset.PixelData == before.PixelData
    assert dataset.PatientID == "DOE-4711"
    assert "PatientIdentityRemoved" not in dataset


def test_the_longest_value_is_not_padded_beyond_its_type(tmp_path):
    path = written(scan(), tmp_path / "a.dcm")
    mark_dicom(path, RECORD)
    versions = pydicom.dcmread(path).ContributingEquipmentSequence[0].SoftwareVersions  # warnings are errors here
    assert max(map(len, versions)) == 64


def test_marking_again_changes_nothing():
    dataset = scan()
    mark_dataset(dataset, RECORD, voxel_v1="ab" * 32, options=DicomOptions(overlay=True, at=AT))
    once = whole(dataset)
    mark_dataset(dataset, RECORD, voxel_v1="ab" * 32, options=DicomOptions(overlay=True, at=AT))
    assert whole(dataset) == once


def test_another_record_comes_besides_the_earlier_one():
    dataset = scan()
    mark_dataset(dataset, RECORD)
    mark_dataset(dataset, PARTIAL)
    assert len(dataset.ContributingEquipmentSequence) == 2
    assert marks_of(dataset).record == PARTIAL["id"]
    assert dataset.SyntheticData == "YES"
    assert dataset.SeriesDescription == "SYNTHETIC (partly) t1 DOE"
    assert not marks_of(dataset).contradiction


def test_secondary_captures_are_of_conversion_type_syn():
    dataset = scan(sop_class=SC, ConversionType="WSD")
    mark_dataset(dataset, RECORD)
    assert dataset.ConversionType == "SYN"
    assert "ConversionType" not in _marked(scan())


def _marked(dataset, record=RECORD, **further):
    mark_dataset(dataset, record, **further)
    return dataset


def test_partly_synthetic_is_yes_for_dicom_and_partial_for_us():
    marks = marks_of(_marked(scan(), PARTIAL))
    assert marks.synthetic == "partial"
    assert _marked(scan(), PARTIAL).SyntheticData == "YES"


def test_texts_of_a_record_fit_into_their_fields():
    name = "Hirn-Erzeuger ü\\;[]\n" * 40
    dataset = _marked(scan(DerivationDescription="x" * 1020), {**RECORD, "model": {"name": name}})
    item = dataset.ContributingEquipmentSequence[0]
    assert len(item.ManufacturerModelName) <= 64
    assert item.ManufacturerModelName.isascii()
    assert len(dataset.DerivationDescription) <= 1024
    assert dataset.DerivationDescription.startswith("xxx")


# the word on the image ------------------------------------------------------------------------------------------------


def test_the_overlay_shows_the_word_and_leaves_the_pixels(tmp_path):
    dataset = scan(pixels=np.zeros((64, 128), np.uint16))
    del dataset[0x6000, 0x4000]
    mark_dataset(dataset, RECORD, options=DicomOptions(overlay=True))
    plane = dataset.overlay_array(0x6000)
    assert plane.shape == (64, 128)
    lines = ["".join(".#"[value] for value in row[:20]) for row in plane[1:8]]
    assert lines[0] == "..####.#...#.#...#.#"
    assert not dataset.pixel_array.any()
    path = tmp_path / "a.dcm"
    path.write_bytes(whole(dataset))
    assert np.array_equal(pydicom.dcmread(path).overlay_array(0x6000), plane)


def test_an_overlay_takes_the_next_free_group():
    dataset = scan(pixels=np.zeros((64, 128), np.uint16))
    dataset.add_new((0x6000, 0x0010), "US", 4)
    mark_dataset(dataset, RECORD, options=DicomOptions(overlay=True))
    assert dataset[0x6002, 0x1500].value == "SYNTHETIC"


@pytest.mark.parametrize("change", [{"Rows": 8, "Columns": 20}, {"NumberOfFrames": 3}, {"Rows": None}])
def test_an_overlay_that_cannot_be_drawn_is_refused(change):
    with pytest.raises(InputError, match="overlay"):
        mark_dataset(scan(**change), RECORD, options=DicomOptions(overlay=True))


# the three identities -------------------------------------------------------------------------------------------------


def test_a_generated_subject_keeps_nothing_of_the_patient_of_the_template():
    before = scan()
    dataset = copy.deepcopy(before)
    subject = Subject()
    mark_dataset(dataset, RECORD, identity=Identity.GENERATED_SUBJECT, options=DicomOptions(subject=subject, at=AT))
    data = whole(dataset)
    assert b"DOE" not in data
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert str(before[name].value).encode() not in data, name
    assert before.ReferencedImageSequence[0].ReferencedSOPInstanceUID.encode() not in data
    assert b"1960" not in data
    assert re.fullmatch("SYN-[0-9A-F]{16}", dataset.PatientID)
    assert dataset.StudyInstanceUID == subject.study
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert "SourceImageSequence" not in dataset
    assert (dataset.PatientIdentityRemoved, dataset.DeidentificationMethod) == ("YES", "No patient: generated")
    assert "DeidentificationMethodCodeSequence" not in dataset
    assert dataset.RecognizableVisualFeatures == "YES"
    assert (dataset.RepetitionTime, dataset.ScanningSequence) == (500, "SE")
    assert np.array_equal(dataset.pixel_array, before.pixel_array)


TEXT = {
    **dict.fromkeys(("LO", "SH", "LT", "ST", "UT", "UC", "PN"), "DOE"),
    "AE": "DOE",
    "UR": "http://DOE",
    "UI": "1.2.3.4711",
    "DA": "19600102",
    "TM": "194237",
    "DT": "19600102",
}


def _planted():
    """A dataset that names a person in every text attribute that the standard has, and in items of every sequence."""
    dataset, item = scan(), Dataset()
    for tag, (value_type, _, _, _, keyword) in DicomDictionary.items():
        kind = value_type.split(" or ")[0]
        if keyword and tag >> 16 not in (0x0002, 0x0000, 0x7FE0) and kind in TEXT and keyword != "SOPClassUID":
            item.add_new(tag, kind, TEXT[kind])
    for tag, (value_type, _, _, _, keyword) in DicomDictionary.items():
        if value_type == "SQ" and keyword:
            dataset.add_new(tag, "SQ", [copy.deepcopy(item)] if keyword in KEPT else [])
    nested = copy.deepcopy(item)
    nested.PlanePositionSequence = [copy.deepcopy(item)]
    nested.ReferencedImageSequence = [copy.deepcopy(item)]
    dataset.SharedFunctionalGroupsSequence = [nested]
    for element in item:
        if element.keyword not in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            dataset[element.tag] = copy.deepcopy(element)
    return dataset, len(item)


KEPT = {"AnatomicRegionSequence", "SegmentSequence", "DimensionOrganizationSequence", "SourceImageSequence"}


def test_no_text_attribute_of_the_standard_keeps_a_person():
    dataset, n = _planted()
    dataset.preamble = b"DOE".ljust(128, b"\0")
    mark_dataset(dataset, RECORD, identity=Identity.GENERATED_SUBJECT, options=DicomOptions(at=AT))
    left = []

    def look(part):
        for element in part:
            if element.VR == "SQ":
                for item in element.value:
                    look(item)
            elif any(word in str(element.value) for word in ("DOE", "4711", "1960", "194237")):
                left.append(element.keyword)

    look(dataset)
    technical = {
        "CodeMeaning",
        "CodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "ConvolutionKernel",
        "Manufacturer",
        "ManufacturerModelName",
        "RescaleType",
        "SegmentAlgorithmName",
        "SegmentLabel",
        "SequenceName",
        "SoftwareVersions",
    }
    assert set(left) <= technical
    assert dataset.preamble == b"\0" * 128
    assert "SourceApplicationEntityTitle" not in dataset.file_meta
    print(f"{n} text attributes planted at three depths, {len(technical)} technical ones stay")


def test_files_of_one_subject_share_study_and_series():
    subject = Subject(patient_id="SYN-1")
    one, two = (
        _marked(scan(), identity=Identity.GENERATED_SUBJECT, options=DicomOptions(subject=subject)) for _ in range(2)
    )
    assert (one.PatientID, one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID) == (
        two.PatientID,
        two.StudyInstanceUID,
        two.SeriesInstanceUID,
        two.FrameOfReferenceUID,
    )
    assert one.SOPInstanceUID != two.SOPInstanceUID


@pytest.mark.parametrize("clinical_use", [True, False])
def test_a_patient_derived_image_names_its_source_and_the_patient_only_in_clinical_use(clinical_use):
    source = SourceImage.of(scan())
    options = DicomOptions(sources=[source], clinical_use=clinical_use)
    dataset = _marked(scan(), identity=Identity.PATIENT_DERIVED, options=options)
    (item,) = dataset.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == source.sop_instance
    assert dataset.SyntheticData == "YES"
    assert (dataset.PatientID == "DOE-4711") is clinical_use
    assert (b"DOE" in whole(dataset)) is clinical_use
    assert (dataset.get("PatientIdentityRemoved") == "YES") is not clinical_use


def test_the_analysis_of_a_real_image_keeps_its_patient_and_gets_no_flag():
    dataset = scan()
    assert mark_dataset(dataset, ANALYSIS, identity=Identity.ANALYSIS, options=DicomOptions(inputs=[None])) == "unknown"
    assert "SyntheticData" not in dataset
    assert dataset.PatientID == "DOE-4711"
    assert dataset.SeriesDescription == "t1 DOE"
    purpose = dataset.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0]
    assert purpose.CodeValue == "109102"
    marks = marks_of(dataset)
    assert marks.synthetic is None
    assert marks.record == ANALYSIS["id"]


@pytest.mark.parametrize(
    ("inputs", "state"),
    [(["yes"], "yes"), (["yes", None], "partial"), (["partial"], "partial"), (["no", "yes"], "partial")],
)
def test_what_is_made_from_synthetic_images_is_marked(inputs, state):
    dataset = scan()
    found = mark_dataset(dataset, ANALYSIS, identity=Identity.ANALYSIS, options=DicomOptions(inputs=inputs))
    assert found == state == marks_of(dataset).synthetic
    assert dataset.SyntheticData == "YES"
    assert dataset.SeriesDescription.startswith("SYNTHETIC")
    assert dataset.PatientID == "DOE-4711"


def test_absent_never_becomes_no_and_yes_is_never_removed():
    assert "SyntheticData" not in _marked(scan(), REAL)
    assert _marked(scan(), REAL).get("SeriesDescription") == "t1 DOE"
    dataset = _marked(scan(SyntheticData="YES"), ANALYSIS, identity=Identity.ANALYSIS)
    assert dataset.SyntheticData == "YES"
    assert marks_of(dataset).synthetic == "yes"


@pytest.mark.parametrize(
    ("flag", "record", "inputs"),
    [("NO", RECORD, []), ("NO", ANALYSIS, ["yes"]), ("YES", REAL, []), (None, REAL, ["partial"])],
)
def test_contradictions_are_refused_and_change_nothing(flag, record, inputs):
    dataset = scan(**({"SyntheticData": flag} if flag else {}))
    before = whole(dataset)
    with pytest.raises(GateError, match="Find out which is right"):
        mark_dataset(dataset, record, options=DicomOptions(inputs=inputs))
    assert whole(dataset) == before


@pytest.mark.parametrize(
    ("identity", "record", "options"),
    [
        (Identity.GENERATED_SUBJECT, ANALYSIS, DicomOptions()),
        (Identity.GENERATED_SUBJECT, RECORD, DicomOptions(sources=[SourceImage.of(scan())])),
        (Identity.PATIENT_DERIVED, RECORD, DicomOptions()),
        (None, {"synthetic": "yes"}, DicomOptions()),
        (None, {"synthetic": "yes", "id": "sha256:1"}, DicomOptions()),
    ],
)
def test_what_does_not_go_together_is_refused_and_changes_nothing(identity, record, options):
    dataset = scan()
    before = whole(dataset)
    with pytest.raises(InputError):
        mark_dataset(dataset, record, identity=identity, options=options)
    assert whole(dataset) == before


def test_a_patient_derived_image_is_not_its_own_source():
    dataset = scan()
    options = DicomOptions(sources=[SourceImage.of(dataset)], clinical_use=True)
    with pytest.raises(InputError, match="of its own"):
        mark_dataset(dataset, RECORD, identity=Identity.PATIENT_DERIVED, options=options)


@pytest.mark.parametrize("patient_id", ["DOE", "SYN-", "SYN-a b", "SYN-" + "x" * 61])
def test_ids_of_generated_subjects_are_recognizable(patient_id):
    with pytest.raises(InputError, match="generated subject's id"):
        Subject(patient_id=patient_id)


# consent --------------------------------------------------------------------------------------------------------------


def test_consent_is_written_as_the_module_asks():
    consents = [
        DistributionConsent(flag="YES", distribution="NAMED_PROTOCOL", protocol="P1"),
        DistributionConsent(flag="WITHDRAWN", distribution="PUBLIC_RELEASE"),
        DistributionConsent(flag="NO"),
    ]
    dataset = _marked(scan(), options=DicomOptions(consents=consents))
    items = dataset[0x0012, 0x0083].value
    assert [item.ConsentForDistributionFlag for item in items] == ["YES", "WITHDRAWN", "NO"]
    assert [item.get("DistributionType") for item in items] == ["NAMED_PROTOCOL", "PUBLIC_RELEASE", None]
    assert [item.get("ClinicalTrialProtocolID") for item in items] == ["P1", None, None]
    assert dataset.ClinicalTrialTimePointID == ""


@pytest.mark.parametrize(
    "content",
    [
        {"flag": "MAYBE"},
        {"flag": "YES"},
        {"flag": "YES", "distribution": "EVERYWHERE"},
        {"flag": "YES", "distribution": "NAMED_PROTOCOL"},
        {"flag": "YES", "distribution": "PUBLIC_RELEASE", "protocol": "P1"},
    ],
)
def test_consent_that_the_module_does_not_know_is_refused(content):
    with pytest.raises(InputError, match="consent"):
        DistributionConsent(**content)


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
    marked = digest_file(path)
    assert (marked.voxel_v1, marked.geometry_v1) == (digests.voxel_v1, digests.geometry_v1)
    marks = read_image(path).marks
    assert (marks.synthetic, marks.record, marks.voxel_v1) == ("yes", RECORD["id"], digests.voxel_v1)
    assert not marks.contradiction
    statement = read_statement(json.loads(marks.statement))
    assert statement.signature_holds
    assert statement.record["id"] == RECORD["id"]
    assert statement.subjects["image"]["voxel_v1"] == digests.voxel_v1
    assert statement.subjects["attributes"] == dict(marked.attrs_v1)
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
    dataset = _marked(scan())
    dataset.remove_private_tags()
    del dataset.DerivationDescription
    marks = marks_of(dataset)
    assert marks.synthetic == "yes"
    assert marks.record == RECORD["id"][:-4]
    assert marks.names(RECORD["id"])
    assert not marks.names(PARTIAL["id"])


def test_equipment_that_synthesizes_speaks_where_the_flag_was_removed():
    dataset = _marked(scan())
    dataset.remove_private_tags()
    del dataset.SyntheticData
    assert marks_of(dataset).synthetic == "yes"


def test_contradicting_marks_are_named():
    turned = _marked(scan())
    turned.SyntheticData = "NO"
    assert marks_of(turned).synthetic == "no"
    assert marks_of(turned).contradiction == "says that it is not synthetic, but names what synthesized it"
    other = _marked(scan())
    other.ContributingEquipmentSequence[0].SoftwareVersions = "me1:" + "0" * 60
    assert "one record in its private block and another" in marks_of(other).contradiction


def test_marks_are_carried_to_what_a_tool_made_of_a_file():
    source, target = _marked(scan(), voxel_v1="ab" * 32), scan()
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
    dataset = _marked(scan())
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
    dataset = _marked(scan(), voxel_v1="ab" * 32)
    element = dataset.private_block(GROUP, CREATOR)[MARK]
    text = element.value
    place = data.draw(st.integers(0, len(text) - 1))
    element.value = text[:place] + data.draw(st.sampled_from('0a9Z"{')) + text[place + 1 :]
    marks = marks_of(dataset)
    assert marks.synthetic == "yes"
    assert RECORD["id"].startswith(marks.record[:67]) or marks.contradiction
