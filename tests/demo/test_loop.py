# SPDX-License-Identifier: Apache-2.0
import csv
import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.demo.control import deal_attributes
from monai_ethics.demo.plan import DemoPlan
from monai_ethics.evidence import EvidenceReport, Verdict


def test_attributes_are_dealt_anew_and_none_is_lost(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\tage\n" + "".join(f"s{i}\t{'FM'[i % 2]}\t{i}\n" for i in range(40)))
    deal_attributes(table, seed=1)
    rows = list(csv.DictReader(table.read_text().splitlines(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == [f"s{i}" for i in range(40)]
    assert sorted(int(row["age"]) for row in rows) == list(range(40))
    assert [int(row["age"]) for row in rows] != list(range(40))


def test_plan_tells_the_truth_it_plants():
    plan = DemoPlan()
    assert plan.n_test >= 200
    assert len(plan.generator(faulty=True).copied) == round(plan.copies * plan.n_synthetic)
    assert plan.generator(faulty=False).copied == {}
    assert plan.test_cohort(planted=True).bias.contrast > 0
    assert plan.test_cohort(planted=False).bias.contrast == 0


def test_demo_refuses_a_folder_that_holds_something(tmp_path, capsys):
    (tmp_path / "mine").write_text("x")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "empty or new folder" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "x"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAI_ETHICS_KEY_HOME", str(out.parent / "keys"))
        assert main(["demo", "--out", str(out)]) == 0
    return out / "evidence"


@pytest.fixture(scope="module")
def findings(demo):
    return EvidenceReport.from_json((demo / "report.json").read_text()).findings


def of(findings, run, check):
    return {tuple(f.subjects): f for f in findings if f.run.startswith(run) and f.check == check}


@pytest.mark.bundle
def test_planted_gap_is_found(findings):
    gaps = of(findings, "1-", "fairness.score_gap")
    assert gaps["val_mean_dice", "sex"].verdict is Verdict.FAILED
    assert "Served worst: F" in gaps["val_mean_dice", "sex"].statement
    assert gaps["val_mean_dice", "age_band"].verdict is Verdict.PASSED


@pytest.mark.bundle
def test_cohort_without_a_gap_raises_no_alarm(findings):
    gaps = of(findings, "2-", "fairness.score_gap")
    assert len(gaps) >= 8
    assert {finding.verdict for finding in gaps.values()} <= {Verdict.PASSED, Verdict.NOT_ASSESSABLE}
    assert gaps["val_mean_dice", "sex"].verdict is Verdict.PASSED


@pytest.mark.bundle
def test_copies_are_found_with_their_pairs_and_the_honest_generator_is_silent(findings):
    (copying,) = of(findings, "3-", "synthesis.memorization_membership").values()
    (honest,) = of(findings, "4-", "synthesis.memorization_membership").values()
    assert copying.verdict is Verdict.FAILED
    assert honest.verdict is Verdict.PASSED
    closer = next(e for e in copying.estimates if e.name == "closer_patients")
    assert closer.value == len(set(DemoPlan().generator(faulty=True).copied.values()))
    assert copying.observations


@pytest.mark.bundle
def test_unmarked_copy_is_refused_by_its_digest_and_an_edited_one_listed_for_review(findings):
    (guard,) = of(findings, "5-", "provenance.synthetic_guard").values()
    assert guard.verdict is Verdict.FAILED
    assert sorted(o.label for o in guard.observations) == ["near-copy", "synthetic-by-digest"]
    assert "Refused under deny-list: 1." in guard.statement


@pytest.mark.bundle
def test_the_way_from_a_subject_to_the_synthetic_images_is_on_record(demo, capsys):
    subject = DemoPlan().reference()[0].subject_id
    assert main(["lineage", str(demo), "--patient", subject, "--json"]) == 0
    reached = {(row["what"], row["grade"]): row["count"] for row in json.loads(capsys.readouterr().out)["reached"]}
    assert reached["training", "direct"] == 1
    assert reached["synthesis", "transitive"] == DemoPlan().n_synthetic
    assert "Where it came from" in (demo / "report.md").read_text()


@pytest.mark.bundle
def test_demo_ends_in_evidence_that_verifies_and_that_its_policy_refuses(demo, capsys):
    assert main(["verify", str(demo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "intact-signer-unknown"
    policy = str(DemoPlan.policy())
    assert main(["gate", str(demo), "--policy", policy]) == 1
