# SPDX-License-Identifier: Apache-2.0
"""`voxel_v1` of one file through every reader: equal, or a difference that docs/reference/digests.md explains."""

from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat
from PIL import Image as Pillow

from monai_ethics.provenance.images.digest import digest_file, slice_digests, voxel_v1
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.records.record import Record

# ITK crashes where a warning of its modules becomes an error
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "digests.md"
TO_RAS = np.diag([-1.0, -1.0, 1.0])
SIZES = np.diag([1.5, 2.0, 2.5])
AT = [-10, 20, 5]


def affine(*angles):
    return from_matvec((euler2mat(*angles) if angles else np.eye(3)) @ SIZES, AT)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file of each type."""
    folder = tmp_path_factory.mktemp("types")
    rng = np.random.default_rng(0)
    volume = rng.integers(-500, 3000, (12, 10, 8)).astype(np.int16)
    color = np.zeros((6, 5, 4), dtype=[(name, "u1") for name in "RGB"])
    for name in "RGB":
        color[name] = rng.integers(0, 255, (6, 5, 4))
    large = rng.integers(2**24 - 9, 2**24 + 9, (6, 5, 4)).astype(np.int32)
    gaps = rng.normal(size=(12, 10, 8)).astype(np.float32)
    gaps.view(np.uint32)[0, 0, :2] = (0x7FC00001, 0xFFC00000)  # two NaN of other bits
    arrays = {
        "straight": (volume, affine()),
        "oblique": (volume, affine(0.2, -0.3, 0.4)),
        "45 degrees": (volume, affine(np.pi / 4, 0, 0)),
        "4D": (rng.integers(0, 99, (6, 5, 4, 3)).astype(np.int16), affine()),
        "RGB": (color, affine()),
        "over 2^24": (large, affine()),
        "NaN": (gaps, affine()),
        "constant": (np.full((6, 5, 4), 7, np.int16), affine()),
    }
    found = {}
    for number, (name, (array, where)) in enumerate(arrays.items()):
        found[name] = folder / f"{number}.nii"
        nib.save(nib.Nifti1Image(array, where, dtype=array.dtype), found[name])
    found["scaled"] = scaled(folder / "scaled.nii", volume)
    found |= {"PNG, grey": folder / "grey.png", "PNG, RGB": folder / "color.png"}
    Pillow.fromarray(rng.integers(0, 255, (24, 20)).astype(np.uint8)).save(found["PNG, grey"])
    Pillow.fromarray(rng.integers(0, 255, (24, 20, 3)).astype(np.uint8)).save(found["PNG, RGB"])
    record = Record(type="synthesis", synthetic="yes").to_dict()
    for name, where in {"DICOM": affine(), "DICOM, 45 degrees": affine(np.pi / 4, 0, 0)}.items():
        path = folder / f"{name}.dcm"
        write_synthetic_dicom(volume[:, :, 0] + np.int16(500), where, path, modality="CT", record=record)
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-1024"
        del dataset["SyntheticData"]  # ITK does not write it, and some versions do not read it
        dataset.save_as(path)
        found[name] = path
    return found


def scaled(path, volume):
    """Integers with a slope and an intercept; nibabel would choose its own, so they are put in by hand."""
    nib.save(nib.Nifti1Image(volume, affine(), dtype=np.int16), path)
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([0.5, 3], "<f4").tobytes()
    path.write_bytes(bytes(data))
    return path


# readers: array, affine, axes -----------------------------------------------------------------------------------------


def of_nibabel(path):
    image = nib.load(path)
    array = np.asanyarray(image.dataobj)
    if array.dtype.names:
        return np.stack([array[name] for name in array.dtype.names], axis=-1), image.affine, "xyzc"
    return array, image.affine, "xyzt"[: array.ndim]


def of_nibabel_floats(path):
    image = nib.load(path)
    array = image.get_fdata()
    return array, image.affine, "xyzt"[: array.ndim]


def oriented(direction, spacing, origin):
    return from_matvec(
        TO_RAS @ np.asarray(direction)[:3, :3] @ np.diag(np.asarray(spacing)[:3]), TO_RAS @ np.asarray(origin)[:3]
    )


def of_itk(path):
    import itk

    image = itk.imread(str(path))
    array, flat = itk.array_from_image(image), path.suffix == ".png"
    axes = "tzyx"[-image.GetImageDimension() :] + ("c" if image.GetNumberOfComponentsPerPixel() > 1 else "")
    if flat:
        return array, None, axes
    direction = itk.array_from_matrix(image.GetDirection())
    return array, oriented(direction, image.GetSpacing(), image.GetOrigin()), axes


def of_simpleitk(path):
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    array, dims = SimpleITK.GetArrayFromImage(image), image.GetDimension()
    axes = "tzyx"[-dims:] + ("c" if image.GetNumberOfComponentsPerPixel() > 1 else "")
    if path.suffix == ".png":
        return array, None, axes
    direction = np.reshape(image.GetDirection(), (dims, dims))
    return array, oriented(direction, image.GetSpacing(), image.GetOrigin()), axes


def of_pydicom(path):
    dataset = pydicom.dcmread(path)
    array = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    along, down = np.reshape(dataset.ImageOrientationPatient, (2, 3)).astype(float)
    rows, columns = map(float, dataset.PixelSpacing)
    direction = np.stack([along, down, np.cross(along, down)], axis=1)
    spacing = [columns, rows, float(dataset.SliceThickness)]
    return array[None], oriented(direction, spacing, np.asarray(dataset.ImagePositionPatient, float)), "zyx"


def of_pillow(path):
    array = np.asarray(Pillow.open(path))
    return array, None, "yxc"[: array.ndim]


def of_monai(reader, **options):
    def read(path):
        from monai.transforms import LoadImage

        image = LoadImage(reader=reader, ensure_channel_first=True, **options)(path)
        flat = path.suffix == ".png"
        array = image.numpy()
        where = None if flat else image.affine.numpy()
        return array, where, "cxyz"[: array.ndim]

    return read


NIFTI = ("straight", "oblique", "45 degrees", "4D", "RGB", "scaled", "over 2^24", "NaN", "constant")
PNG = ("PNG, grey", "PNG, RGB")
DICOM = ("DICOM", "DICOM, 45 degrees")
TYPES = (*NIFTI, *PNG, *DICOM)
READERS = {
    "nibabel": (of_nibabel, NIFTI),
    "nibabel, get_fdata()": (of_nibabel_floats, NIFTI),
    "ITK": (of_itk, TYPES),
    "SimpleITK": (of_simpleitk, TYPES),
    "pydicom": (of_pydicom, DICOM),
    "Pillow": (of_pillow, PNG),
    "MONAI NibabelReader": (of_monai("NibabelReader"), NIFTI),
    "MONAI NibabelReader, dtype=None": (of_monai("NibabelReader", dtype=None), NIFTI),
    "MONAI ITKReader": (of_monai("ITKReader"), TYPES),
    "MONAI ITKReader, dtype=None": (of_monai("ITKReader", dtype=None), TYPES),
    "MONAI PydicomReader": (of_monai("PydicomReader"), DICOM),
    "MONAI PILReader": (of_monai("PILReader"), PNG),
}


def cell(read, path, expected):
    """How what a reader gives compares with the digest of the file."""
    try:
        array, where, axes = read(path)
    except Exception:
        return "raises"
    found = voxel_v1(array, affine=where, axes=axes)
    if found is None:
        return "none" if expected is None else "LOST"
    return "equal" if found == expected else "other"


def test_every_reader_gives_the_digest_of_the_file_or_a_difference_that_the_page_explains(files):
    expected = {name: digest_file(path, slices=False).voxel_v1 for name, path in files.items()}
    lines = [f"| reader | {' | '.join(TYPES)} |", "|" + " --- |" * (len(TYPES) + 1)]
    for reader, (read, types) in READERS.items():
        if reader == "SimpleITK" and find_spec("SimpleITK") is None:
            print("SimpleITK is not installed: its row is not checked")
            continue
        cells = [cell(read, files[name], expected[name]) if name in types else "" for name in TYPES]
        lines.append(f"| {reader} | {' | '.join(cells)} |")
    print("\n" + "\n".join(lines))
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in page] == []


def test_itk_reads_zero_where_a_nifti_file_has_nan_and_slices_without_are_recognized(files):
    array, where, axes = of_itk(files["NaN"])
    stored = np.asanyarray(nib.load(files["NaN"]).dataobj)
    assert np.isnan(stored[0, 0, :2]).all()
    assert (array.T[0, 0, :2] == 0).all()
    assert voxel_v1(array, affine=where, axes=axes) == voxel_v1(np.nan_to_num(stored), affine=affine(), axes="xyz")
    registered = set(digest_file(files["NaN"]).slices)
    assert len(registered & set(slice_digests(array, affine=where, axes=axes))) == len(registered) - 4
