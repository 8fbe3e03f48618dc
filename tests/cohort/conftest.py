# SPDX-License-Identifier: Apache-2.0
"""Cohorts that need no installed atlas and no cache of the user's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from monai_ethics.cohort import Cohort, analytic_founders


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def small_cohort() -> Callable[..., Cohort]:
    """`Cohort` with the analytic founder and slices of 64 x 64 pixels."""
    return partial(Cohort, size=(64, 64), founders=analytic_founders())
