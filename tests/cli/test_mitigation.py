# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_entries, read_private

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Evidence of 80 cases before and after, where the women's Dice rises by 0.1."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    side = ["participant_id\tsex", *(f"sub-{i:04d}\t{'FM'[i % 2]}" for i in range(80))]
    (folder / "participants.tsv").write_text("\n".join(side) + "\n")
    base = [0.6 + 0.2 * (i % 2) + rng.normal(0, 0.03) for i in range(80)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAI_ETHICS_KEY_HOME", str(folder / "keys"))
        for name, gain in (("before", 0.0), ("after", 0.1)):
            dice = [base[i] + gain * (i % 2 == 0) + rng.normal(0, 0.01) for i in range(80)]
            rows = ["filename,mean", *(f"/data/sub-{i:04d}/image.nii.gz,{value:.4f}" for i, value in enumerate(dice))]
            table = folder / "val_mean_dice_raw.csv"
            table.write_text("\n".join(rows) + "\n")
            words = ["fairness", "--scores", str(table), "--out", str(folder / name), "--strata", "sex"]
            assert main([*words, "--attributes", str(folder / "participants.tsv")]) == 0
    return folder


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    """A copy of that evidence, and of the keys that signed it, for each test to write to."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    return tmp_path


def words(runs, *more, after="after"):
    later = ["--after", str(runs / after)] if after else []
    side = str(runs / "participants.tsv")
    out = str(runs / "out")
    return ["mitigation", "--before", str(runs / "before"), *later, "--attributes", side, "--out", out, *more]


def test_a_change_is_measured_and_what_was_done_is_recorded(runs, capsys):
    capsys.readouterr()
    assert main(words(runs, "--action", "Resampled Mrs Example's group", "--uses", "1")) == 0
    assert "worst group's mean went from" in capsys.readouterr().out
    report = json.loads((runs / "out" / "report.json").read_text())
    (finding,) = report["findings"]
    assert finding["check"] == "fairness.mitigation_change"
    estimates = {(e["name"], *e["group"].values()): e for e in finding["estimates"]}
    assert estimates["change", "F"]["low"] > 0.05
    assert estimates["test_set_uses",]["value"] == 3
    (entry,) = [entry for entry in read_entries(runs / "out") if entry.kind == "mitigation"]
    assert entry.body["cases"] == 80
    assert entry.body["before"]["run_id"].startswith("fairness")
    assert set(entry.body["after"]) == {"run_id", "head"}
    assert "Example" not in (runs / "out" / "log.jsonl").read_text()
    assert read_private(runs / "out", "action")[0][1] == b"Resampled Mrs Example's group"
    assert "Example" not in (runs / "out" / "report.html").read_text()


def test_the_same_test_set_has_the_same_pseudonym_in_one_folder(runs):
    assert main(words(runs)) == main(words(runs)) == 0
    sets = {entry.body["case_set"] for entry in read_entries(runs / "out") if entry.kind == "mitigation"}
    assert len(sets) == 1


def test_without_an_evaluation_afterwards_nothing_is_shown(runs, capsys):
    capsys.readouterr()
    assert main(words(runs, "--json", "--strata", "sex", after=None)) == 0
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["verdict"] == "not_assessable"
    (entry,) = [entry for entry in read_entries(runs / "out") if entry.kind == "mitigation"]
    assert "after" not in entry.body


def test_evidence_without_scores_is_refused(runs, capsys):
    assert main(words(runs)) == 0
    assert main(words(runs, after="out")) == 2
    assert "Expected stored scores" in capsys.readouterr().err


def test_the_same_evidence_twice_shows_no_change(runs, capsys):
    capsys.readouterr()
    assert main(words(runs, "--json", after="before")) == 0
    (finding,) = json.loads(capsys.readouterr().out)
    estimates = {(e["name"], *e["group"].values()): e["value"] for e in finding["estimates"]}
    assert estimates["max_min_gap_change",] == 0
    assert estimates["test_set_uses",] == 1


@pytest.fixture
def classified(runs):
    """Evidence of both runs with a Dice per case and a classifier's answers, whose sensitivity rises for the women."""
    rng = np.random.default_rng(1)
    truth = [i // 2 % 2 for i in range(80)]
    score = [min(max(0.25 + 0.4 * t + rng.normal(0, 0.05), 0), 1) for t in truth]
    for name, gain in (("before", -0.2), ("after", 0.0)):
        rows = ["case,y_true,y_score"]
        for i, t in enumerate(truth):
            rows.append(f"sub-{i:04d},{t},{max(score[i] + gain * (i % 2 == 0) * t, 0):.4f}")
        table, dice = runs / "nodule.csv", runs / "val_mean_dice_raw.csv"
        table.write_text("\n".join(rows) + "\n")
        words = ["fairness", "--scores", str(table), "--scores", str(dice), "--out", str(runs / f"both_{name}")]
        words += ["--threshold", "0.5", "--target", "nodule", "--strata", "sex"]
        assert main([*words, "--attributes", str(runs / "participants.tsv")]) == 0
    return runs


def test_scores_and_a_classifier_are_compared_in_one_call(classified, capsys):
    capsys.readouterr()
    words = ["mitigation", "--before", str(classified / "both_before"), "--after", str(classified / "both_after")]
    side = ["--attributes", str(classified / "participants.tsv")]
    assert main([*words, *side, "--strata", "sex", "--out", str(classified / "out"), "--json"]) == 0
    findings = {finding["subjects"][0]: finding for finding in json.loads(capsys.readouterr().out)}
    measures = {f"nodule_{name}" for name in ("tpr", "fpr", "selection_rate", "auc")}
    assert set(findings) == {"val_mean_dice_mean", *measures}
    estimates = {(e["name"], *e["group"].values()): e for e in findings["nodule_tpr"]["estimates"]}
    assert estimates["change", "F"]["low"] > 0.3
    assert estimates["change", "M"]["value"] == 0
    assert {f["parameters"]["min_group_size"] for f in findings.values()} == {10}
    for finding in findings.values():
        uses = {e["name"]: e["value"] for e in finding["estimates"]}["test_set_uses"]
        assert uses == 2, "a run that stored scores and labels of the same cases used them once"
    (entry,) = [entry for entry in read_entries(classified / "out") if entry.kind == "mitigation"]
    assert entry.body["cases"] >= 80


def test_labels_that_changed_between_the_runs_are_refused(classified, capsys):
    table = classified / "nodule.csv"
    lines = table.read_text().splitlines()
    case, truth, score = lines[1].split(",")
    table.write_text("\n".join([lines[0], f"{case},{1 - int(truth)},{score}", *lines[2:]]) + "\n")
    side = ["--attributes", str(classified / "participants.tsv")]
    words = ["fairness", "--scores", str(table), "--threshold", "0.5", "--target", "nodule", "--strata", "sex"]
    assert main([*words, *side, "--out", str(classified / "other")]) == 0
    words = ["mitigation", "--before", str(classified / "both_before"), "--after", str(classified / "other")]
    assert main([*words, *side, "--out", str(classified / "out")]) == 2
    assert "Labels must be the same before and after: got other labels for 1 of 80 cases" in capsys.readouterr().err


def test_nothing_that_was_named_is_public_and_what_was_done_stays_private(runs, capsys):
    side = ["participant_id\tsex\tname\tbirth"]
    side += [f"sub-{i:04d}\t{'FM'[i % 2]}\tDOE^{i}\t1975-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(80)]
    (runs / "participants.tsv").write_text("\n".join(side) + "\n")
    capsys.readouterr()
    assert main(words(runs, "--action", "More of DOE^1, born 1975-02-02")) == 0
    shown = capsys.readouterr()
    public = [path.read_text() for path in (runs / "out").iterdir() if path.is_file()]
    assert len(public) >= 5
    for text in (shown.out, shown.err, *public):
        for canary in ("DOE", "1975-", "sub-00", "/data/"):
            assert canary not in text


@pytest.mark.parametrize("more", [("--action", "\udc80"), ("--uses", str(2**53 - 1)), ("--min-group-size", "9" * 20)])
def test_what_no_log_can_hold_writes_nothing(runs, more, capsys):
    capsys.readouterr()
    assert main(words(runs, *more)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (runs / "out").exists()
