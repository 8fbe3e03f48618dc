# SPDX-License-Identifier: Apache-2.0
"""A finding that no entry can hold costs a run no other finding, and is kept whole in the private part."""

import json

import pytest

from monai_ethics.evidence import Finding, Observation, Stage, Verdict
from monai_ethics.provenance.log.reading.entries import read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


def finding(statement, rows=0):
    looked = [Observation(label=f"row {i}", items=["x" * 100], value=i, unit="1") for i in range(rows)]
    return Finding(
        check="a.b", title="T", stage=Stage.EVALUATION, verdict=Verdict.MEASURED, statement=statement,
        observations=looked,
    )  # fmt: skip


def test_the_other_findings_stay_and_the_large_one_says_what_became_of_it(tmp_path):
    large = finding("large", rows=9_000)
    with EvidenceLog.open(tmp_path / "e", run_id="r") as log:
        log.add_findings([finding("one"), large, finding("two")])
    found = read_report(tmp_path / "e").findings
    assert [item.verdict for item in found] == [Verdict.MEASURED, Verdict.NOT_ASSESSABLE, Verdict.MEASURED]
    assert "larger than an entry of 1 MB" in found[1].reason
    assert "'measured'" in found[1].reason
    ((*_, payload),) = read_private(tmp_path / "e", "finding")
    assert json.loads(payload) == json.loads(json.dumps(large.to_dict()))
    assert verify_evidence(tmp_path / "e").log_intact


def test_a_copy_for_the_public_keeps_no_private_part_of_it(tmp_path):
    with EvidenceLog.open(tmp_path / "e", run_id="r", private=False) as log:
        log.add_findings([finding("large", rows=9_000)])
    (found,) = read_report(tmp_path / "e").findings
    assert "It was not kept" in found.reason
    assert list((tmp_path / "e" / "private").iterdir()) == []
