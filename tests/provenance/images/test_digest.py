# SPDX-License-Identifier: Apache-2.0
import gzip

import nibabel as nib
import numpy as np
import pydicom
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import (
    attrs_v1,
    compare_attrs,
    digest_file,
    geometry_v1,
    slice_digests,
    voxel_v1,
)
from monai_ethics.provenance.log.tree.canonical import file_sha256

RNG = np.random.default_rng(0)
VOLUME = RNG.integers(-500, 3000, size=(12, 10, 8)).astype(np.int16)
AFFINE = from_matvec(np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])
OBLIQUE = from_matvec(euler2mat(0.2, -0.3, 0.4) @ np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])


def save(path, array, affine, *, kind=nib.Nifti1Image, dtype=None):
    nib.save(kind(array, affine, dtype=dtype or array.dtype), path)
    return path


def turned(array, affine, code):
    """The same image stored in other axis directions."""
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    start = nib.io_orientation(affine)
    other = image.as_reoriented(nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(code)))
    return np.asanyarray(other.dataobj), other.affine


# files: reader by type ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.int32])
def test_nifti_of_any_type_and_version_is_one_image(tmp_path, kind, name, dtype):
    found = digest_file(save(tmp_path / name, VOLUME.astype(dtype), AFFINE, kind=kind))
    assert found.voxel_v1 == voxel_v1(VOLUME, affine=AFFINE, axes="xyz")
    assert found.geometry_v1 == geometry_v1(VOLUME.shape, AFFINE)
    assert found.file_sha256 == file_sha256(tmp_path / name)
    assert found.shape == VOLUME.shape


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
def test_closest_canonical_is_the_same_image(tmp_path, affine):
    array, flipped = turned(VOLUME, affine, "PIR")
    first = digest_file(save(tmp_path / "a.nii.gz", array, flipped))
    canonical = nib.as_closest_canonical(nib.load(tmp_path / "a.nii.gz"))
    nib.save(canonical, tmp_path / "b.nii.gz")
    second = digest_file(tmp_path / "b.nii.gz")
    assert (first.voxel_v1, first.slices) == (second.voxel_v1, second.slices)
    assert first.file_sha256 != second.file_sha256


def test_scaled_nifti_is_read_after_slope_and_intercept(tmp_path):
    image = nib.Nifti1Image(VOLUME, AFFINE, dtype=np.int16)
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "scaled.nii")
    nib.Nifti1Image(VOLUME, AFFINE)
    with (tmp_path / "scaled.nii").open("r+b") as file:  # nibabel rescales on saving: put the slope back by hand
        file.seek(112)
        file.write(np.array([0.5, 3], "<f4").tobytes())
        file.seek(352)
        file.write(VOLUME.astype("<i2").tobytes(order="F"))
    values = VOLUME * 0.5 + 3
    plain = digest_file(save(tmp_path / "plain.nii", values.astype(np.float32), AFFINE))
    assert digest_file(tmp_path / "scaled.nii").voxel_v1 == plain.voxel_v1


def test_four_dimensions_and_a_trailing_singleton(tmp_path):
    series = RNG.integers(0, 99, size=(6, 5, 4, 3)).astype(np.int16)
    found = digest_file(save(tmp_path / "a.nii", series, AFFINE)).voxel_v1
    assert found == voxel_v1(series, affine=AFFINE, axes="xyzt")
    assert found == voxel_v1(np.moveaxis(series, -1, 0), affine=AFFINE, axes="txyz")
    single = digest_file(save(tmp_path / "b.nii", VOLUME[..., None, None], AFFINE)).voxel_v1
    assert single == voxel_v1(VOLUME, affine=AFFINE, axes="xyz")


def test_a_flat_nifti_is_the_same_with_and_without_its_third_axis(tmp_path):
    one = digest_file(save(tmp_path / "a.nii", VOLUME[:, :, 3], AFFINE))
    two = digest_file(save(tmp_path / "b.nii", VOLUME[:, :, 3:4], AFFINE))
    assert (one.voxel_v1, one.geometry_v1, one.slices) == (two.voxel_v1, two.geometry_v1, two.slices)


