# SPDX-License-Identifier: Apache-2.0
"""DICOM, color and channels; what `test_folder.py` does not read."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.dicom_flags import dicom_flags
from monai_ethics.synthesis.data.folder import read_image_set
from monai_ethics.synthesis.data.images import find_images, read_image

RNG = np.random.default_rng(0)
VOLUME = RNG.integers(0, 1000, (5, 8, 10), dtype=np.int16)
SERIES = generate_uid(entropy_srcs=["series"])


def write_slice(path, pixels, *, z=None, patient="P1", series=SERIES, **more):
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    made.PatientID, made.SeriesInstanceUID = patient, series
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 1
    if z is not None:
        made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, z]
    for name, value in more.items():
        setattr(made, name, value)
    made.PixelData = pixels.astype("<i2").tobytes()
    made.save_as(path, enforce_file_format=True)


def write_series(folder, *, suffix=".dcm", **more):
    folder.mkdir(parents=True)
    for number, z in enumerate((3, 0, 4, 1, 2)):  # names are not in the order of the places
        write_slice(folder / f"IM{number}{suffix}", VOLUME[z], z=2.5 * z, **more)


@pytest.mark.parametrize("suffix", [".dcm", ""])
def test_a_series_is_one_volume_in_the_order_of_its_places(tmp_path, suffix):
    write_series(tmp_path / "DOE" / "head", suffix=suffix, RescaleSlope=2, RescaleIntercept=-1000)
    (image,) = find_images(tmp_path)
    assert (image.name, image.patient, len(image.files)) == ("DOE/head", "P1", 5)
    np.testing.assert_array_equal(read_image(image.files), VOLUME[None] * 2.0 - 1000)
    found = read_image_set(tmp_path)
    assert (found.patients, len(found.files[0])) == (("P1",), 5)
    assert found.features["raw pixels 16x16x16"].shape == (1, 4096)


def test_single_images_and_two_series_of_a_folder_stay_apart(tmp_path):
    write_series(tmp_path / "a")
    for z in (0, 1):
        write_slice(tmp_path / "a" / f"other{z}.dcm", VOLUME[z], z=z, series=generate_uid(entropy_srcs=["b"]))
    write_slice(tmp_path / "alone.dcm", VOLUME[0])
    assert [(image.name, len(image.files)) for image in find_images(tmp_path)] == [
        ("alone.dcm", 1),
        ("a/IM1.dcm", 5),
        ("a/other0.dcm", 2),
    ]


def test_slices_at_one_place_are_images_of_their_own(tmp_path):
    for number in range(2):
        write_slice(tmp_path / f"{number}.dcm", VOLUME[number], z=1)
    assert [len(image.files) for image in find_images(tmp_path)] == [1, 1]


def test_frames_are_a_volume_and_inverted_images_are_turned(tmp_path):
    write_slice(tmp_path / "frames.dcm", VOLUME, NumberOfFrames=5)
    np.testing.assert_array_equal(read_image(tmp_path / "frames.dcm"), VOLUME[None])
    write_slice(tmp_path / "inverted.dcm", VOLUME[0], PhotometricInterpretation="MONOCHROME1")
    turned = read_image(tmp_path / "inverted.dcm")[0]
    np.testing.assert_array_equal(turned, int(VOLUME[0].max()) + VOLUME[0].min() - VOLUME[0].astype(float))


def test_participants_are_found_by_the_dicom_patient_or_by_a_folder(tmp_path):
    write_series(tmp_path / "one" / "s", patient="P1")
    write_slice(tmp_path / "sub-2.dcm", VOLUME[0], patient="unlisted")
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\tsex\nP1\tA\tF\nsub-2\tB\tn/a\n")
    with pytest.raises(ValueError, match="got both"):
        read_image_set(tmp_path)
    found = read_image_set(tmp_path, pattern="sub-2*")
    assert (found.patients, found.sites, found.attributes) == (("sub-2",), ("B",), {"sex": (None,)})
    assert read_image_set(tmp_path, pattern="IM*").attributes == {"sex": ("F",)}
    (tmp_path / "participants.tsv").write_text("participant_id\none\nsub-2\n")
    assert read_image_set(tmp_path, pattern="IM*").patients == ("one",)


def test_damaged_dicom_is_refused_without_its_name(tmp_path):
    (tmp_path / "DOE.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 9)
    with pytest.raises(ValueError, match="number 1 of a folder is damaged") as caught:
        find_images(tmp_path)
    assert "DOE" not in str(caught.value)
    write_slice(tmp_path / "a.dcm", VOLUME[0], z=0)
    write_slice(tmp_path / "b.dcm", VOLUME[0][:4], z=1)
    with pytest.raises(ValueError, match="slices of one size"):
        read_image([tmp_path / "a.dcm", tmp_path / "b.dcm"])


def test_color_and_modalities_become_channels(tmp_path):
    from PIL import Image

    color = RNG.integers(0, 255, (6, 7, 3)).astype(np.uint8)
    Image.fromarray(color).save(tmp_path / "c.png")
    np.testing.assert_array_equal(read_image(tmp_path / "c.png"), np.moveaxis(color, -1, 0))
    many = RNG.random((4, 5, 6, 3)).astype(np.float32)
    nib.save(nib.Nifti1Image(many, np.eye(4)), tmp_path / "m.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "m.nii"), np.moveaxis(many, -1, 0))
    np.save(tmp_path / "n.npy", np.moveaxis(many, -1, 0))
    np.testing.assert_array_equal(read_image(tmp_path / "n.npy"), np.moveaxis(many, -1, 0))
    np.save(tmp_path / "five.npy", np.zeros((2, 2, 2, 2, 2)))
    with pytest.raises(ValueError, match="2D or 3D image of finite numbers"):
        read_image(tmp_path / "five.npy")


@pytest.mark.parametrize("tag", ["ImageOrientationPatient", "NumberOfFrames", "RescaleSlope"])
def test_a_name_in_the_wrong_tag_is_not_repeated(tag, tmp_path, recwarn, caplog):
    value = ["11111111", 0, 0, 0, 1, 0] if tag == "ImageOrientationPatient" else "11111111"
    write_slice(tmp_path / "a.dcm", VOLUME[0], z=0, **{tag: value, "RescaleIntercept": 0})
    content = (tmp_path / "a.dcm").read_bytes()
    assert b"11111111" in content
    (tmp_path / "a.dcm").write_bytes(content.replace(b"11111111", b"DOE^JANE"))
    with pytest.raises(InputError) as caught:
        read_image(find_images(tmp_path)[0].files)
    assert "DOE" not in str(caught.value)
    assert not recwarn.list
    assert "DOE" not in caplog.text


def test_what_the_reader_warns_of_is_not_shown_for_it_repeats_tags(tmp_path, recwarn, caplog):
    write_slice(tmp_path / "a.dcm", VOLUME[0], z=0, StudyDate="11111111", SpecificCharacterSet="ISO 8859 111111")
    content = (tmp_path / "a.dcm").read_bytes().replace(b"ISO 8859 111111", b"DOE^JANE ZZZZZZ")
    content = content.replace(b"11111111", b"DOE^JANE")
    (tmp_path / "a.dcm").write_bytes(content)
    recwarn.clear()  # what writing warned of
    caplog.clear()
    assert read_image(find_images(tmp_path)[0].files).shape == (1, *VOLUME[0].shape)
    assert dicom_flags([tmp_path / "a.dcm"]) == [(None, None)]
    assert not recwarn.list
    assert "DOE" not in caplog.text


def test_a_pattern_that_leaves_the_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="--pattern"):
        find_images(tmp_path, pattern="../*/*.npy")


def test_an_image_that_does_not_fit_into_memory_is_one_sentence(tmp_path):
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}\n"
    (tmp_path / "DOE.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    with pytest.raises(InputError, match="fit into memory") as caught:
        read_image(tmp_path / "DOE.npy")
    assert "DOE" not in str(caught.value)
