# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.fairness.data.scores import ScoreTable


@pytest.fixture
def scores():
    """Make a score table from values and labels; a None value is a miss if `missed` says so."""

    def make(
        values, groups=None, *, metric="mean_dice", unit="1", higher=True, patients=None, outcomes=None, bounds=None
    ):
        keys = tuple(f"c{i:04d}" for i in range(len(values)))
        known = ["undefined" if value is None else "scored" for value in values]
        return ScoreTable(
            metric=metric,
            unit=unit,
            higher_is_better=higher,
            cases=keys,
            patients=tuple(patients or keys),
            values=tuple(values),
            outcomes=tuple(outcomes or known),
            groups={name: tuple(labels) for name, labels in (groups or {}).items()},
            bounds=bounds,
        )

    return make


@pytest.fixture
def pick():
    """The estimate of a finding with this name and group."""

    def find(finding, name, group=None):
        found = [item for item in finding.estimates if item.name == name and dict(item.group) == (group or {})]
        assert len(found) == 1
        return found[0]

    return find
