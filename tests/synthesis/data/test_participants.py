# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import numpy as np
import pytest

from monai_ethics.synthesis.data.folder import read_image_set
from monai_ethics.synthesis.features.random_conv import random_conv


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "images"
    (path / "b").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("p1_1", "p1_2", "b/p2_1"):
        np.save(path / f"{name}.npy", rng.random((20, 24)))
    return path


def table(folder, text, ending="tsv"):
    path = folder.parent / f"t.{ending}"
    path.write_text(text)
    return path


def test_a_table_of_patients_gives_attributes(folder):
    found = read_image_set(folder, attributes=table(folder, "patient\tsex\tsite\np1\tF\tA\np2\tn/a\tB\n"))
    assert (found.names, found.sites) == (("p1_1.npy", "p1_2.npy", "b/p2_1.npy"), ("A", "A", "B"))
    assert found.attributes == {"sex": ("F", "F", None)}
    assert found.sources is None


def test_a_table_of_images_gives_attributes_and_sources(folder):
    text = "file,view,source\np1_1.npy,ap,r7\np2_1,pa,\n"
    found = read_image_set(folder, attributes=table(folder, text, "csv"))
    assert found.attributes == {"view": ("ap", None, "pa")}
    assert found.sources == ("r7", None, None)
    assert found.sites is None


def test_the_table_of_participants_and_further_attributes_go_together(folder):
    (folder / "participants.tsv").write_text("participant_id\tsex\np1\tF\np2\tM\n")
    found = read_image_set(folder, attributes=table(folder, "case\tdevice\nb/p2_1.npy\tx\n"))
    assert found.attributes == {"sex": ("F", "F", "M"), "device": (None, None, "x")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\tsex\np1\tF\n", "a column `participant_id` in the table of attributes"),
        ("patient\tsex\np1\tF\np1\tM\n", "got two that differ"),
        ("patient\tsex\nq\tF\n", "got none of them"),
        ("patient\tsite\np1\tA\np2\t\n", "a site for each image or for none: got one for 2 of 3"),
    ],
)
def test_tables_that_do_not_fit_are_refused(folder, text, message):
    with pytest.raises(ValueError, match=message):
        read_image_set(folder, attributes=table(folder, text))


def test_a_table_that_is_no_text_is_refused(folder):
    path = folder.parent / "t.tsv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="a text file in UTF-8"):
        read_image_set(folder, attributes=path)


def test_spaces_views_and_progress_of_a_folder(folder):
    seen = []
    found = read_image_set(
        folder,
        extractors=lambda dims: [random_conv(dims, size=16)],
        views=True,
        batch_size=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert found.spaces == ("random convolutions 2D", "raw pixels 16x16")
    assert found.views["raw pixels 16x16"].shape == (3, 7, 256)
    assert seen == [(0, 3), (2, 3), (3, 3)]
    assert set(found.protocols) == set(found.spaces)
    assert [len(files) for files in found.files] == [1, 1, 1]


def test_a_table_of_attributes_is_not_for_feature_files(folder):
    np.savez(folder / "f.npz", features=np.eye(2))
    with pytest.raises(ValueError, match="as arrays in it"):
        read_image_set(folder / "f.npz", attributes=folder)


def test_images_are_not_all_in_memory_at_once(tmp_path):
    n, side = 24, 64
    for number in range(n):
        np.save(tmp_path / f"p{number}.npy", np.full((side, side, side), number % 7, dtype=np.float32))
    tracemalloc.start()
    read_image_set(tmp_path, batch_size=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * side**3 * 4 / 2  # what NumPy holds of 25 MB of images and features
