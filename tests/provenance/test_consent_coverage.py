# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.consent.state import Decision
from monai_ethics.provenance.consent_coverage import NOBODY, ConsentCoverage, ConsentUse

YES = Decision(True, False, "consented")
NO = Decision(False, True, "withdrawn")
SILENT = Decision(False, False, "no consent recorded")
CHECK = Decision(False, False, "condition to check", None, ("DUO:0000007",))


def use(*decisions, people=None):
    n = len(decisions)
    return ConsentUse(
        items=[f"item{i}" for i in range(n)],
        people=people or [f"person{i}" for i in range(n)],
        decisions=decisions,
        purpose="training",
        at="2026-01-01T00:00:00Z",
    )


def value(finding, name):
    return next(one.value for one in finding.estimates if one.name == name)


@pytest.mark.parametrize(
    ("rule", "refused", "verdict"), [("opt-in", 4, "failed"), ("opt-out", 1, "failed"), (None, 0, "measured")]
)
def test_a_rule_refuses_what_it_says(rule, refused, verdict):
    data = use(YES, NO, SILENT, CHECK, YES, people=["a", "b", "c", "d", None])
    finding = ConsentCoverage(rule=rule)(data)
    assert (value(finding, "refused"), str(finding.verdict)) == (refused, verdict)
    assert value(finding, "covered") == 1
    assert sum(finding.accounting.values()) == 5
    assert finding.accounting[NOBODY] == 1


def test_a_list_that_nobody_opposes_passes_with_the_rule_as_its_source():
    finding = ConsentCoverage(rule="opt-in")(use(YES, YES))
    assert finding.verdict is Verdict.PASSED
    assert "opt-in" in finding.limit.source.title


def test_without_people_only_opt_in_can_judge():
    nobody = use(YES, YES, people=[None, None])
    assert ConsentCoverage(rule="opt-out")(nobody).verdict is Verdict.NOT_ASSESSABLE
    assert ConsentCoverage()(nobody).verdict is Verdict.NOT_ASSESSABLE
    assert ConsentCoverage(rule="opt-in")(nobody).verdict is Verdict.FAILED


def test_conditions_left_are_named():
    finding = ConsentCoverage(rule="opt-in")(use(YES, CHECK))
    assert finding.observations[0].note == "conditions: DUO:0000007"


def test_words_outside_the_vocabulary_are_refused():
    with pytest.raises(InputError, match="rule"):
        ConsentCoverage(rule="opt-maybe")
    with pytest.raises(InputError, match="purpose"):
        ConsentUse(items=[], people=[], decisions=[], purpose="advertising", at="2026-01-01")
    with pytest.raises(InputError, match="one length"):
        ConsentUse(items=["a"], people=[], decisions=[], purpose="training", at="2026-01-01")
