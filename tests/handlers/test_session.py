# SPDX-License-Identifier: Apache-2.0
import json

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import StatsHandler

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.handlers import EvidenceWriter, ProvenanceRecorder, RunSession, StratifiedScores, attach
from monai_ethics.provenance.log.reading.entries import read_entries, read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence


def kinds(folder):
    return [entry.kind for entry in read_entries(folder)]


def statuses(folder):
    return [e.body.get("status") for e in read_entries(folder) if e.kind == "run"]


def test_one_call_leaves_sealed_evidence_and_says_where(toy, tmp_path, capsys):
    out = tmp_path / "evidence"
    evaluator = toy.evaluator(toy.items(40))
    session = attach(evaluator, out=out, attributes=["sex"])
    assert not out.exists()
    evaluator.run()
    report = read_report(out)
    assert [f.check for f in report.findings][:3] == [
        "lifecycle.run_coverage",
        "fairness.representation",
        "fairness.group_scores",
    ]
    assert any(f.check == "fairness.score_gap" for f in report.findings)
    assert [f.statement for f in session.findings] == [f.statement for f in report.findings]
    assert {"report.html", "report.json", "report.md", "head.json", "log.jsonl"} <= {p.name for p in out.iterdir()}
    assert kinds(out)[-1] == "report"
    assert statuses(out) == ["started", "completed"]
    printed = capsys.readouterr().out
    assert str(out) in printed
    assert "keep it elsewhere" in printed
    assert verify_evidence(out).status in ("trusted", "intact-signer-unknown")


def test_the_site_log_of_a_run_witnesses_its_head(toy, tmp_path, monkeypatch, capsys):
    evaluator = toy.evaluator(toy.items())
    attach(evaluator, out=tmp_path / "e", attributes=["sex"], site=tmp_path / "site")
    evaluator.run()
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "other"))
    attach(other := toy.evaluator(toy.items()), out=tmp_path / "f", attributes=["sex"])
    other.run()
    assert verify_evidence(tmp_path / "e", site=tmp_path / "site").witness == "same"
    assert verify_evidence(tmp_path / "f", site=tmp_path / "other").witness == "same"
    assert kinds(tmp_path / "site").count("witness") == kinds(tmp_path / "other").count("witness") == 1
    assert "does not witness" not in capsys.readouterr().err


def test_scores_and_the_table_to_fill_are_private(toy, tmp_path):
    evaluator = toy.evaluator(toy.items())
    attach(evaluator, out=tmp_path / "e", attributes=["sex"])
    evaluator.run()
    ((_, scores),) = read_private(tmp_path / "e", "scores")
    assert json.loads(scores)[0]["metric"] == "val_mean_dice"
    ((_, cases),) = read_private(tmp_path / "e", "cases")
    lines = cases.decode().splitlines()
    assert lines[0] == "case\tpatient\tsex"
    assert lines[1] == "/data/sub-00/image.nii.gz\t/data/sub-00/image.nii.gz\tF"
    assert lines[3].endswith("\t")
    ((_, names),) = read_private(tmp_path / "e", "case_map")
    assert sorted(json.loads(names).values())[0] == "/data/sub-00/image.nii.gz"
    public = (tmp_path / "e" / "log.jsonl").read_text() + (tmp_path / "e" / "report.json").read_text()
    assert "sub-0" not in public


def test_the_last_epoch_of_an_engine_holds(toy, tmp_path):
    session = RunSession(out=tmp_path / "e")
    evaluator = toy.evaluator(toy.items(5), handlers=[StratifiedScores(session=session)])
    session.start()
    evaluator.run()
    evaluator.data_loader.dataset.data = toy.items(7)
    evaluator.data_loader.sampler.data_source.data = evaluator.data_loader.dataset.data
    evaluator.state.epoch_length = None
    evaluator.run()
    session.finish()
    session.finish()
    ((_, scores),) = read_private(tmp_path / "e", "scores")
    assert len(json.loads(scores)) == 1


def test_a_failed_run_leaves_evidence_that_says_so_and_raises(toy, tmp_path):
    evaluator = toy.evaluator(toy.items(), batch_size=1)
    attach(evaluator, out=tmp_path / "e")

    @evaluator.on(Events.ITERATION_COMPLETED(once=3))
    def _break():
        raise RuntimeError("/data/sub-02 is broken")

    with pytest.raises(RuntimeError, match="is broken"):
        evaluator.run()
    assert statuses(tmp_path / "e") == ["started", "failed"]
    text = (tmp_path / "e" / "log.jsonl").read_text()
    assert "RuntimeError" in text
    assert "is broken" not in text


