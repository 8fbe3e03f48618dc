# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.plan import Plan
from monai_ethics.fairness.run import run_findings
from monai_ethics.provenance.log.tree.canonical import MAX_BYTES, canonical


@pytest.mark.slow
def test_many_groups_with_long_labels_fit_into_entries_of_the_log_and_none_is_lost():
    rng = np.random.default_rng(0)
    n = 400
    names = {f"attribute{a}": [f"{'x' * 60}{label}" for label in range(18)] for a in range(10)}
    groups = {name: tuple(labels[i] for i in rng.integers(0, 18, n)) for name, labels in names.items()}
    truth = rng.random(n) < 0.4
    cases = tuple(f"case-{i}" for i in range(n))
    data = BinaryScores(
        target="y",
        cases=cases,
        patients=cases,
        y_true=tuple(truth),
        y_score=tuple(np.clip(0.3 + 0.3 * truth + 0.2 * rng.normal(size=n), 0.01, 0.99)),
        probabilities=True,
        groups=groups,
    ).decided(0.5, decided_by="a test")
    found = run_findings([], [data], plan=Plan(measures=("equity_scaled",)))
    assert max(len(canonical(finding.to_dict())) for finding in found) < MAX_BYTES - 1_000
    for check in ("fairness.group_rates", "fairness.group_ranking", "fairness.calibration"):
        rows = {(*e.group.items(),) for finding in found if finding.check == check for e in finding.estimates}
        assert len(rows) == 1 + 180
