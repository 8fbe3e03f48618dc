# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pydicom
import pytest
from dicom_files import AT, PARTIAL, RECORD, SC, marked, scan, whole, written

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom_marks import marks_of
from monai_ethics.provenance.marks.dicom import (
    DicomOptions,
    DistributionConsent,
    mark_dataset,
    mark_dicom,
)

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
    assert "ConversionType" not in marked(scan())


def test_partly_synthetic_is_yes_for_dicom_and_partial_for_us():
    marks = marks_of(marked(scan(), PARTIAL))
    assert marks.synthetic == "partial"
    assert marked(scan(), PARTIAL).SyntheticData == "YES"


def test_texts_of_a_record_fit_into_their_fields():
    name = "Hirn-Erzeuger ü\\;[]\n" * 40
    dataset = marked(scan(DerivationDescription="x" * 1020), {**RECORD, "model": {"name": name}})
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


# consent --------------------------------------------------------------------------------------------------------------


def test_consent_is_written_as_the_module_asks():
    consents = [
        DistributionConsent(flag="YES", distribution="NAMED_PROTOCOL", protocol="P1"),
        DistributionConsent(flag="WITHDRAWN", distribution="PUBLIC_RELEASE"),
        DistributionConsent(flag="NO"),
    ]
    dataset = marked(scan(), options=DicomOptions(consents=consents))
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


def test_a_value_too_many_does_not_hide_the_flag():
    dataset = pydicom.Dataset()
    for value, state in ((["YES", "NO"], "yes"), (["NO", "NO"], "no"), (["NO", "X"], None), ("YES ", "yes")):
        dataset.SyntheticData = value
        assert marks_of(dataset).synthetic == state


@pytest.mark.parametrize("name", ["ContributingEquipmentSequence", "SharedFunctionalGroupsSequence", "ImageType"])
def test_an_attribute_of_a_wrong_type_does_not_hide_the_flag(name):
    dataset = pydicom.Dataset()
    dataset.SyntheticData = "YES"
    for kind, value in (("DS", 1.5), ("FD", [1.0, 2.0])):
        dataset[name] = pydicom.DataElement(pydicom.datadict.tag_for_keyword(name), kind, value)
        assert marks_of(dataset).synthetic == "yes"
