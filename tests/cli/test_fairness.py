# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys

import numpy as np
import pytest

from monai_ethics.__main__ import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    rng = np.random.default_rng(0)
    rows, scores = ["participant_id\tsex\tage"], ["filename,class0,mean"]
    for i in range(80):
        rows.append(f"sub-{i:04d}\t{'FM'[i % 2]}\t{rng.integers(20, 90)}")
        dice = np.clip(rng.beta(8, 2) - 0.2 * (i % 2), 0.001, 1)
        scores.append(f"/data/sub-{i:04d}/image.nii.gz,{dice:.4f},{dice:.4f}")
    (tmp_path / "participants.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "val_mean_dice_raw.csv").write_text("\n".join(scores) + "\n")
    return tmp_path


def words(files, *more):
    table, side = str(files / "val_mean_dice_raw.csv"), str(files / "participants.tsv")
    return ["fairness", "--scores", table, "--attributes", side, "--out", str(files / "evidence"), *more]


def test_stored_scores_become_evidence_that_can_be_stratified_again(files, capsys):
    assert main(words(files, "--strata", "sex")) == 0
    assert "differs by sex" in capsys.readouterr().out
    report = json.loads((files / "evidence" / "report.json").read_text())
    assert {finding["check"] for finding in report["findings"]} == {
        "fairness.representation",
        "fairness.group_scores",
        "fairness.score_gap",
    }
    side = str(files / "participants.tsv")
    again = [
        "fairness",
        str(files / "evidence"),
        "--attributes",
        side,
        "--bins",
        "age=40,65",
        "--strata",
        "age,sex*age",
    ]
    assert main(again) == 0
    assert "80 of 80 cases have a row; 0 rows are unused" in capsys.readouterr().out
    report = json.loads((files / "evidence" / "report.json").read_text())
    assert {finding["subjects"][1] for finding in report["findings"] if len(finding["subjects"]) > 1} == {
        "sex",
        "age",
        "sex*age",
    }
    looks = [f for f in report["findings"] if f["check"] == "fairness.score_gap"]
    assert [f["parameters"].get("earlier_looks", 0) for f in looks] == [0, 1, 1]
    assert "compared once before" in looks[-1]["limitations"][0]


def test_findings_can_be_printed_for_machines(files, capsys):
    assert main(words(files, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    gaps = [finding for finding in found if finding["check"] == "fairness.score_gap"]
    assert [finding["subjects"][-1] for finding in gaps] == ["age_band", "sex"]


@pytest.mark.parametrize(
    ("change", "words_of_error"),
    [
        (["fairness"], "either EVIDENCE or `--scores`"),
        (["fairness", "--scores", "x.csv"], "Expected `--out`"),
        (["fairness", "nowhere", "--out", "x", "--attributes", "y"], "Expected no `--out`"),
        (["fairness", "nowhere"], "Expected `--attributes`"),
        (["fairness", "nowhere", "--attributes", "y", "--target", "z"], "Expected no `--target`"),
    ],
)
def test_wrong_words_are_refused_in_one_sentence(change, words_of_error, capsys):
    assert main(change) == 2
    error = capsys.readouterr().err
    assert words_of_error in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("strata", ["height", "sex,sex", "sex*"])
def test_wrong_strata_write_nothing(files, strata, capsys):
    assert main(words(files, "--strata", strata)) == 2
    assert not (files / "evidence").exists()
    assert "sub-" not in capsys.readouterr().err


def test_a_table_of_other_patients_writes_nothing_and_names_nobody(files, capsys):
    (files / "participants.tsv").write_text("participant_id\tsex\nsecret\tF\n")
    assert main(words(files)) == 2
    assert "none of 1 rows matches any of 80 cases" in (error := capsys.readouterr().err)
    assert "secret" not in error
    assert not (files / "evidence").exists()


@pytest.mark.slow
def test_the_command_imports_neither_monai_nor_torch(files):
    code = (
        "import sys; from monai_ethics.__main__ import main; code = main(sys.argv[1:]);"
        "print(code, [m for m in ('monai', 'torch', 'ignite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words(files)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize("seed", ["-1", str(2**53)])
def test_a_seed_that_no_log_can_hold_writes_nothing(files, seed, capsys):
    assert main(words(files, "--seed", seed)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (files / "evidence").exists()


def test_names_and_dates_in_a_side_table_stay_out_of_the_public_evidence(files, capsys):
    rows = ["participant_id\tsex\tname\tbirth"]
    rows += [f"sub-{i:04d}\t{'FM'[i % 2]}\tDOE^JANE {i // 8}\t1975-03-{i % 12 + 10}" for i in range(12)]
    (files / "participants.tsv").write_text("\n".join(rows) + "\n")
    table = (files / "val_mean_dice_raw.csv").read_text().splitlines()[:13]
    (files / "val_mean_dice_raw.csv").write_text("\n".join(table) + "\n")
    assert main(words(files)) == 0
    shown = capsys.readouterr()
    public = [path.read_text() for path in (files / "evidence").iterdir() if path.is_file()]
    assert len(public) >= 5
    for text in (shown.out, shown.err, *public):
        assert "1975-" not in text  # without the hyphen it is in one of many digests
        assert "sub-00" not in text
    assert "birth" in shown.out


def test_hostile_labels_reach_neither_terminal_nor_page(files, capsys):
    hostile = ["<script>alert(1)</script>", "$\\frac{$", "\x1b[31mred", "[red]", "\u202eevil", "x" * 200]
    rows = ["participant_id\tsite\x1b[2J<b>\tnote"]
    rows += [f"sub-{i:04d}\t{hostile[i % 6]}\t{'y' * 10_000}" for i in range(80)]
    (files / "participants.tsv").write_text("\n".join(rows) + "\n")
    assert main(words(files)) == 0
    shown = capsys.readouterr()
    page = (files / "evidence" / "report.html").read_text()
    for text in (shown.out, shown.err, page, (files / "evidence" / "report.md").read_text()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>" not in page


@pytest.fixture
def labeled(files):
    rng = np.random.default_rng(1)
    rows = ["case,y_true,y_score,patient"]
    rows += [f"DOE-{i}.png,{i % 3 == 0:d},{0.3 * (i % 3 == 0) + 0.6 * rng.random():.4f},sub-{i:04d}" for i in range(80)]
    (files / "labels.csv").write_text("\n".join(rows) + "\n")
    return files


def label_words(files, *more):
    table, side = str(files / "labels.csv"), str(files / "participants.tsv")
    return ["fairness", "--scores", table, "--attributes", side, "--out", str(files / "evidence"), *more]


@pytest.mark.parametrize(
    "more",
    [
        ("--min-group-size", "9" * 21),
        ("--bins", "age=40", "--bins", "AGE=50"),
        ("--map", "sex=F:x", "--map", "Sex=x:y"),
        ("--strata", "sex,SEX"),
        ("--strata", "sex*sex"),
        ("--strata", "sex*age_band,age_band*sex"),
        ("--control", "roi_size_band"),
        ("--control", "nonsense"),
        ("--correction", "max_t"),
        ("--run-id", "x"),
    ],
)
@pytest.mark.parametrize("words_of", [words, label_words])
def test_words_that_contradict_or_do_nothing_are_refused_and_write_nothing(labeled, words_of, more, capsys):
    assert main(words_of(labeled, *more)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "DOE" not in error
    assert not (labeled / "evidence").exists()


def test_a_threshold_that_decides_nothing_is_refused(labeled, capsys):
    assert main(words(labeled, "--threshold", "0.5")) == 2
    assert "without decisions of their own" in capsys.readouterr().err
    assert not (labeled / "evidence").exists()


def test_an_attribute_held_fixed_must_have_scores_to_be_held_fixed_for(labeled, capsys):
    assert main(label_words(labeled, "--control", "sex")) == 2
    assert "got labels and scores alone" in capsys.readouterr().err


@pytest.mark.parametrize("score", ["1e308", "-1e101"])
def test_scores_without_a_square_are_refused(labeled, score, capsys):
    for name, make in (("labels.csv", label_words), ("val_mean_dice_raw.csv", words)):
        head, *rows = (labeled / name).read_text().splitlines()
        place = head.split(",").index("y_score" if name == "labels.csv" else "class0")
        cells = [row.split(",") for row in rows]
        for cell in cells:
            cell[place] = score
        (labeled / name).write_text("\n".join([head, *map(",".join, cells)]))
        assert main(make(labeled)) == 2
        assert "of a size up to" in capsys.readouterr().err
        assert not (labeled / "evidence").exists()


def test_quotes_that_swallow_rows_leak_no_patient(labeled, capsys):
    rows = ["participant_id\tsex"] + [f"sub-{i:04d}\t" + ('"' if i % 2 else "M") for i in range(80)]
    (labeled / "participants.tsv").write_text("\n".join(rows) + "\n")
    assert main(words(labeled)) == 2
    assert "sub-" not in capsys.readouterr().err
    assert not (labeled / "evidence").exists()


def test_classes_that_are_names_are_refused(labeled, capsys):
    rows = ["case,y_true,y_pred"] + [f"sub-{i:04d},DOE^{i},x" for i in range(80)]
    (labeled / "labels.csv").write_text("\n".join(rows) + "\n")
    assert main(label_words(labeled)) == 2
    assert "DOE" not in capsys.readouterr().err
    assert not (labeled / "evidence").exists()


def test_a_finding_too_large_for_the_log_writes_nothing(labeled, capsys):
    shares = [f"sex,label{i},{1 / 4000},census" for i in range(4000)]
    (labeled / "population.csv").write_text("\n".join(["attribute,label,share,source", *shares]))
    assert main(label_words(labeled, "--population", str(labeled / "population.csv"), "--measures", "auc")) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("Ask for fewer groups.")
    assert not (labeled / "evidence").exists()


def test_no_name_of_a_classifiers_cases_is_public_with_curves_counts_and_a_target_population(labeled, capsys):
    rows = ["participant_id\tsex\tname\tbirth"]
    rows += [f"sub-{i:04d}\t{'FM'[i % 2]}\tROE^JANE {i}\t1975-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(80)]
    (labeled / "participants.tsv").write_text("\n".join(rows) + "\n")
    population = labeled / "population-of-ROE.csv"
    population.write_text("attribute,label,share,source\nsex,F,0.4,census of 2020\nsex,M,0.6,census of 2020\n")
    more = ["--threshold", "0.5", "--measures", "tpr,auc,calibration_in_the_large", "--population", str(population)]
    assert main(label_words(labeled, *more)) == 0
    shown = capsys.readouterr()
    public = [path.read_text() for path in (labeled / "evidence").iterdir() if path.is_file()]
    assert any("census of 2020" in text for text in public)
    assert any('"reliability"' in text for text in public)
    for text in (shown.out.replace(str(labeled), ""), shown.err, *public):
        for canary in ("ROE", "1975-", "sub-00", "DOE-", str(labeled)):
            assert canary not in text
