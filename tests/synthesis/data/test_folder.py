# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest

from monai_ethics.synthesis.data.folder import read_image_set

RNG = np.random.default_rng(0)


def nifti(path, array, affine=None):
    nib.save(nib.Nifti1Image(array.astype(np.float32), np.eye(4) if affine is None else affine), path)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "doe"
    path.mkdir()
    for patient in ("sub-1", "sub-10"):
        for image in (1, 2):
            np.save(path / f"{patient}_{image}.npy", RNG.random((20, 24)))
    return path


def test_the_patient_is_the_name_up_to_the_first_underscore(folder):
    found = read_image_set(folder)
    assert found.features["raw pixels 16x16"].shape == (4, 256)
    assert found.spaces == ("raw pixels 16x16",)
    assert found.patients == ("sub-10", "sub-10", "sub-1", "sub-1")
    assert found.names[0] == "sub-10_1.npy"
    assert found.sites is None


def test_the_table_of_participants_gives_patients_and_sites(folder):
    (folder / "participants.tsv").write_text("participant_id\tsite\nsub-1\tA\nsub-10\tB\n")
    found = read_image_set(folder)
    assert found.patients == ("sub-10", "sub-10", "sub-1", "sub-1")
    assert found.sites == ("B", "B", "A", "A")
    (folder / "participants.tsv").write_text("participant_id\tsite\nsub-1\tA\n")
    with pytest.raises(ValueError, match="got none for 2 of 4"):
        read_image_set(folder)
    (folder / "participants.tsv").write_text("id\nsub-1\n")
    with pytest.raises(ValueError, match="a column `participant_id`"):
        read_image_set(folder)


def test_a_pattern_keeps_masks_out(folder):
    assert len(read_image_set(folder, pattern="*_1.npy")) == 2
    with pytest.raises(ValueError, match="got none that the pattern names"):
        read_image_set(folder, pattern="*.nii")


def test_formats_of_one_image_give_one_row(tmp_path):
    image = RNG.integers(0, 255, (32, 16)).astype(np.uint8)
    from PIL import Image

    np.save(tmp_path / "a.npy", image)
    Image.fromarray(image).save(tmp_path / "b.png")
    Image.fromarray(np.repeat(image[..., None], 3, axis=2)).save(tmp_path / "c.png")
    nifti(tmp_path / "d.nii.gz", image[:, :, None])
    nifti(tmp_path / "e.nii", image[::-1, :, None], affine=np.diag([-1.0, 1, 1, 1]))
    features = read_image_set(tmp_path).features["raw pixels 16x16"]
    for row in features[1:]:
        np.testing.assert_allclose(row, features[0], atol=1e-5)


def test_volumes_become_cubes_and_do_not_mix_with_slices(tmp_path):
    nifti(tmp_path / "a.nii.gz", RNG.random((9, 10, 11)))
    found = read_image_set(tmp_path)
    assert found.features["raw pixels 16x16x16"].shape == (1, 4096)
    np.save(tmp_path / "b.npy", RNG.random((9, 10)))
    with pytest.raises(ValueError, match="got both"):
        read_image_set(tmp_path)


def test_stored_features_are_read_with_patient_and_site(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, features=np.eye(3), patient=["a", "b", "b"], site=["x", "y", "y"])
    found = read_image_set(path)
    assert (found.patients, found.sites, found.names[2]) == (("a", "b", "b"), ("x", "y", "y"), "row 3")
    np.savez(path, features=np.eye(3, dtype=int))
    assert read_image_set(path).patients == ("row 1", "row 2", "row 3")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": np.eye(3)}, "array `features`"),
        ({"features": np.zeros(3)}, "array `features`"),
        ({"features": np.eye(3), "patient": ["a"]}, "a value for each row"),
        ({"features": np.array([[object()]])}, "without pickled objects"),
    ],
)
def test_unusable_stored_features_are_refused(tmp_path, arrays, message):
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        read_image_set(path)


def test_a_damaged_image_is_named_by_position_only(folder):
    (folder / "doe_2.nii.gz").write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(ValueError, match="number 1 in sorted order is damaged") as caught:
        read_image_set(folder)
    assert "doe" not in str(caught.value)
    (folder / "doe_2.nii.gz").unlink()
    np.save(folder / "doe.npy", np.full((4, 4), np.nan))
    with pytest.raises(ValueError, match="number 1 in sorted order is none"):
        read_image_set(folder)


def test_what_is_neither_folder_nor_features_is_refused(tmp_path):
    with pytest.raises(ValueError, match="got neither"):
        read_image_set(tmp_path / "absent")
    broken = tmp_path / "b.npz"
    broken.write_bytes(b"PK")
    with pytest.raises(ValueError, match="without pickled objects"):
        read_image_set(broken)


@pytest.mark.parametrize("features", [np.array([["a"]]), np.eye(2) + 1j])
def test_features_that_are_no_real_numbers_are_refused(tmp_path, features):
    np.savez(tmp_path / "f.npz", features=features)
    with pytest.raises(ValueError, match="real numbers"):
        read_image_set(tmp_path / "f.npz")


def test_an_endless_cell_of_the_table_of_participants_is_refused(folder):
    (folder / "participants.tsv").write_text("participant_id\tsite\ndoe\t" + "x" * 200_000)
    with pytest.raises(ValueError, match="below 128 kB"):
        read_image_set(folder)
