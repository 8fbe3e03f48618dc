# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.memorization_looks import Look, Looks, MemorizationLooks


def looks(*p_values, planned=5, **kwargs):
    taken = [
        Look(epoch=10 * (i + 1), images=64, p_value=p, closer=None if p is None else 3, reason=None if p else "why")
        for i, p in enumerate(p_values)
    ]
    return Looks(planned=planned, taken=taken, **{"members": 100, "others": 100, **kwargs})


def value(finding, name):
    return next(estimate.value for estimate in finding.estimates if estimate.name == name)


def test_the_level_is_divided_among_the_planned_looks():
    finding = MemorizationLooks()(looks(0.5, 0.02, 0.009))
    assert value(finding, "p_value") == pytest.approx(5 * 0.009)
    assert value(finding, "alarms") == 1
    assert [item.items[0] for item in finding.observations] == ["epoch 30"]
    assert "first at epoch 30" in finding.statement
    assert "never an all-clear" in finding.statement


def test_a_p_value_of_exactly_the_share_is_an_alarm_and_one_above_is_not():
    assert [look.epoch for look in looks(0.01, 0.0100001).alarms(0.05)] == [10]


def test_looks_beyond_the_plan_are_counted_and_not_judged():
    finding = MemorizationLooks()(looks(0.5, 0.5, 0.0001, planned=2))
    assert value(finding, "alarms") == 0
    assert finding.accounting == {"looks_judged": 2, "looks_not_assessable": 0, "looks_beyond_the_plan": 1}


def test_looks_that_could_not_be_assessed_do_not_use_up_the_plan():
    finding = MemorizationLooks()(looks(None, 0.001, planned=1))
    assert value(finding, "alarms") == 1
    assert finding.accounting["looks_not_assessable"] == 1


def test_without_a_look_the_reason_of_the_last_one_stands():
    finding = MemorizationLooks()(looks(None, None))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert finding.reason == "why"
    assert MemorizationLooks()(looks()).reason == "No look was taken before the training ended."


def test_a_plan_that_leaves_no_power_is_not_assessable():
    finding = MemorizationLooks()(looks(0.5, planned=20, members=4, others=4))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "plan fewer looks" in finding.reason


def test_at_least_one_look_must_be_planned():
    with pytest.raises(InputError, match="got 0"):
        looks(planned=0)
