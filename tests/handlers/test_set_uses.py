# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from monai_ethics.handlers._described import described
from monai_ethics.handlers._set_uses import lock_findings
from monai_ethics.provenance.log.writing.writer import EvidenceLog

A, B = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)


def finding_of(folder, kind, root, *, locked=(), run="run", site=None):
    role = "input set" if kind == "evaluation" else "validation set"
    sets = {} if root is None else {role: {"root": root, "n": 3, "synthetic": "no"}}
    with EvidenceLog.open(folder, run_id=run, site=site) as log:
        log.append("record", {"type": kind, "activity": {"sets": sets}})
        found = lock_findings(SimpleNamespace(described={"evaluation_set": locked}, site=site), log)
    return found[0] if found else None


def value(finding, name="roots_other_than_locked"):
    return next(row.value for row in finding.estimates if row.name == name)


def test_runs_of_one_folder_are_counted_together(tmp_path):
    assert finding_of(tmp_path, "training", B, run="t") is None
    assert finding_of(tmp_path, "evaluation", A, run="a").verdict == "not_assessable"
    again = finding_of(tmp_path, "evaluation", A, run="b")
    assert (value(again), value(again, "uses_of_evaluation_set")) == (0, 2)
    assert value(finding_of(tmp_path, "evaluation", B, run="c"), "sets_also_used_to_learn") == 1


def test_a_run_that_declares_its_data_is_held_against_them(tmp_path):
    assert value(finding_of(tmp_path, "evaluation", A, locked=(B,))) == 1


def test_an_evaluation_without_files_says_so(tmp_path):
    assert "showed no files" in finding_of(tmp_path, "evaluation", None).reason


def test_other_logs_that_the_site_log_witnessed_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "site"))
    finding_of(tmp_path / "one", "evaluation", A)
    found = finding_of(tmp_path / "two", "evaluation", A)
    assert any("witnessed 1 other log" in text for text in found.limitations)


def test_the_site_log_of_the_run_itself_is_asked_before_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "nowhere"))
    finding_of(tmp_path / "one", "evaluation", A, site=tmp_path / "site")
    found = finding_of(tmp_path / "two", "evaluation", A, site=tmp_path / "site")
    assert any("witnessed 1 other log" in text for text in found.limitations)


def test_the_lock_is_read_from_the_setting_record():
    assert described({"evaluation_set": A}, {})["evaluation_set"] == (A,)
    assert described({"evaluation_set": [A, B]}, {})["evaluation_set"] == (A, B)
    with pytest.raises(ValueError, match="64 hex digits"):
        described({"evaluation_set": ["doe"]}, {})
