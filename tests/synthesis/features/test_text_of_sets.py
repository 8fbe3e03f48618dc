# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.synthesis.burned_in_text import BurnedInText
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.text_scan import TextHit
from monai_ethics.synthesis.features.text_of_sets import drawn_only, scan_text

SHAPE = (24, 32)


class Corner:
    """Reads a word where the upper left pixel is bright."""

    name = "corner 1"

    def __init__(self):
        self.shapes = []

    def __call__(self, images, /):
        self.shapes += [image.shape for image in images]
        hit = TextHit(box=(0.0, 0.0, 0.2, 0.2), text="DOE^JOHN", score=0.9)
        return [(hit,) if image.reshape(-1)[0] > 5 else () for image in images]


def saved(folder, role, images, *, ending="npy"):
    folder.mkdir(exist_ok=True)
    files = []
    for number, image in enumerate(images):
        file = folder / f"{role}{number:03d}.{ending}"
        if ending == "npy":
            np.save(file, image)
        else:
            import nibabel as nib

            nib.save(nib.Nifti1Image(image, np.eye(4)), file)
        files.append((file,))
    names = tuple(file.name for (file,) in files)
    patients = tuple(f"{role}{number // 2}" for number in range(len(files)))
    return ImageSet(features={"x": np.zeros((len(files), 1))}, patients=patients, names=names, files=tuple(files))


@pytest.fixture
def sets(tmp_path):
    rng = np.random.default_rng(0)
    images = {role: rng.random((24, *SHAPE), dtype=np.float32) for role in ("train", "holdout", "synthetic")}
    images["train"][0, 0, 0] = images["synthetic"][::4, 0, 0] = 9.0
    images["train"][3, 10:14, 10:20] = 0.0
    images["synthetic"][:, 16:20, 4:12:2] += 4.0
    return {role: saved(tmp_path / role, role, found) for role, found in images.items()}


def test_all_three_looks_reach_the_finding_by_patient(sets):
    reader = Corner()
    steps = []
    scan = scan_text(sets, reader=reader, progress=lambda *step: steps.append(step))
    finding = drawn_only(BurnedInText()(scan), sets, most=200, seed=0)
    values = {e.name: e.value for e in finding.estimates if "set" not in e.group}
    assert values["leaks"] == 6
    assert values["static_marks"] >= 1
    assert len(scan.masks) == 1
    shares = {e.group["set"]: (e.value, e.n) for e in finding.estimates if e.name == "share_with_text"}
    assert shares == {"train": (1 / 12, 12), "holdout": (0.0, 12), "synthetic": (0.5, 12)}
    assert finding.subjects == ("corner 1",)
    assert steps[-1] == ("text in synthetic images", 24, 24)
    assert scan.items[0] == "synthetic/synthetic000.npy"
    assert all(finding.accounting[f"{role}_images_not_drawn"] == 0 for role in sets)


def test_a_part_is_drawn_by_the_seed_and_told(sets):
    first, again, other = (scan_text(sets, reader=None, most=10, seed=seed) for seed in (1, 1, 2))
    assert first.items == again.items != other.items
    finding = drawn_only(BurnedInText()(first), sets, most=10, seed=1)
    assert finding.accounting["train_images"] == 10
    assert finding.accounting["train_images_not_drawn"] == 14
    assert finding.parameters["pictures_of_a_set"] == 10
    assert finding.seed == 1
    assert "At most 10 pictures" in finding.limitations[-1]


def test_without_a_reader_marks_are_looked_for_and_the_rest_is_undefined(sets):
    scan = scan_text(sets, reader=None)
    finding = BurnedInText()(scan)
    assert finding.verdict == "measured"
    values = {e.name: (e.value, e.reason) for e in finding.estimates}
    assert values["leaks"][0] is None
    assert "extra `ocr`" in values["leaks"][1]
    assert values["static_marks"][0] >= 1


def test_images_of_several_sizes_have_no_static_marks(sets, tmp_path):
    sets["holdout"] = saved(tmp_path / "other", "holdout", np.random.default_rng(1).random((4, 9, 9)))
    assert scan_text(sets, reader=None).marks is None


def test_large_images_are_shrunk_for_static_marks(tmp_path):
    rng = np.random.default_rng(0)
    sets = {
        role: saved(tmp_path / role, role, rng.random((20, 20, 1100), dtype=np.float32))
        for role in ("train", "holdout", "synthetic")
    }
    assert scan_text(sets, reader=None).marks is not None


def test_nifti_is_read_upright_and_a_volume_counts_as_eight_pictures(tmp_path):
    volume = np.zeros((6, 7, 10), dtype=np.float32)
    volume[-1, -1, 0] = 9.0  # right, front, lowest: upper left of the lowest axial slice seen from the feet
    sets = {
        role: saved(tmp_path / role, role, [volume] * 4, ending="nii") for role in ("train", "holdout", "synthetic")
    }
    reader = Corner()
    scan = scan_text(sets, reader=reader, most=16)
    assert set(reader.shapes) == {(10, 7, 6)}
    assert scan.size("synthetic") == 2
    assert all(scan.hits["synthetic"])


def test_headers_of_dicom_sets_are_counted(sets, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset

    files = []
    for number in range(2):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.update({})
        data.Rows = data.Columns = 16
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 7, 0, 1
        data.PhotometricInterpretation, data.BurnedInAnnotation = "MONOCHROME2", "YES" if number else "NO"
        data.PixelData = np.arange(256, dtype=np.uint8).tobytes()
        file = tmp_path / f"{number}.dcm"
        data.save_as(file, enforce_file_format=True)
        files.append((file,))
    sets["train"] = ImageSet(
        features={"x": np.zeros((2, 1))}, patients=("a", "b"), names=("0.dcm", "1.dcm"), files=tuple(files)
    )
    scan = scan_text(sets, reader=None)
    assert sorted(scan.flags["train"]) == [("NO", None), ("YES", None)]
    assert set(scan.flags) == {"train"}
