# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_private


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    rng = np.random.default_rng(0)
    rows = ["real_fraction,seed,case,score,sex"]
    for share in (0, 0.5, 1):
        for seed in range(5):
            rows += [
                f"{share},{seed},patient-{i},{rng.normal(0.7 + 0.1 * share, 0.02)},{'FM'[i % 2]}" for i in range(30)
            ]
    path = tmp_path / "sweep.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_becomes_sealed_evidence_without_a_name_of_a_case(sweep, tmp_path, capsys):
    out = tmp_path / "e"
    assert main(["utility", "--scores", str(sweep), "--out", str(out), "--metric", "dice", "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["check"] == "synthesis.utility"
    assert "dice on real test cases" in finding["statement"]
    assert "they show nobody" in finding["limitations"][0], "what synthetic images lack stands here, too"
    assert "patient-" not in (out / "log.jsonl").read_text() + (out / "report.html").read_text()
    assert read_private(out, "sweep")[0][1] == sweep.read_bytes()


def test_a_margin_with_a_source_judges(sweep, tmp_path, capsys):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        'schema_version: "1"\ntitle: margin\nlimits:\n  - check: synthesis.utility\n'
        "    estimate: equivalence_margin_recipe\n"
        "    at_most: 0.01\n    source: {title: a protocol}\n"
    )
    words = ["utility", "--scores", str(sweep), "--out", str(tmp_path / "e"), "--json", "--policy", str(policy)]
    assert main(words) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["verdict"] == "failed"


def test_an_unreadable_table_is_one_sentence(tmp_path, capsys):
    assert main(["utility", "--scores", str(tmp_path / "no.csv"), "--out", str(tmp_path / "e")]) == 2
    assert "readable CSV" in capsys.readouterr().err
