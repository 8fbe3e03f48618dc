# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.lifecycle.run_coverage import EngineEntry, EngineLedger, RunCoverage


def engine(name="evaluator", *, expected=True, ran=True, carried=True, cases=5):
    return EngineEntry(engine_id=name, expected=expected, ran=ran, carried=carried, cases=cases if ran else 0)


def numbers(finding):
    return {estimate.name: estimate.value for estimate in finding.estimates}


def test_a_run_whose_engines_all_carried_us_is_measured():
    finding = RunCoverage()(EngineLedger(engines=(engine("a"), engine("b", cases=7))))
    assert finding.verdict is Verdict.MEASURED
    assert numbers(finding) == {"share_observed": 1.0, "completed": 1.0, "cases": 12}
    assert Finding.from_dict(finding.to_dict()) == finding


def test_an_engine_that_ran_without_us_makes_the_run_not_assessable():
    finding = RunCoverage()(EngineLedger(engines=(engine("a"), engine("b", expected=False, carried=False))))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "1 of 2 engines ran without being observed" in finding.reason
    assert numbers(finding)["share_observed"] == 0.5
    assert finding.accounting["ran_without_being_expected"] == 1


def test_a_predicted_engine_that_never_started_is_counted_and_forgives_nothing():
    finding = RunCoverage()(EngineLedger(engines=(engine("a", ran=False, carried=False),)))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert finding.accounting["expected_and_did_not_run"] == 1
    assert numbers(finding)["share_observed"] is None


def test_a_failed_run_says_so_by_the_type_of_its_error_only():
    finding = RunCoverage()(EngineLedger(engines=(engine(),), outcome="failed", error_type="FileNotFoundError"))
    assert finding.verdict is Verdict.MEASURED
    assert numbers(finding)["completed"] == 0.0
    assert "failed with FileNotFoundError" in finding.statement
    with pytest.raises(ValueError, match="class name"):
        EngineLedger(engines=(), outcome="failed", error_type="no file /home/doe")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EngineLedger(engines=(engine("a"), engine("a"))),
        lambda: EngineLedger(engines=(), outcome="unknown"),
        lambda: EngineLedger(engines=(), error_type="ValueError"),
        lambda: EngineEntry(engine_id="a", expected=True, ran=False, carried=True),
    ],
)
def test_a_contradictory_ledger_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|got"):
        wrong()


def test_the_order_of_the_engines_does_not_matter():
    data = RunCoverage.example(6, seed=2)
    assert RunCoverage()(data) == RunCoverage()(data.reordered([5, 3, 1, 0, 2, 4]))
