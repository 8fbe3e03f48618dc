# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.feedback_depth import FeedbackDepth, SyntheticDepths


def depths(*rows):
    return SyntheticDepths(
        items=[f"sha256:{place}" for place in range(len(rows))],
        depths=[row[0] for row in rows],
        unseen=[row[1] for row in rows],
        undeclared=[row[2] for row in rows],
    )


def test_every_record_is_counted_by_its_depth():
    finding = FeedbackDepth()(depths((1, False, False), (2, False, False), (2, True, True), (None, True, False)))
    assert finding.accounting == {"depth 1": 1, "depth 2": 2, "in a circle": 1}
    assert {row.name: row.value for row in finding.estimates} == {
        "beyond_first_generation": 3,
        "beyond_first_generation_undeclared": 1,
        "depth_is_lower_bound": 2,
        "deepest_chain": 2,
    }
    assert finding.observations[0].note != "declared"


def test_nothing_is_judged_without_a_policy():
    finding = FeedbackDepth()(FeedbackDepth.example(30, seed=0))
    assert (finding.verdict, finding.limit) == (Verdict.MEASURED, None)
    assert len(FeedbackDepth(listed=3)(FeedbackDepth.example(30, seed=0)).observations) == 3


def test_a_first_generation_is_told_as_such():
    finding = FeedbackDepth()(depths((1, False, False), (1, False, False)))
    assert finding.statement.startswith("0 of 2")
    assert "lower bound" not in finding.statement


def test_unequal_lengths_are_refused():
    with pytest.raises(InputError, match="Match them"):
        SyntheticDepths(items=["a"], depths=[], unseen=[], undeclared=[])
