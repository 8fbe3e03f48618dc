# SPDX-License-Identifier: Apache-2.0
import copy
import re

import numpy as np
import pytest
from dicom_files import ANALYSIS, AT, REAL, RECORD, marked, scan, whole
from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.images.dicom_marks import marks_of
from monai_ethics.provenance.marks.dicom import (
    DicomOptions,
    IdentityCase,
    SourceImage,
    Subject,
    mark_dataset,
)

# the three identities -------------------------------------------------------------------------------------------------


def test_a_generated_subject_keeps_nothing_of_the_patient_of_the_template():
    before = scan()
    dataset = copy.deepcopy(before)
    subject = Subject()
    mark_dataset(dataset, RECORD, identity=IdentityCase.GENERATED_SUBJECT, options=DicomOptions(subject=subject, at=AT))
    data = whole(dataset)
    assert b"DOE" not in data
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert str(before[name].value).encode() not in data, name
    assert before.ReferencedImageSequence[0].ReferencedSOPInstanceUID.encode() not in data
    assert b"19600102" not in data
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
    mark_dataset(dataset, RECORD, identity=IdentityCase.GENERATED_SUBJECT, options=DicomOptions(at=AT))
    left = []

    def look(part):
        for element in part:
            if element.VR == "SQ":
                for item in element.value:
                    look(item)
            elif any(word in str(element.value) for word in ("DOE", "1.2.3.4711", "19600102", "194237")):
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
        marked(scan(), identity=IdentityCase.GENERATED_SUBJECT, options=DicomOptions(subject=subject)) for _ in range(2)
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
    dataset = marked(scan(), identity=IdentityCase.PATIENT_DERIVED, options=options)
    (item,) = dataset.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == source.sop_instance
    assert dataset.SyntheticData == "YES"
    assert (dataset.PatientID == "DOE-4711") is clinical_use
    assert (b"DOE" in whole(dataset)) is clinical_use
    assert (dataset.get("PatientIdentityRemoved") == "YES") is not clinical_use


def test_the_analysis_of_a_real_image_keeps_its_patient_and_gets_no_flag():
    dataset = scan()
    assert (
        mark_dataset(dataset, ANALYSIS, identity=IdentityCase.ANALYSIS, options=DicomOptions(inputs=[None]))
        == "unknown"
    )
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
    found = mark_dataset(dataset, ANALYSIS, identity=IdentityCase.ANALYSIS, options=DicomOptions(inputs=inputs))
    assert found == state == marks_of(dataset).synthetic
    assert dataset.SyntheticData == "YES"
    assert dataset.SeriesDescription.startswith("SYNTHETIC")
    assert dataset.PatientID == "DOE-4711"


def test_absent_never_becomes_no_and_yes_is_never_removed():
    assert "SyntheticData" not in marked(scan(), REAL)
    assert marked(scan(), REAL).get("SeriesDescription") == "t1 DOE"
    dataset = marked(scan(SyntheticData="YES"), ANALYSIS, identity=IdentityCase.ANALYSIS)
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
        (IdentityCase.GENERATED_SUBJECT, ANALYSIS, DicomOptions()),
        (IdentityCase.GENERATED_SUBJECT, RECORD, DicomOptions(sources=[SourceImage.of(scan())])),
        (IdentityCase.PATIENT_DERIVED, RECORD, DicomOptions()),
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
        mark_dataset(dataset, RECORD, identity=IdentityCase.PATIENT_DERIVED, options=options)


@pytest.mark.parametrize("patient_id", ["DOE", "SYN-", "SYN-a b", "SYN-" + "x" * 61])
def test_ids_of_generated_subjects_are_recognizable(patient_id):
    with pytest.raises(InputError, match="generated subject's id"):
        Subject(patient_id=patient_id)
