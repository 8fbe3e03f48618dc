# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import binom

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.requests import Requests
from monai_ethics.synthesis.group_correctness import GroupCorrectness

CHECK = GroupCorrectness(attribute="sex", permutations=499)


def requests(shares, *, n=80, requested="yes", seed=0, repeats=1, real=None):
    """`n` images of each group, of which a share shows what was requested; `requested` gives the share of "yes"."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, share in shares.items():
        for unit in range(n // repeats):
            right = rng.random() < share
            asked = requested if requested == "yes" else ("yes", "no")[rng.random() > requested[group]]
            other = {"yes": "no", "no": "yes"}[asked]
            rows += [(asked, asked if right else other, f"{group}{unit}", group)] * repeats
    asked, seen, units, groups = zip(*rows, strict=True)
    given = {"real_requested": (), "real_seen": (), "real_units": (), "real_groups": {}}
    if real is not None:
        given = {f"real_{name}": getattr(real, name) for name in ("requested", "seen", "units", "groups")}
    return Requests(
        condition="lesion", judge="segmenter", requested=asked, seen=seen, units=units, groups={"sex": groups}, **given
    )


def value(finding, name, group=None):
    found = [row for row in finding.estimates if row.name == name and dict(row.group) == (group or {})]
    assert len(found) == 1
    return found[0]


def test_a_group_that_gets_less_of_what_was_asked_is_found():
    finding = CHECK(requests({"F": 0.55, "M": 0.9}))
    assert finding.verdict is Verdict.MEASURED
    assert value(finding, "p_value").value <= 0.01
    share = value(finding, "correctness", {"sex": "F"})
    assert share.low < share.value < share.high
    pair = value(finding, "difference", {"sex": "F - M"})
    assert pair.high < 0
    assert "differ" in finding.statement


def test_groups_asked_for_different_things_are_not_taken_for_groups_served_otherwise():
    rng = np.random.default_rng(1)
    rows = []
    for group, positive in (("F", 0.2), ("M", 0.8)):  # lesions are hard for everybody, and men were asked for more
        for unit in range(300):
            asked = "yes" if rng.random() < positive else "no"
            right = rng.random() < (0.5 if asked == "yes" else 0.99)
            rows.append((asked, asked if right else {"yes": "no", "no": "yes"}[asked], f"{group}{unit}", group))
    asked, seen, units, groups = zip(*rows, strict=True)
    data = Requests(condition="lesion", judge="j", requested=asked, seen=seen, units=units, groups={"sex": groups})
    finding = CHECK(data)
    assert value(finding, "max_min_gap").value > 0.2
    assert value(finding, "p_value").value > 0.05
    assert value(finding, "gap_null_mean").value > 0.2


def test_small_groups_are_listed_and_not_judged():
    first, small = requests({"F": 0.9, "M": 0.9}), requests({"X": 0.5}, n=10)
    data = Requests(
        condition="lesion",
        judge="j",
        requested=[*first.requested, *small.requested],
        seen=[*first.seen, *small.seen],
        units=[*first.units, *small.units],
        groups={"sex": [*first.groups["sex"], *([None] * 10)]},
    )
    row = value(CHECK(data), "correctness", {"sex": None})
    assert row.value is None
    assert "fewer than 50" in row.reason


def test_the_judge_on_real_images_stands_beside():
    finding = CHECK(requests({"F": 0.6, "M": 0.9}, real=requests({"F": 0.6, "M": 0.9}, seed=5)))
    beside = value(finding, "correctness_on_real_images", {"sex": "F"})
    assert abs(beside.value - 0.6) < 0.2
    assert value(CHECK(requests({"F": 0.6, "M": 0.9})), "correctness_on_real_images", {"sex": "F"}).value is None


def test_images_of_one_unit_count_as_one():
    single, repeated = (CHECK(requests({"F": 0.6, "M": 0.75}, n=n, repeats=r)) for n, r in ((60, 1), (240, 4)))
    wide, same = (value(f, "correctness", {"sex": "F"}) for f in (repeated, single))
    assert abs((wide.high - wide.low) - (same.high - same.low)) < 0.05
    assert value(repeated, "p_value").value > 0.001


def test_the_family_corrects():
    data = requests({"F": 0.75, "M": 0.9})
    alone = value(CHECK(data), "p_value").value
    corrected = value(GroupCorrectness(attribute="sex", permutations=499, family=4)(data), "p_adjusted").value
    assert corrected == pytest.approx(min(1.0, 4 * alone))


def test_a_unit_in_two_groups_cannot_be_exchanged():
    data = requests({"F": 0.9, "M": 0.9}, n=60)
    shared = Requests(
        condition="c",
        judge="j",
        requested=data.requested,
        seen=data.seen,
        units=[f"u{i % 60}" for i in range(120)],
        groups=data.groups,
    )
    finding = CHECK(shared)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "nothing can be exchanged" in finding.reason


def asked(rows):
    requested, seen, units, groups = zip(*rows, strict=True)
    return Requests(condition="lesion", judge="j", requested=requested, seen=seen, units=units, groups={"sex": groups})


def test_groups_that_were_never_asked_for_the_same_are_not_assessable():
    rng = np.random.default_rng(0)
    rows = []
    for group, wanted, share in (("F", "yes", 0.95), ("M", "no", 0.5)):
        rows += [(wanted, wanted if rng.random() < share else "other", f"{group}{i}", group) for i in range(80)]
    finding = CHECK(asked(rows))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "Groups share too few units" in finding.reason
    rows += [("yes", "yes", f"X{i}", "X") for i in range(80)]
    finding = CHECK(asked(rows))
    assert finding.verdict is Verdict.MEASURED
    assert finding.reason.startswith("Not compared: M;")
    assert " M " not in finding.statement


def test_many_images_of_one_unit_are_no_group():
    rows = [("yes", ("yes", "no")[i % 3 == 0], group, group) for group in "FM" for i in range(80)]
    finding = CHECK(asked(rows))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "in half as many units" in finding.reason


@pytest.mark.slow
def test_units_of_other_sizes_raise_no_false_alarms():
    check, alarms, runs = GroupCorrectness(attribute="sex", permutations=99), 0, 600
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        rows = []  # women in units of 1 and 10 images, men almost all alone; large units vary more
        for group, large in (("F", 26), ("M", 6)):
            for size, count in ((1, 120 - 4 * large), (10, large)):
                for unit in range(count):
                    share = rng.beta(0.5, 0.5)
                    rows += [
                        ("yes", ("no", "yes")[int(rng.random() < share)], f"{group}{size}-{unit}", group)
                        for _ in range(size)
                    ]
        finding = check(asked(rows))
        alarms += next(row.value for row in finding.estimates if row.name == "p_value") <= 0.05
    print(f"\n| correctness, units of 1 and of 10 images | alarms {alarms / runs:.3f} |")
    assert binom.ppf(0.005, runs, 0.05) <= alarms <= binom.ppf(0.995, runs, 0.05)
