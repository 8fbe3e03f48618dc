# SPDX-License-Identifier: Apache-2.0
"""A side table that does not fit a bundle's cases: one sentence, exit 2, evidence that says so, and no name."""

from __future__ import annotations

import logging

import pytest

from monai_ethics.provenance.log.reading.entries import read_entries, read_report


@pytest.fixture
def run_with(image_bundle, tmp_path, monkeypatch):
    """Run the image bundle with a side table of some text; returns its folder and exit code."""
    from monai_ethics.__main__ import main

    def run(text, *more):
        root = image_bundle("one")
        monkeypatch.chdir(root)
        monkeypatch.setattr(logging, "raiseExceptions", False)  # handlers of earlier tests hold closed streams
        monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
        (tmp_path / "table.tsv").write_text(text)
        words = ["run", "--config_file", "configs/train.json", "--epochs", "1", "--logging_file", "False"]
        words += ["--attributes", str(tmp_path / "table.tsv"), *more]
        return root, main(words)

    return run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("participant_id\tsex\nsub-secret\tF\n", "none of 1 rows matches any of 7 cases"),
        ("case\tsex\nsecret_image.nii\tF\n", "none of 1 rows matches any of 7 cases"),
        ("case\tsex\ncase0_image.nii\tF\ncase0_image.nii\tM\n", "must be unique: 1 are repeated, the first is row 1"),
        ("filename\tsex\ndata_2d/case0_image.nii\tF\ncase0_image.nii\tM\n", "Each case must match one row"),
        ("case\tsex\n\tF\n", "Every row must be named"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence_before_anything_is_trained(run_with, capfd, text, words):
    root, code = run_with(text)
    told = capfd.readouterr()
    lines = [line for line in told.err.splitlines() if line.startswith("monai-ethics: ")]
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert told.err.splitlines()[-1] == lines[0]
    assert "Traceback" not in told.out + told.err
    assert "secret" not in told.out + told.err
    assert "case0" not in lines[0]
    assert not list(root.rglob("*.pt"))
    assert not (root / "eval" / "metrics.csv").exists()
    if "named" not in words:  # a table that cannot be read at all is refused before evidence is opened
        last = [entry.body for entry in read_entries(root / "eval" / "evidence") if entry.kind == "run"][-1]
        assert last == {"status": "failed", "error_type": "InputError"}


def test_names_that_only_the_batches_show_are_asked_after_the_first_evaluation(run_with, capfd):
    part = "$torch.utils.data.Subset(@validate#dataset, range(3))"
    _, code = run_with("case\tsex\nsecret\tF\n", "--validate#dataloader#dataset", part)
    told = capfd.readouterr()
    assert code == 2
    assert "none of 1 rows" in told.err.splitlines()[-1]
    assert "Traceback" not in told.out + told.err


def test_a_table_of_a_whole_study_ends_no_run_and_is_refused_for_its_stored_scores(run_with, tmp_path, capsys):
    from monai_ethics.__main__ import main

    rows = "".join(f"case{i}_image.nii\t{'FM'[i % 2]}\n" for i in range(3, 20))
    root, code = run_with("case\tsex\n" + rows)
    assert code == 0
    statement = read_report(root / "eval" / "evidence").findings[0].statement
    assert statement.endswith("4 of 17 rows of the side table match a case.")
    evidence, table = str(root / "eval" / "evidence"), str(tmp_path / "table.tsv")
    assert main(["fairness", evidence, "--attributes", table]) == 2
    assert "must be a case of this run: 13 are not, the first is row 4" in capsys.readouterr().err
    (tmp_path / "table.tsv").write_text("filename\tsex\n" + rows)
    assert main(["fairness", evidence, "--attributes", table]) == 0
