# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.synthesis.sweep import SweepPlan, TestCase, run_sweep
from monai_ethics.synthesis.utility import SynthesisUtility

CASES = [TestCase(item=i, case=f"c{i}", patient=f"t{i}", groups={"sex": "FM"[i % 2]}, roi_size=i) for i in range(12)]
PLAN = SweepPlan(real_fractions=(0.0, 0.5, 1.0), seeds=(0, 1, 2))


class Trainer:
    """Remembers what it was given; a model is as good as its share of real items."""

    def __init__(self, stop_after=None):
        self.calls, self.stop_after = [], stop_after

    def __call__(self, items, seed):
        if len(self.calls) == self.stop_after:
            raise KeyboardInterrupt
        self.calls.append((tuple(items), seed))
        share = float(np.mean([item[0] == "r" for item in items]))
        return lambda item: {"whole": 0.8 * share + 0.001 * item, "core": None if item == 0 else 0.5 * share}


def sweep(tmp_path, trainer, **kept):
    items = {"real": [f"r{i}" for i in range(8)], "synthetic": [f"s{i}" for i in range(8)]}
    given = {**items, "test": CASES, "out": tmp_path / "sweep.csv", "plan": PLAN, "progress": lambda done, total: None}
    return run_sweep(trainer, **{**given, **kept})


def test_both_designs_are_trained_once_each_and_draws_are_nested(tmp_path):
    trainer = Trainer()
    table = sweep(tmp_path, trainer)
    sizes = {(sum(i[0] == "r" for i in items), sum(i[0] == "s" for i in items)) for items, _ in trainer.calls}
    assert sizes == {(0, 8), (4, 4), (8, 0), (8, 8)}
    assert len(trainer.calls) == 12, "real items alone are the same training in both designs"
    first = {len(items): {i for i in items if i[0] == "r"} for items, seed in trainer.calls if seed == 0}
    assert first[8] <= first[16]
    assert len(table) == 15 * 12 * 2
    assert set(table.groups) == {"region", "roi_size_band", "sex"}
    finding = SynthesisUtility(min_group_size=5)(table)
    assert finding.accounting["scores_undefined"] == 15


def test_a_sweep_that_was_stopped_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, Trainer(stop_after=5))
    rest = Trainer()
    resumed = sweep(tmp_path, rest)
    assert len(rest.calls) == 7
    whole = sweep(tmp_path, Trainer(), out=tmp_path / "other.csv")
    assert resumed.values == whole.values
    again = Trainer()
    sweep(tmp_path, again)
    assert again.calls == []


def test_a_sweep_of_another_plan_is_not_continued(tmp_path):
    sweep(tmp_path, Trainer())
    with pytest.raises(InputError, match="continued with the plan"):
        sweep(tmp_path, Trainer(), plan=SweepPlan(real_fractions=(0.25, 1.0), seeds=(0, 1, 2)))
    more = Trainer()
    sweep(tmp_path, more, plan=SweepPlan(real_fractions=(0.0, 0.5, 1.0), seeds=(0, 1, 2, 3, 4)))
    assert {seed for _, seed in more.calls} == {3, 4}, "further seeds join"


def test_a_trainer_may_return_scores(tmp_path):
    table = sweep(tmp_path, lambda items, seed: {case.case: 0.5 for case in CASES})
    assert set(table.values) == {0.5}
    with pytest.raises(InputError, match="for every test case"):
        sweep(tmp_path, lambda items, seed: {}, out=tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (SweepPlan(real_fractions=(0.0, 0.5)), "hold 1"),
        (SweepPlan(seeds=(0, 1)), "at least 3"),
        (SweepPlan(designs=("free",)), "must be among"),
        (SweepPlan(total=20), "among 8 real and 8 synthetic"),
        (SweepPlan(n_real=8), "among 8 real"),
    ],
)
def test_a_plan_that_cannot_be_formed_is_refused_before_training(tmp_path, plan, message):
    with pytest.raises(InputError, match=message):
        sweep(tmp_path, Trainer(stop_after=0), plan=plan)


def test_patients_of_the_test_are_not_trained_on(tmp_path):
    with pytest.raises(InputError, match="got 2 in both"):
        sweep(tmp_path, Trainer(), training_patients=["t1", "t2", "x"])
    with pytest.raises(InputError, match="real test cases"):
        sweep(tmp_path, Trainer(), test=[])
