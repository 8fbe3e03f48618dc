# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.cohort import FaultyGenerator, write_cohort
from monai_ethics.cohort.__main__ import main
from monai_ethics.errors import InputError


def rows(folder):
    with (folder / "participants.tsv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.slow
def test_what_is_written_can_be_read_back(small_cohort, tmp_path):
    cohort = small_cohort(n=3)
    target = write_cohort(cohort, tmp_path / "out")
    items = json.loads(target.read_text())["testing"]
    assert len(items) == 3
    image = nib.load(target.parent / items[1]["image"])
    assert np.array_equal(np.asarray(image.dataobj), cohort[1].image[0])
    assert np.allclose(image.affine, cohort[1].affine)
    assert np.array_equal(np.asarray(nib.load(target.parent / items[1]["label"]).dataobj), cohort[1].label[0])
    table = rows(target.parent)
    assert [row["participant_id"] for row in table] == [s.subject_id for s in cohort]
    assert table[1]["sex"] == cohort[1].attributes["sex"]
    assert {row["source"] for row in table} == {"reference"}


def test_writing_twice_gives_the_same_bytes(small_cohort, tmp_path):
    folders = [write_cohort(small_cohort(n=2), tmp_path / name).parent for name in "ab"]
    for file in folders[0].iterdir():
        assert file.read_bytes() == (folders[1] / file.name).read_bytes()


def test_splits_are_kept_and_progress_is_told(small_cohort, tmp_path):
    seen = []
    target = write_cohort(
        small_cohort(n=5),
        tmp_path / "out",
        splits={"training": range(3), "validation": [4]},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert {name: len(items) for name, items in json.loads(target.read_text()).items()} == {
        "training": 3,
        "validation": 1,
    }
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_generated_set_is_written_as_synthetic_without_telling_its_copies(small_cohort, tmp_path):
    generator = FaultyGenerator(reference=small_cohort(n=4), training=range(4), n=3, copies=1.0)
    folder = write_cohort(generator, tmp_path / "out").parent
    assert {row["source"] for row in rows(folder)} == {"synthetic"}
    assert "copy_of" not in rows(folder)[0]


def test_a_subject_in_two_lists_is_refused(small_cohort, tmp_path):
    with pytest.raises(InputError, match="one list"):
        write_cohort(small_cohort(n=3), tmp_path / "out", splits={"training": [0], "validation": [0]})
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_a_cohort_is_refused(small_cohort, tmp_path):
    write_cohort(small_cohort(n=1), tmp_path / "out")
    with pytest.raises(InputError, match="holds one already"):
        write_cohort(small_cohort(n=1), tmp_path / "out")


def test_the_command_writes_the_asked_lists(monkeypatch, tmp_path, capsys):
    from monai_ethics.cohort import analytic_founders, reference

    monkeypatch.setattr(reference, "load_founders", analytic_founders)
    assert main(["--out", str(tmp_path / "out"), "--training", "2", "--validation", "1", "--contrast-bias", "0.3"]) == 0
    lists = json.loads((tmp_path / "out" / "datalist.json").read_text())
    assert {name: len(items) for name, items in lists.items()} == {"training": 2, "validation": 1}
    assert "3 of 3" in capsys.readouterr().out
