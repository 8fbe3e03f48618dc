# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pydicom
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat
from pydicom.datadict import dictionary_VR

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.images.digest import digest_file, geometry_v1, voxel_v1
from monai_ethics.provenance.images.read import read_image
from monai_ethics.provenance.marks.dicom import DicomOptions, Subject
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.records.record import Record

RECORD = Record(type="synthesis", synthetic="yes", model={"name": "brain generator"}).to_dict()
REAL = Record(type="import", synthetic="no").to_dict()
OBLIQUE = from_matvec(euler2mat(0.2, -0.3, 0.4) @ np.diag([0.9, 1.1, 2.5]), [-10, 20, 5])
VOLUME = np.random.default_rng(0).integers(0, 900, (12, 10, 4))


def write(folder, array=VOLUME, affine=OBLIQUE, modality="MR", record=RECORD, **further):
    return write_synthetic_dicom(array, affine, folder / "out", modality=modality, record=record, **further)


@pytest.mark.parametrize("modality", ["MR", "CT"])
def test_slices_lie_where_the_affine_puts_them(tmp_path, modality):
    paths = write(tmp_path, modality=modality)
    assert [path.name for path in paths] == [f"slice-{number:04d}.dcm" for number in range(1, 5)]
    for number, path in enumerate(paths):
        moved = OBLIQUE.copy()
        moved[:3, 3] += number * OBLIQUE[:3, 2]
        digests = digest_file(path)
        one = VOLUME[:, :, number : number + 1]
        assert digests.voxel_v1 == voxel_v1(one, affine=moved, axes="xyz")
        affine = read_image(path).affine
        assert affine == pytest.approx(moved, abs=1e-6)
        assert digests.geometry_v1 == geometry_v1(one.shape, affine)


def test_every_file_is_marked_for_its_own_values(tmp_path):
    for path in write(tmp_path):
        digests = digest_file(path)
        marks = digests.marks
        assert (marks.synthetic, marks.record, marks.voxel_v1) == ("yes", RECORD["id"], digests.voxel_v1)


def test_a_series_is_of_one_subject_who_does_not_exist(tmp_path):
    files = [pydicom.dcmread(path) for path in write(tmp_path)]
    for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({file[name].value for file in files}) == 1, name
    assert len({file.SOPInstanceUID for file in files}) == 4
    assert [file.InstanceNumber for file in files] == [1, 2, 3, 4]
    first = files[0]
    assert first.PatientID.startswith("SYN-")
    assert (first.BurnedInAnnotation, first.RecognizableVisualFeatures) == ("NO", "YES")
    assert "SourceImageSequence" not in first


def test_values_have_the_types_of_the_dictionary(tmp_path):
    def check(dataset):
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    check(item)
            elif not element.tag.is_private:
                allowed = dictionary_VR(element.tag).split(" or ")
                assert element.VR in allowed, element.keyword

    for number, modality in enumerate(("MR", "CT", "SC")):
        options = DicomOptions(subject=Subject())
        paths = write_synthetic_dicom(
            VOLUME, OBLIQUE, tmp_path / str(number), modality=modality, record=RECORD, options=options
        )
        check(pydicom.dcmread(paths[0]))


@pytest.mark.parametrize(
    ("modality", "values", "kind", "expected"),
    [
        ("MR", [[0, 70000]], "uint16", [[0, 4095]]),
        ("MR", [[-5, 900]], "int16", [[-5, 900]]),
        ("MR", [[0.0, 0.5, 1.0]], "uint16", [[0, 2048, 4095]]),
        ("CT", [[-1000.4, 3000.6]], "int16", [[-1000, 3001]]),
        ("SC", [[0, 255]], "uint8", [[0, 255]]),
        ("SC", [[0, 256]], "uint16", [[0, 256]]),
        ("SC", [[0.0, 0.25]], "uint8", [[0, 64]]),
        ("SC", [[-1.0, 1.0]], "uint8", [[0, 255]]),
        ("SC", [[True, False]], "uint8", [[255, 0]]),
    ],
)
def test_values_are_stored_as_they_are_or_by_a_stated_rule(tmp_path, modality, values, kind, expected):
    (path,) = write(tmp_path, np.array(values), np.eye(4), modality)
    stored = pydicom.dcmread(path).pixel_array
    assert stored.dtype == kind
    assert stored.T.tolist() == expected


def test_what_the_subject_was_generated_to_be_can_be_said(tmp_path):
    attributes = {"PatientSex": "F", "PatientAge": "060Y", "BodyPartExamined": "KNEE", "EchoTime": 30}
    (path,) = write(tmp_path, VOLUME[..., 0], attributes=attributes, options=DicomOptions(description="t1"))
    file = pydicom.dcmread(path)
    assert (file.PatientSex, file.PatientAge, file.BodyPartExamined, file.EchoTime) == ("F", "060Y", "KNEE", 30)
    assert file.SeriesDescription == "SYNTHETIC t1"


@pytest.mark.parametrize(
    "attributes", [{"PatientName": "A"}, {"SyntheticData": "NO"}, {"NoSuchWord": 1}, {"StudyInstanceUID": "1.2"}]
)
def test_identities_and_marks_cannot_be_set_by_attributes(tmp_path, attributes):
    with pytest.raises(InputError, match="`attributes` must be"):
        write(tmp_path, attributes=attributes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"modality": "PT"}, "`modality`"),
        ({"array": VOLUME[None]}, "shape"),
        ({"array": VOLUME[:0]}, "shape"),
        ({"array": VOLUME.astype(complex)}, "shape"),
        ({"array": np.full((3, 3), np.nan)}, "finite"),
        ({"affine": None}, "affine"),
        ({"affine": np.zeros((4, 4))}, "affine"),
        ({"affine": from_matvec([[1, 1, 0], [0, 1, 0], [0, 0, 1]])}, "right angles"),
        ({"array": VOLUME * 100, "modality": "CT"}, "Hounsfield"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_file_appears(tmp_path, change, says):
    with pytest.raises(InputError, match=says):
        write(tmp_path, **change)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_denies_is_refused(tmp_path):
    with pytest.raises((InputError, GateError)):
        write(tmp_path, record=REAL)
    assert list(tmp_path.rglob("*.dcm")) == []


def test_nothing_is_overwritten(tmp_path):
    write(tmp_path)
    with pytest.raises(InputError, match="empty folder"):
        write(tmp_path)
    (tmp_path / "a.dcm").write_bytes(b"")
    with pytest.raises(InputError, match="new file"):
        write_synthetic_dicom(VOLUME[..., 0], OBLIQUE, tmp_path / "a.dcm", modality="MR", record=RECORD)
