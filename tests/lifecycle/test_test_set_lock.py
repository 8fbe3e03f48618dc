# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.lifecycle.test_set_lock import EvaluationSetLock, SetUse, SetUses

A, B = "a" * 64, "b" * 64


def use(order, root=A, purpose="evaluation"):
    return SetUse(run=f"run-{order}", purpose=purpose, root=root, n=20, order=order)


def numbers(finding):
    return {estimate.name: estimate.value for estimate in finding.estimates}


def judged(*uses, **more):
    return EvaluationSetLock()(SetUses(uses=uses, **more))


def test_the_same_set_again_is_counted_and_says_why_that_matters():
    finding = judged(use(0), use(1), use(2))
    assert finding.verdict is Verdict.MEASURED
    assert numbers(finding)["uses_of_evaluation_set"] == 3
    assert numbers(finding)["roots_other_than_locked"] == 0
    assert "The evaluation data were used in 3 runs" in finding.statement
    assert any("too favorable" in text for text in finding.limitations)
    assert "Dwork" in finding.sources[0].title
    assert Finding.from_dict(finding.to_dict()) == finding


def test_another_root_than_the_first_is_another_set():
    finding = judged(use(0), use(1, B))
    assert numbers(finding)["roots_other_than_locked"] == 1
    assert finding.parameters["lock"] == "first use"
    assert [row.items[0] for row in finding.observations] == [B, A]


def test_a_declared_lock_decides_from_the_first_evaluation_on():
    assert judged(use(0)).verdict is Verdict.NOT_ASSESSABLE
    assert numbers(judged(use(0), locked=(A,)))["roots_other_than_locked"] == 0
    finding = judged(use(0, B), locked=(A,))
    assert finding.verdict is Verdict.MEASURED
    assert numbers(finding)["roots_other_than_locked"] == 1
    assert "another set than the set that was declared" in finding.statement


def test_a_set_that_a_training_learned_from_or_chose_by_is_named():
    finding = judged(use(0, purpose="selection"), use(1, B, purpose="training"), use(2), use(3))
    assert numbers(finding)["sets_also_used_to_learn"] == 1
    assert "also used to learn or to choose" in finding.statement
    assert finding.accounting["trainings_and_selections"] == 2


@pytest.mark.parametrize(
    ("uses", "reason"),
    [
        ((), "No evaluation is recorded"),
        ((use(0, purpose="training"),), "No evaluation is recorded"),
        ((use(0, None), use(1, None)), "showed no files"),
        ((use(0),), "nothing to hold its data against"),
    ],
)
def test_what_cannot_be_compared_has_a_reason_and_no_number_of_other_roots(uses, reason):
    finding = judged(*uses)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert reason in finding.reason
    assert numbers(finding)["roots_other_than_locked"] is None


def test_logs_that_are_not_here_are_named_as_a_gap():
    texts = judged(use(0), use(1), unseen=2).limitations
    assert any("2 other logs" in text for text in texts)


def test_contradictory_uses_are_refused():
    with pytest.raises(ValueError, match="place of its own"):
        SetUses(uses=(use(0), use(0)))
    with pytest.raises(ValueError, match="purpose"):
        use(0, purpose="fun")