def test_a_colored_nifti_has_channels(tmp_path):
    rgb = np.zeros((4, 5, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"] = RNG.integers(0, 255, size=(4, 5, 2))
    stacked = np.stack([rgb[name] for name in "RGB"], axis=-1)
    assert digest_file(save(tmp_path / "a.nii", rgb, AFFINE)).voxel_v1 == voxel_v1(stacked, affine=AFFINE, axes="xyzc")


def dicom(path, frames, *, slope=1, intercept=0, positions=None, **attributes):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.PatientID = "someone"
    dataset.Rows, dataset.Columns = frames.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.PixelData = frames.astype("<i2").tobytes()
    if frames.ndim == 3:
        dataset.NumberOfFrames = len(frames)
    if positions is not None:
        shared, dataset.PerFrameFunctionalGroupsSequence = Dataset(), []
        plane, measures = Dataset(), Dataset()
        plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing, measures.SliceThickness = [2, 1.5], 2.5
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
        dataset.SharedFunctionalGroupsSequence = [shared]
        for position in positions:
            group, place = Dataset(), Dataset()
            place.ImagePositionPatient = position
            group.PlanePositionSequence = [place]
            dataset.PerFrameFunctionalGroupsSequence.append(group)
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


GEOMETRY = {
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "ImagePositionPatient": [10, -20, 5],
    "PixelSpacing": [2, 1.5],
    "SliceThickness": 2.5,
}


def test_a_rescaled_dicom_slice_is_that_slice_of_the_volume(tmp_path):
    volume = RNG.integers(0, 2000, size=(40, 36, 3)).astype(np.int16)
    affine = from_matvec(np.diag([-1.5, -2.0, 2.5]), [-10, 20, 5])
    path = dicom(tmp_path / "a.dcm", volume[:, :, 0].T, slope=2, intercept=-1024, **GEOMETRY)
    values = volume.astype(np.float32) * 2 - 1024
    found = digest_file(path)
    nifti = digest_file(save(tmp_path / "a.nii", values[:, :, :1], affine))
    assert (found.voxel_v1, found.geometry_v1) == (nifti.voxel_v1, nifti.geometry_v1)
    assert set(found.slices) <= set(slice_digests(values, affine=affine, axes="xyz"))
    assert len(found.slices) == 1


def test_frames_are_ordered_by_their_position(tmp_path):
    volume = RNG.integers(0, 2000, size=(12, 10, 4)).astype(np.int16)
    affine = from_matvec(np.diag([-1.5, -2.0, 2.5]), [-10, 20, 5])
    order = [2, 0, 3, 1]
    frames = np.stack([volume[:, :, k].T for k in order])
    positions = [[10, -20, 5 + 2.5 * k] for k in order]
    found = digest_file(dicom(tmp_path / "a.dcm", frames, positions=positions))
    nifti = digest_file(save(tmp_path / "a.nii", volume, affine))
    assert (found.voxel_v1, found.geometry_v1) == (nifti.voxel_v1, nifti.geometry_v1)


def test_dicom_without_geometry_keeps_the_order_of_the_file(tmp_path):
    flat = VOLUME[:, :, 0]
    assert digest_file(dicom(tmp_path / "a.dcm", flat)).voxel_v1 == voxel_v1(flat, affine=None, axes="yx")
    uneven = [[0, 0, 0], [0, 0, 1], [0, 0, 5]]
    found = digest_file(dicom(tmp_path / "b.dcm", VOLUME[:3], positions=uneven))
    assert found.voxel_v1 == voxel_v1(VOLUME[:3], affine=None, axes="zyx")


def test_dicom_marks_are_read_and_absent_is_not_no(tmp_path):
    flat = VOLUME[:, :, 0]
    assert digest_file(dicom(tmp_path / "a.dcm", flat)).marks.synthetic is None
    item = Dataset()
    item.SoftwareVersions = ["tool 12", "me1:" + "a" * 60]
    path = dicom(
        tmp_path / "b.dcm",
        flat,
        SyntheticData="YES",
        ImageType=["DERIVED", "PRIMARY"],
        ContributingEquipmentSequence=[item],
    )
    marks = digest_file(path).marks
    assert (marks.synthetic, marks.derived, marks.record) == ("yes", True, "sha256:" + "a" * 60)
    assert digest_file(dicom(tmp_path / "c.dcm", flat, SyntheticData="NO")).marks.synthetic == "no"


def test_attributes_are_digested_one_by_one(tmp_path):
    flat = VOLUME[:, :, 0]
    first = digest_file(dicom(tmp_path / "a.dcm", flat, SyntheticData="YES"), key=b"k").attrs_v1
    second = digest_file(dicom(tmp_path / "b.dcm", flat, SyntheticData="NO", ImageType=["X"]), key=b"k").attrs_v1
    assert "PatientIdentity" in first
    assert "PatientIdentity" not in digest_file(tmp_path / "a.dcm").attrs_v1
    compared = compare_attrs(first, second)
    assert {name: kind for name, kind in compared.items() if kind != "kept"} == {
        "ImageType": "added",
        "SyntheticData": "changed",
    }
    assert compare_attrs(second, first)["ImageType"] == "removed"
    with pytest.raises(InputError, match="needs a key"):
        attrs_v1({"PatientID": "someone"})


def test_a_picture_is_read_by_the_rows_of_its_file(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    grey = RNG.integers(0, 255, size=(40, 50)).astype(np.uint8)
    pil.fromarray(grey).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", grey.astype(np.float32))
    found = digest_file(tmp_path / "a.png")
    assert found.voxel_v1 == voxel_v1(grey, affine=None, axes="yx") == digest_file(tmp_path / "a.npy").voxel_v1
    pil.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "b.png")
    assert set(found.slices) <= set(digest_file(tmp_path / "b.png").slices)
    pil.fromarray(grey).convert("P").save(tmp_path / "c.png")
    assert digest_file(tmp_path / "c.png").voxel_v1 == digest_file(tmp_path / "b.png").voxel_v1


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as errors they crash ITK while it is imported
def test_itk_reads_and_writes_the_same_image(tmp_path):
    itk = pytest.importorskip("itk")
    array, affine = turned(VOLUME, OBLIQUE, "LPS")
    expected = digest_file(save(tmp_path / "a.nii.gz", array, affine))
    itk.imwrite(itk.imread(str(tmp_path / "a.nii.gz")), str(tmp_path / "b.nii.gz"))
    itk.imwrite(itk.imread(str(tmp_path / "a.nii.gz"), itk.F), str(tmp_path / "c.nii"))
    for name in ("b.nii.gz", "c.nii"):
        assert digest_file(tmp_path / name).voxel_v1 == expected.voxel_v1


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", ["NibabelReader", "ITKReader"])
def test_monai_loads_and_saves_the_same_image(tmp_path, reader):
    transforms = pytest.importorskip("monai.transforms")
    expected = digest_file(save(tmp_path / "a.nii.gz", VOLUME, OBLIQUE))
    image = transforms.LoadImage(reader=reader, ensure_channel_first=True)(tmp_path / "a.nii.gz")
    assert voxel_v1(image.numpy(), affine=image.affine.numpy(), axes="cxyz") == expected.voxel_v1
    turned_image = transforms.Orientation("PIR")(image)
    assert voxel_v1(turned_image.numpy(), affine=turned_image.affine.numpy(), axes="cxyz") == expected.voxel_v1
    transforms.SaveImage(tmp_path, output_postfix="out", separate_folder=False, print_log=False)(image)
    assert digest_file(tmp_path / "a_out.nii.gz").voxel_v1 == expected.voxel_v1


# unusable files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.dcm", "a.npy", "a.png"])
@pytest.mark.parametrize("share", [0, 0.1, 0.6, 0.97])
def test_a_truncated_file_is_refused_in_one_sentence_without_its_name(tmp_path, name, share):
    path = tmp_path / name
    if name.endswith(".dcm"):
        dicom(path, VOLUME[:, :, 0])
    elif name.endswith(".npy"):
        np.save(path, VOLUME)
    elif name.endswith(".png"):
        pytest.importorskip("PIL.Image").fromarray(np.abs(VOLUME[:, :, 0]).astype(np.uint8)).save(path)
    else:
        save(path, VOLUME, AFFINE)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * (len(data) - 30))])
    with pytest.raises(InputError, match="Expected a") as caught:
        digest_file(path)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_formats_folders_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    np.save(tmp_path / "flat.npy", np.arange(5))
    (tmp_path / "a.mhd").write_text("NDims = 3")
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"not an image" * 100))
    for name, message in (
        ("a.txt", "got another format"),
        ("a.mhd", "got another format"),
        ("flat.npy", "of 2 to 5 axes"),
        ("b.nii.gz", "truncated or damaged"),
        ("none.nii", "a path where there is none"),
        (".", "got a folder"),
    ):
        with pytest.raises(InputError, match=message):
            digest_file(tmp_path / name)


def test_pydicom_is_new_enough_to_know_the_flag():
    assert pydicom.datadict.keyword_for_tag(0x0008001C) == "SyntheticData"