def test_handlers_that_raise_by_themselves_do_not_hide_the_failure(toy, tmp_path):
    class Broken(torch.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    evaluator = toy.evaluator(toy.items(), network=Broken(), handlers=[StatsHandler(name="quiet")])
    attach(evaluator, out=tmp_path / "e")
    with pytest.raises(ValueError, match="no"):
        evaluator.run()
    assert statuses(tmp_path / "e") == ["started", "failed"]


def test_an_exception_that_the_host_swallows_stays_swallowed(toy, tmp_path):
    def fail(engine, batch):
        raise KeyError("x")

    engine = Engine(fail)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda e: None)
    attach(engine, out=tmp_path / "e")
    engine.run([0], max_epochs=1)
    assert statuses(tmp_path / "e") == ["started", "failed"]


def test_a_session_that_a_workflow_began_is_not_ended_by_an_engine(toy, tmp_path):
    session = RunSession(
        out=tmp_path / "e", config={"engines": {"evaluator": {}, "other": {}}, "files": {"a": "0" * 64}}
    )
    session.start()
    evaluator = toy.evaluator(
        toy.items(),
        handlers=[
            StratifiedScores(session=session, engine_id="evaluator"),
            ProvenanceRecorder(session, "evaluator"),
            EvidenceWriter(session, "evaluator"),
        ],
    )
    evaluator.run()
    assert session.started
    session.finish(None)
    assert not session.started
    (coverage,) = [f for f in session.findings if f.check == "lifecycle.run_coverage"]
    assert coverage.accounting["expected_and_did_not_run"] == 1
    assert read_report(tmp_path / "e").inputs == {"a": "0" * 64}


def test_an_inner_engine_does_not_end_the_run_of_the_outer_one(toy, tmp_path):
    evaluator = toy.evaluator(toy.items())
    outer = Engine(lambda engine, batch: evaluator.run())
    attach([outer, evaluator], out=tmp_path / "e")
    outer.run([0, 1], max_epochs=1)
    assert statuses(tmp_path / "e") == ["started", "completed"]
    assert kinds(tmp_path / "e").count("report") == 1


def test_a_second_run_appends_under_an_id_of_its_own(toy, tmp_path):
    evaluator = toy.evaluator(toy.items())
    attach(evaluator, out=tmp_path / "e")
    evaluator.run()
    evaluator.run()
    assert len({entry.run_id for entry in read_entries(tmp_path / "e")}) == 2
    assert statuses(tmp_path / "e") == ["started", "completed"] * 2


def test_a_second_writer_is_refused_before_anything_runs(toy, tmp_path):
    first = RunSession(out=tmp_path / "e")
    first.start()
    evaluator = toy.evaluator(toy.items())
    attach(evaluator, out=tmp_path / "e")
    with pytest.raises(ProvenanceError, match="only writer"):
        evaluator.run()
    first.finish()


def test_bad_settings_are_refused_before_anything_is_written(tmp_path):
    policy = tmp_path / "p.yaml"
    policy.write_text("limits: 3\nnonsense: 1\n")
    for settings in ({"policy": policy}, {"strata": "sex,,age"}, {"attributes": str(tmp_path / "none.tsv")}):
        session = RunSession(out=tmp_path / "e", **settings)
        with pytest.raises((InputError, OSError)):
            session.start()
        assert not (tmp_path / "e").exists()


def test_attach_needs_one_of_folder_and_session(toy):
    with pytest.raises(InputError, match="exactly one"):
        attach(toy.evaluator(toy.items()))


def test_a_policy_judges_and_sets_the_exit_code(toy, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        'schema_version: "1"\ntitle: test\nlimits:\n'
        "- {check: fairness.group_scores, estimate: failure_rate, at_most: 0.0, group: {}, source: {title: us}}\n"
    )
    evaluator = toy.evaluator(toy.items(40))
    session = attach(evaluator, out=tmp_path / "e", policy=policy)
    evaluator.run()
    assert session.exit_code == 1
    assert any(f.verdict == "failed" for f in session.findings)
