# SPDX-License-Identifier: Apache-2.0
"""NRRD, MetaImage and MGH files, as ITK, nibabel and hands write them, are the image that a NIfTI file is."""

import gzip
import tracemalloc
import zlib

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import from_matvec
from nibabel.eulerangles import euler2mat

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.images.listing import image_files, unread_in
from monai_ethics.provenance.images.read import read_image
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.peek import peek_marks
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files

RNG = np.random.default_rng(0)
VOLUME = RNG.integers(-500, 3000, (12, 10, 8)).astype(np.int16)
STRAIGHT = from_matvec(np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])
OBLIQUE = from_matvec(euler2mat(0.2, -0.3, 0.4) @ np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])


def nifti(path, array=VOLUME, affine=STRAIGHT):
    nib.save(nib.Nifti1Image(array, affine, dtype=array.dtype), path)
    return digest_file(path)


def nrrd(path, *, body=None, **changed):
    """A file in RAS directions, as nobody but a hand writes it."""
    fields = {
        "type": "int16",
        "dimension": "3",
        "space": "right-anterior-superior",
        "sizes": "12 10 8",
        "space directions": "(1.5,0,0) (0,2,0) (0,0,2.5)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-10,20,5)",
    } | changed
    text = "NRRD0004\n# a comment: of a hand\n" + "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    path.write_bytes(text.encode() + b"\n" + (VOLUME.tobytes(order="F") if body is None else body))
    return path


def metaimage(path, *, body=None, **changed):
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "-1 0 0 0 -1 0 0 0 1",
        "Offset": "10 -20 5",
        "ElementSpacing": "1.5 2 2.5",
        "DimSize": "12 10 8",
        "ElementType": "MET_SHORT",
    } | changed
    fields["ElementDataFile"] = fields.pop("ElementDataFile", "LOCAL")
    text = "".join(f"{key} = {value}\n" for key, value in fields.items() if value)
    path.write_bytes(text.encode() + (VOLUME.tobytes(order="F") if body is None else body))
    return path


def test_nrrd_and_metaimage_of_any_encoding_are_one_image(tmp_path):
    expected = nifti(tmp_path / "a.nii")
    raw, big = VOLUME.tobytes(order="F"), VOLUME.astype(">i2").tobytes(order="F")
    written = [
        nrrd(tmp_path / "a.nrrd"),
        nrrd(tmp_path / "b.nrrd", encoding="gzip", body=gzip.compress(raw)),
        nrrd(tmp_path / "c.nrrd", endian="big", body=big),
        metaimage(tmp_path / "a.mha"),
        metaimage(tmp_path / "b.mha", CompressedData="True", body=zlib.compress(raw)),
        metaimage(tmp_path / "c.mha", BinaryDataByteOrderMSB="True", body=big),
    ]
    nib.save(nib.MGHImage(VOLUME, STRAIGHT), tmp_path / "a.mgz")
    for path in [*written, tmp_path / "a.mgz"]:
        found = digest_file(path)
        assert (found.voxel_v1, found.geometry_v1) == (expected.voxel_v1, expected.geometry_v1), path.name
        assert found.slices == expected.slices


def test_a_file_without_directions_keeps_its_order(tmp_path):
    for path in (
        nrrd(tmp_path / "a.nrrd", **{"space": "", "space directions": "", "space origin": ""}),
        nrrd(tmp_path / "b.nrrd", space="scanner-xyz"),
    ):
        image = read_image(path)
        assert (image.affine, image.axes) == (None, "xyz")
        assert (image.array == VOLUME).all()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: nrrd(path.with_suffix(".nrrd"), encoding="bzip2"),
        lambda path: nrrd(path.with_suffix(".nrrd"), **{"data file": "a.raw"}),
        lambda path: nrrd(path.with_suffix(".nrrd"), type="block"),
        lambda path: nrrd(path.with_suffix(".nrrd"), body=b"12"),
        lambda path: nrrd(path.with_suffix(".nrrd"), sizes=""),
        lambda path: metaimage(path.with_suffix(".mha"), ElementDataFile="a.raw"),
        lambda path: metaimage(path.with_suffix(".mha"), BinaryData="False"),
        lambda path: metaimage(path.with_suffix(".mha"), CompressedData="True"),
        lambda path: metaimage(path.with_suffix(".mha"), body=b""),
    ],
)
def test_what_is_not_of_one_piece_is_refused_in_a_sentence(tmp_path, write):
    path = write(tmp_path / "a")
    with pytest.raises(InputError, match=r"^Expected .*: got .*\."):
        read_image(path)


