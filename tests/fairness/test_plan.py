# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.plan import PLANNED, Plan, read_plan
from monai_ethics.fairness.score_gap import ScoreGap


def test_a_plan_without_settings_compares_what_is_planned_over_single_attributes(scores):
    plan = read_plan()
    assert plan == Plan()
    assert plan.measures == PLANNED
    groups = {name: ["F", "M"] for name in ("sex", "sex*site", "roi_size_band")}
    assert plan.groupings(scores([0.1, 0.2], groups)) == ["sex"]


def test_groupings_that_are_named_are_compared_and_no_others(scores):
    groups = {name: ["F", "M"] for name in ("sex", "site", "sex*site", "roi_size_band")}
    plan = read_plan({"control": "scanner"}, strata="sex*site,roi_size_band")
    assert plan.groupings(scores([0.1, 0.2], groups)) == ["roi_size_band", "sex*site"]
    assert plan.made == ("sex*site", "roi_size_band", "scanner")
    assert read_plan({"control": "site"}).made is None


def test_settings_are_read_as_the_command_line_writes_them():
    plan = read_plan({"measures": "tpr, auc", "bins": "age=q4", "maps": ["site=A:north,B:north"], "seed": 3})
    assert plan.measures == ("tpr", "auc")
    assert dict(plan.bins) == {"age": 4}
    assert plan.maps["site"]["A"] == "north"
    assert plan.seed == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"measure": "tpr"}, "1 other keys"),
        ({"measures": "recall"}, "Known: score, tpr"),
        ({"measures": 5}, "list of texts"),
        ({"measures": {"tpr": 1}}, "list of texts"),
        ({"bins": {"age": [40]}}, "list of texts"),
        ({"maps": [1]}, "list of texts"),
        ({"control": ["sex"]}, "must be a text"),
        ({"correction": None}, "must be a text"),
        ({"population": 3}, "must be a text"),
        ({"correction": "max_t"}, "one of holm, bh"),
        ({"seed": 2**53}, "below 2"),
        ({"min_group_size": 1}, "whole number from 2"),
        ({"seed": True}, "whole number from 0"),
        ({"bins": "age"}, "age=18,40,65"),
        ({"maps": "site"}, "site=A:north"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        read_plan(settings)


def test_the_plan_begins_where_the_checks_begin():
    check, plan = ScoreGap(), Plan()
    assert (check.min_group_size, check.level, check.seed) == (plan.min_group_size, plan.level, plan.seed)
