# SPDX-License-Identifier: Apache-2.0
"""The rules of a public copy, one by one, on numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.provenance.exports.public.cells import cells_of, room
from monai_ethics.provenance.exports.public.closure import hidden_rows
from monai_ethics.provenance.exports.public.suppress import for_the_public
from monai_ethics.provenance.exports.public.words import public_settings, public_subjects, public_text


def row(name, value, n, group=None, **more):
    words = {"unit": "1", "n_unit": "cases", "estimand": f"number of {name}", "reason": "a count"}
    return Estimate(name=name, value=value, n=n, group=group or {}, **words | more)


def rates(groups, total=None, target="finding", check="fairness.group_rates", **more):
    """Groups as label to (true positives, false negatives, false positives, true negatives)."""
    everyone = total or tuple(map(sum, zip(*groups.values(), strict=True)))
    rows = []
    for label, (tp, fn, fp, tn) in {None: everyone, **groups}.items():
        group = {} if label is None else {"site": label}
        rows += [
            row("patients", tp + fn + fp + tn, tp + fn + fp + tn, group),
            row("positives", tp + fn, tp + fn + fp + tn, group),
        ]
        rows += [row("cases", tp + fn + fp + tn, tp + fn + fp + tn, group)]
        for name, top, bottom in (("tpr", tp, tp + fn), ("fpr", fp, fp + tn)):
            rows.append(row(name, top / bottom if bottom else None, bottom, group, estimand=name))
    about = {"check": check, "title": "How often?", "stage": Stage.EVALUATION, "subjects": (target,)}
    return Finding(**about, verdict=Verdict.MEASURED, statement="Often.", estimates=rows, **more)


def hidden(*findings, family="found", least=11):
    found = hidden_rows(cells_of(findings), subjects=[f.subjects[0] for f in findings], least=least)
    return {label.strip('"') for _, label in found.rows[family]}, found


BIG = (200, 100, 50, 400)
SAFE = (30, 22, 21, 40)


def test_groups_without_a_small_count_are_shown():
    names, found = hidden(rates({"A": SAFE, "B": BIG, "C": (0, 0, 0, 0)}))
    assert names == set()
    assert not found.anything


def test_the_next_group_by_name_is_hidden_with_a_small_one():
    groups = {"A": (2, 0, 0, 2), "B": SAFE, "C": BIG, "D": BIG}
    assert hidden(rates(groups), family="size")[0] == {"A", "B"}
    assert hidden(rates(groups))[0] == {"A", "B"}


def test_what_is_hidden_together_leaves_every_small_count_possible():
    groups = {"A": (8, 0, 0, 4), "B": (4, 0, 0, 1), "C": (3, 0, 0, 2), "D": BIG}
    assert hidden(rates(groups), family="size")[0] == {"A", "B", "C"}
    groups = {
        "A": (3, 0, 0, 1),
        "C": (8, 0, 0, 4),
        "D": (300, 50, 60, 70),
    }  # 4 and 12: at least six are known to be in C
    assert hidden(rates(groups), family="size")[0] == {"A", "C", "D"}
    assert hidden(rates({"A": (3, 0, 0, 1), "Z": (1, 1, 1, 6), "M": BIG}), family="size")[0] == {"A", "M", "Z"}


def test_a_group_of_nobody_hides_no_other():
    groups = {"A": (2, 0, 0, 2), "B": (0, 0, 0, 0), "C": BIG, "D": BIG}
    assert hidden(rates(groups), family="size")[0] == {"A", "C"}


def test_small_groups_that_are_small_together_need_a_third():
    assert hidden(rates({"A": (1, 0, 0, 0), "B": (2, 0, 0, 0), "C": BIG, "D": BIG}), family="size")[0] == {
        "A",
        "B",
        "C",
    }


def test_a_small_numerator_hides_decisions_but_not_how_many_there_are():
    names, found = hidden(rates({"A": (40, 3, 20, 20), "B": SAFE, "C": BIG}))
    assert names == {"A", "B"}
    assert found.rows["size"] == set()


def test_those_in_no_group_are_a_group():
    everyone = tuple(a + b + c for a, b, c in zip(SAFE, BIG, (1, 1, 1, 1), strict=True))
    assert hidden(rates({"A": SAFE, "B": BIG}, total=everyone), family="size")[0] == {"rest", "A"}


def test_few_missed_of_everyone_hide_who_was_found_and_not_the_false_alarms():
    finding = rates({"A": (90, 2, 60, 60), "B": (90, 2, 60, 60)})
    _, found = hidden(finding)
    assert found.findings == {"labels": set(), "found": {0}, "called": set()}
    shown = {e.name for e in for_the_public([finding]).findings[0].estimates}
    assert shown == {"patients", "cases", "positives", "fpr"}


def test_few_with_the_finding_leave_sizes_only():
    finding = rates({"A": (2, 2, 60, 60), "B": (1, 2, 60, 60)})
    shown = {e.name for e in for_the_public([finding]).findings[0].estimates}
    assert shown == {"patients", "cases"}


def test_groups_that_are_made_of_those_of_another_attribute_are_hidden_when_one_is():
    sites = {"A": (2, 0, 1, 2), "B": SAFE, "C": BIG, "D": (30, 40, 50, 60)}
    sums = {"N": [sites["A"], sites["C"]], "S": [sites["B"], sites["D"]]}
    finding = rates(sites)
    countries = rates({name: tuple(map(sum, zip(*parts, strict=True))) for name, parts in sums.items()})
    rows = [replace(e, group={"country": e.group["site"]}) for e in countries.estimates if e.group]
    both = replace(finding, estimates=[*finding.estimates, *rows])
    shown = {str(dict(e.group)) for e in for_the_public([both]).findings[0].estimates}
    assert shown == {"{}", "{'country': 'N'}", "{'country': 'S'}"}
    other = [replace(row, group={"country": "T" if "N" in str(row.group) else "U"}) for row in rows]
    skewed = [
        replace(row, value=row.value + 1) if row.name == "cases" and "T" in str(row.group) else row for row in other
    ]
    apart = replace(finding, estimates=[*finding.estimates, *skewed])
    assert "{'site': 'C'}" in {str(dict(e.group)) for e in for_the_public([apart]).findings[0].estimates}


def scores(groups, **more):
    """Groups as label to (patients, mean, median, lower end of its interval, missed)."""
    rows = []
    for label, (n, mean, median, low, missed) in groups.items():
        group = {"site": label} if label else {}
        about = {"n_unit": "patients", "estimand": "Dice", "low": low, "high": 1.0, "level": 0.95, "method": "exact"}
        rows += [row("median", median, n, group, **about), row("mean", mean, n, group, n_unit="patients")]
        rows.append(row("failure_rate", missed / n, n, group, estimand="share missed"))
    about = {"check": "fairness.group_scores", "title": "How well?", "stage": Stage.EVALUATION, "subjects": ("dice",)}
    about |= {"verdict": Verdict.MEASURED, "statement": "Well.", "parameters": {"higher_is_better": True}}
    return Finding(**about | more, estimates=rows)


def test_a_high_mean_tells_how_few_were_missed_and_is_hidden_with_them():
    groups = {"": (300, 0.8571, 0.9, 0.8, 40), "A": (100, 0.9711, 0.9, 0.8, 2), "B": (100, 0.8012, 0.9, 0.8, 19)}
    finding = scores(groups | {"C": (100, 0.8012, 0.9, 0.8, 19)})
    shown = {(e.name, e.group.get("site", "")) for e in for_the_public([finding]).findings[0].estimates}
    assert {name for name, label in shown if label == "A"} == set()
    assert ("mean", "C") in shown
    lower = scores(groups | {"A": (100, 0.8012, 0.9, 0.8, 2), "C": (100, 0.8012, 0.9, 0.8, 19)})
    shown = {(e.name, e.group.get("site", "")) for e in for_the_public([lower]).findings[0].estimates}
    assert ("mean", "A") in shown
    assert ("failure_rate", "A") not in shown


@pytest.mark.parametrize(
    ("mean", "median", "low", "n", "left"),
    [
        (0.9, 0.9, 0.8, 100, 10),  # at most 10 of 100 scores are 0
        (0.5, 0.9, 0.8, 11, 1),  # the second of 11 is not 0: at most one is
        (0.5, 0.9, 0.0, 20, 4),  # the sixth of 20 is 0, the half is not
        (0.4, 0.0, 0.0, 12, 1),  # seven of 12 are, and at most seven
        (1.0, 1.0, 1.0, 40, 0),
    ],
)
def test_mean_and_median_leave_so_many_numbers_of_missed_open(mean, median, low, n, left):
    values = {e.name: e for e in scores({"": (n, mean, median, low, 1)}).estimates}
    assert room(values["mean"], values["median"], good=True) == left


def test_a_published_median_is_no_longer_the_score_of_one_patient():
    finding = scores({"": (300, 0.8512345, 0.9123456, 0.8765432, 40)})
    found = {e.name: e for e in for_the_public([finding]).findings[0].estimates}
    assert (found["median"].value, found["median"].low, found["mean"].value) == (0.912, 0.877, 0.851)
    assert found["failure_rate"].value == 40 / 300


def test_few_missed_of_everyone_do_not_hide_a_comparison_of_scores():
    groups = {"": (300, 0.8, 0.9, 0.8, 4), "A": (150, 0.8, 0.9, 0.8, 2), "B": (150, 0.8, 0.9, 0.8, 2)}
    gap = Finding(
        check="fairness.score_gap", title="Differ?", stage=Stage.EVALUATION, verdict=Verdict.MEASURED, statement="No.",
        subjects=("dice", "site"), parameters={"attribute": "site"}, estimates=[row("p_value", 0.5, 300)],
    )  # fmt: skip
    missed = replace(gap, subjects=("dice_missed", "site"))
    public = for_the_public([scores(groups), gap, missed]).findings
    assert [len(finding.estimates) for finding in public] == [6, 1, 0]


def test_classes_that_add_up_to_all_cases_are_hidden_together():
    one, two = (
        rates({"A": BIG, "B": BIG}, target="one"),
        rates({"A": (300, 200, 248, 2), "B": (300, 200, 250, 0)}, target="two"),
    )
    public = for_the_public([one, two]).findings
    assert "tpr" in {e.name for e in public[0].estimates}
    rest = rates({"A": (100, 350, 300, 0), "B": (100, 350, 298, 2)}, target="rest")
    public = for_the_public([one, rest]).findings
    assert {e.name for finding in public for e in finding.estimates} == {"patients", "cases"}


def test_of_two_findings_that_differ_by_few_cases_the_larger_is_shown():
    one, two = rates({"A": SAFE, "B": BIG, "C": BIG}), rates({"A": (31, 22, 21, 40), "B": BIG, "C": BIG})
    assert for_the_public([one]).left_out["estimates"] == 0
    for order in ([one, two], [two, one]):
        public = for_the_public(order)
        assert [len(finding.estimates) for finding in public.findings] == [20 * (finding is two) for finding in order]


def test_few_patients_in_two_groups_hide_the_attribute_and_many_do_not():
    few = tuple(a + b - c for a, b, c in zip(BIG, BIG, (3, 0, 0, 0), strict=True))
    assert hidden(rates({"A": BIG, "B": BIG}, total=few), family="size")[0] >= {"A", "B"}


def test_a_check_whose_sums_are_not_worked_out_tells_nothing_of_groups():
    finding = rates({"A": BIG, "B": BIG}, check="others.rates")
    public = for_the_public([finding]).findings[0]
    assert public.estimates == ()
    assert public.verdict is Verdict.NOT_ASSESSABLE
    assert for_the_public([rates({}, total=BIG, check="others.rates")]).shown == 5


def test_a_smaller_threshold_is_a_choice_with_a_floor():
    finding = rates({"A": (6, 6, 6, 6), "B": BIG, "C": BIG})
    assert hidden(finding, least=5)[0] == set()
    with pytest.raises(InputError, match="at least 2"):
        for_the_public([finding], least=1)


def test_words_and_settings_tell_no_small_count():
    assert public_text("Of 40 cases 3 were missed. The interval is 0.1 to 0.9, at 95 %.", 11) == (
        "The interval is 0.1 to 0.9, at 95 %."
    )
    assert public_text("Site A has 15 patients.", None) is None
    assert public_text("Under 5 it is hidden; that none can be worked out is for others.", 11) == (
        "That none can be worked out is for others."
    )
    assert public_text("It is as it was; 3 were missed.", 11) == "It is as it was."
    assert public_text(None, 11) is None
    assert public_subjects(("mean_dice", "a" * 32, "x/y", "ct.nii", "DOE^J", "1234567")) == ("mean_dice",)
    assert public_settings(
        {"level": 0.95, "seed": 3, "groups": {"A": 4}, "attribute": "t1", "decided_by": "rule 7"}
    ) == {
        "level": 0.95,
        "attribute": "t1",
    }