def test_the_guard_looks_at_them_in_a_folder_and_counts_what_it_cannot_read(tmp_path):
    (tmp_path / "list").mkdir()
    nifti(tmp_path / "made.nii")
    with EvidenceLog.open(tmp_path / "site", run_id="stamp") as log:
        stamp_files([tmp_path / "made.nii"], log)
    nrrd(tmp_path / "list" / "a.nrrd")
    metaimage(tmp_path / "list" / "b.mha")
    (tmp_path / "list" / "c.mhd").write_text("NDims = 3\n")
    result = admit([tmp_path / "list"], tmp_path / "site", "deny-list")
    assert [row.kind for row in result.rows] == ["synthetic-by-digest"] * 2
    assert "1 files of formats that are not read here were not looked at" in result.notes
    assert len(image_files([tmp_path / "list"])) == 2
    assert unread_in([tmp_path / "list" / "c.mhd"]) == 0  # named by itself, it is refused


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # ITK crashes where a warning of its modules becomes an error
@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
def test_what_itk_writes_is_the_image_that_it_read(tmp_path, ending, compressed):
    itk = pytest.importorskip("itk")
    color = np.zeros((6, 5, 4), dtype=[(name, "u1") for name in "RGB"])
    for name in "RGB":
        color[name] = RNG.integers(0, 255, (6, 5, 4))
    arrays = {
        "straight": (VOLUME, STRAIGHT),
        "oblique": (VOLUME, OBLIQUE),
        "45": (VOLUME, from_matvec(euler2mat(np.pi / 4, 0, 0) @ np.diag([1.5, 2.0, 2.5]), [-10, 20, 5])),
        "float": (RNG.normal(size=(6, 5, 4)).astype(np.float32), OBLIQUE),
        "4D": (RNG.integers(0, 99, (6, 5, 4, 3)).astype(np.int16), STRAIGHT),
        "4D turned": (RNG.integers(0, 99, (6, 5, 4, 3)).astype(np.int16), np.diag([-1.5, 2, 2.5, 1])),
        "RGB": (color, OBLIQUE),
    }
    for name, (array, affine) in arrays.items():
        expected = nifti(tmp_path / f"{name}.nii", array, affine)
        target = tmp_path / f"{name}{ending}"
        itk.imwrite(itk.imread(str(tmp_path / f"{name}.nii")), str(target), compression=compressed)
        found = digest_file(target)
        assert found.voxel_v1 == expected.voxel_v1, name
        assert "4D" in name or found.geometry_v1 == expected.geometry_v1, name


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("state", ["yes", "partial"])
def test_the_description_that_itk_carries_is_read(tmp_path, ending, state):
    itk = pytest.importorskip("itk")
    nifti(tmp_path / "a.nii")
    stamp_file(tmp_path / "a.nii", synthetic=state)
    itk.imwrite(itk.imread(str(tmp_path / "a.nii")), str(tmp_path / f"a{ending}"))
    marks = read_image(tmp_path / f"a{ending}").marks
    assert (marks.synthetic, marks.voxel_v1) == (state, None)
    assert peek_marks(tmp_path / f"a{ending}") == marks
    assert marks.names(str(peek_marks(tmp_path / "a.nii").record))


def test_a_description_of_others_says_nothing(tmp_path):
    for path in (nrrd(tmp_path / "a.nrrd"), metaimage(tmp_path / "a.mha", descrip="SYNTHETIC or not")):
        assert read_image(path).marks.synthetic is None
    said = metaimage(tmp_path / "b.mha", descrip="SYNTHETIC me1:" + "a" * 16)
    assert (peek_marks(said).synthetic, peek_marks(said).record) == ("yes", "sha256:" + "a" * 16)


def test_a_few_bytes_that_claim_to_be_many_are_not_unpacked(tmp_path):
    packed = zlib.compress(bytes(100_000_000), level=9)  # 97 KB
    head = "ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = True\nDimSize = {}\n"
    head += "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    path = tmp_path / "a.mha"
    for sizes in ("9000 9000 9000", "-1 2 2", "0 1 1"):
        path.write_bytes(head.format(sizes).encode() + packed)
        with pytest.raises(InputError, match="truncated or damaged"):
            read_image(path)
    path.write_bytes(head.format("2 3 4").encode() + packed)
    tracemalloc.start()
    assert read_image(path).array.shape == (2, 3, 4)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_header_that_claims_more_than_its_file_can_hold_is_damaged(tmp_path):
    nib.save(nib.Nifti1Image(VOLUME, STRAIGHT), tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[42:48] = b"\xff\x7f" * 3  # dim: 32767 voxels along each axis
    (tmp_path / "a.nii").write_bytes(data)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(data)))
    np.save(tmp_path / "c.npy", VOLUME)
    data = (tmp_path / "c.npy").read_bytes()
    (tmp_path / "c.npy").write_bytes(data.replace(b"(12, 10, 8), }         ", b"(12000, 10000, 80000), }"[:23]))
    for name in ("a.nii", "b.nii.gz", "c.npy"):
        with pytest.raises(InputError, match="truncated or damaged"):
            read_image(tmp_path / name)
