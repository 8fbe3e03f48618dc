# SPDX-License-Identifier: Apache-2.0
"""A copy for the public stays one: nothing writes into it, and reading it works."""

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.errors import InputError
from monai_ethics.provenance.log.writing.writer import EvidenceLog


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    rng = np.random.default_rng(0)
    rows = [f"c{i},p{i},{rng.beta(8, 2):.4f},{'FM'[i % 2]}\n" for i in range(80)]
    (tmp_path / "scores.csv").write_text(
        "filename,mean_dice\n" + "".join(f"{r.split(',')[0]},{r.split(',')[2]}\n" for r in rows)
    )
    (tmp_path / "side.csv").write_text(
        "case,patient,sex\n" + "".join(f"{a},{b},{d}" for a, b, _, d in (r.split(",") for r in rows))
    )
    given = ["--attributes", str(tmp_path / "side.csv")]
    assert main(["fairness", "--scores", str(tmp_path / "scores.csv"), *given, "--out", str(tmp_path / "e")]) == 0
    assert main(["export", str(tmp_path / "e"), "--public", "--out", str(tmp_path / "public")]) == 0
    return tmp_path / "public"


def test_nothing_is_added_to_a_copy_and_it_can_be_read(copy, tmp_path, capsys):
    before = everything(copy)
    capsys.readouterr()
    given = ["--attributes", str(tmp_path / "side.csv"), "--strata", "sex"]
    for words in (
        ["report", str(copy)],
        ["fairness", "--scores", str(tmp_path / "scores.csv"), *given, "--out", str(copy)],
        ["fairness", str(copy), *given],
        ["redact", str(copy), "--all", "--reason", "retention"],
    ):
        assert main(words) == 2, words
        told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("monai-ethics: ")]
        assert len(told) == 1, words
    with pytest.raises(InputError, match="got a copy for the public, to which nothing is added"):
        EvidenceLog.open(copy, run_id="r")
    assert everything(copy) == before
    assert not (copy / "private").exists()
    assert main(["report", str(copy), "--out", str(tmp_path / "again")]) == 0
    assert main(["verify", str(copy)]) == 0
    assert everything(copy) == before


def test_other_logs_go_on(tmp_path, copy):
    with EvidenceLog.open(tmp_path / "e", run_id="more") as log:
        log.append("note", {})
