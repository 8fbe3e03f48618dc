# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from monai_ethics.__main__ import main
from monai_ethics.lifecycle.run_coverage import EngineEntry, EngineLedger, RunCoverage
from monai_ethics.provenance.log.writing.writer import EvidenceLog

POLICY = """schema_version: "1"
title: A run must be seen
limits:
  - {check: lifecycle.run_coverage, estimate: completed, at_least: 1, source: {title: house rule}}
required_checks: [lifecycle.run_coverage]
"""


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


@pytest.fixture
def evidence(tmp_path):
    engine = EngineEntry(engine_id="evaluator", expected=True, ran=True, carried=True, cases=5)
    for run, outcome in (("good", "completed"), ("bad", "failed")):
        with EvidenceLog.open(tmp_path / "evidence", run_id=run) as log:
            log.add_findings([RunCoverage()(EngineLedger(engines=(engine,), outcome=outcome))])
    return tmp_path / "evidence"


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "doe.yaml"
    path.write_text(POLICY)
    return path


def test_evidence_that_holds_passes(evidence, policy, capsys):
    assert main(["gate", str(evidence), "--policy", str(policy), "--run-id", "good"]) == 0
    assert "lets this evidence pass" in capsys.readouterr().out


def test_a_failed_run_is_refused_with_exit_code_1(evidence, policy, tmp_path, capsys):
    junit = tmp_path / "gate.xml"
    assert main(["gate", str(evidence), "--policy", str(policy), "--junit", str(junit)]) == 1
    shown = capsys.readouterr()
    assert "failed          lifecycle.run_coverage [evaluator, run bad]: completed at least 1" in shown.out
    assert shown.err == (
        "monai-ethics: Expected everything the policy asks for to hold: 1 of 5 rows refuse. "
        "Read them in the gate's output.\n"
    )
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")


def test_the_answer_for_machines_is_json(evidence, policy, capsys):
    assert main(["gate", str(evidence), "--policy", str(policy), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is False
    assert answer["rows"][0]["check"] == "provenance.integrity"


def test_altered_evidence_is_refused_whatever_it_says(evidence, policy, capsys):
    log = evidence / "log.jsonl"
    log.write_text(log.read_text().replace('"value":1', '"value":2', 1))
    assert main(["gate", str(evidence), "--policy", str(policy), "--run-id", "good"]) == 1
    assert "altered" in capsys.readouterr().out


def test_evidence_that_was_rolled_back_is_refused_with_the_site_log(evidence, policy, tmp_path, capsys):
    words = ["gate", str(evidence), "--policy", str(policy), "--run-id", "good"]
    site = ["--site", str(tmp_path / "site")]
    shutil.copytree(evidence, tmp_path / "older")
    with EvidenceLog.open(evidence, run_id="again", site=tmp_path / "site"):
        pass
    assert main([*words, *site]) == 0
    shutil.rmtree(evidence)
    shutil.copytree(tmp_path / "older", evidence)
    assert main(words) == 0
    assert main([*words, *site]) == 1
    assert "stale" in capsys.readouterr().out


@pytest.mark.parametrize(("reason", "code"), [("superseded", 0), ("lost", 1)])
def test_the_end_of_a_key_refuses_where_others_may_have_it(evidence, policy, tmp_path, capsys, reason, code):
    words = ["gate", str(evidence), "--policy", str(policy), "--run-id", "good", "--site", str(tmp_path / "site")]
    assert main(["keys", "rotate"]) == 0
    assert main(["keys", "revoke", "--site", str(tmp_path / "site"), "--reason", reason]) == 0
    assert main(words) == code
    assert ("wrong-key" in capsys.readouterr().out) is bool(code)


@pytest.mark.parametrize(
    "name", ["log.jsonl", "head.json", "gate.xml", "private/x", "../evidence/log.jsonl", "../link"]
)
def test_the_answer_is_not_written_over_what_is_judged(evidence, policy, tmp_path, capsys, name):
    (tmp_path / "link").symlink_to(evidence / "log.jsonl")
    before = {path: path.read_bytes() for path in evidence.rglob("*") if path.is_file()}
    words = ["--policy", str(policy), "--site", str(evidence), "--junit", str(evidence / name)]
    assert main(["gate", str(evidence), *words]) == 2
    assert main(["gate", str(tmp_path / "other"), *words]) == 2  # nor over the site log
    assert capsys.readouterr().err.count("Expected `--junit` outside evidence and site log") == 2
    assert {path: path.read_bytes() for path in evidence.rglob("*") if path.is_file()} == before


def test_an_answer_into_a_pipe_that_nobody_reads_is_not_waited_for(evidence, policy, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    words = ["--policy", str(policy), "--run-id", "good", "--junit", str(tmp_path / "pipe")]
    assert main(["gate", str(evidence), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert main(["gate", str(evidence), *words]) == 0
    assert os.read(reader, 100).startswith(b"<?xml")
    os.close(reader)


def test_a_policy_that_is_none_leaves_no_file(evidence, policy, tmp_path, capsys):
    policy.write_text(POLICY + "foo: 1\n")
    junit = tmp_path / "gate.xml"
    assert main(["gate", str(evidence), "--policy", str(policy), "--junit", str(junit)]) == 2
    message = capsys.readouterr().err
    assert "got `foo`" in message
    assert "doe" not in message
    assert not junit.exists()


def test_a_folder_without_evidence_is_unusable(tmp_path, policy, capsys):
    assert main(["gate", str(tmp_path), "--policy", str(policy)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_run_is_unusable(evidence, policy):
    assert main(["gate", str(evidence), "--policy", str(policy), "--run-id", "other"]) == 2


def test_the_gate_imports_neither_monai_nor_torch(evidence, policy):
    words = ["gate", str(evidence), "--policy", str(policy), "--run-id", "good"]
    code = (
        f"import sys; from monai_ethics.__main__ import main; assert main({words!r}) == 0;"
        "assert not {'monai', 'torch', 'ignite', 'pandas', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("edit", ["shuffled", "emptied", "linked"])
def test_a_log_that_cannot_be_read_is_refused_and_the_answer_is_written(evidence, policy, tmp_path, edit, capsys):
    log = evidence / "log.jsonl"
    lines = log.read_text().splitlines()
    if edit == "linked":
        log.rename(tmp_path / "elsewhere")
        log.symlink_to(tmp_path / "elsewhere")
    else:
        log.write_text("\n".join(reversed(lines)) + "\n" if edit == "shuffled" else "")
    junit = tmp_path / "gate.xml"
    assert main(["gate", str(evidence), "--policy", str(policy), "--junit", str(junit)]) == 1
    assert "altered" in capsys.readouterr().out
    assert int(ElementTree.parse(junit).getroot().get("failures")) >= 1


def test_the_answer_is_written_whole_and_through_a_device(evidence, policy, tmp_path, capsys):
    words = ["gate", str(evidence), "--policy", str(policy), "--run-id", "good", "--junit"]
    assert main([*words, "/dev/null"]) == 0
    assert main([*words, "/dev/full"]) == 2
    assert main([*words, str(tmp_path)]) == 2
    assert main([*words, str(tmp_path / "absent" / "gate.xml")]) == 2
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_what_is_judged_is_what_was_verified(evidence, policy, monkeypatch, capsys):
    from monai_ethics.provenance.log.verifying import verify

    def verified_then_exchanged(folder, **options):
        found = verified(folder, **options)
        log = folder / "log.jsonl"
        log.write_bytes(log.read_bytes().replace(b'"verdict":"', b'"verdict":"not_'))
        return found

    verified = verify.verify_evidence
    monkeypatch.setattr(verify, "verify_evidence", verified_then_exchanged)
    assert main(["gate", str(evidence), "--policy", str(policy), "--run-id", "good"]) == 2
    assert "lets this evidence pass" not in capsys.readouterr().out
