# SPDX-License-Identifier: Apache-2.0
import importlib
from pathlib import Path

import pytest

from monai_ethics.fairness.methods.table import METHODS, PACKAGE, as_markdown
from monai_ethics.registry import load_check, registered

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "methods.md"


def test_the_page_is_the_table_in_print():
    printed = "python -m monai_ethics.fairness.methods.table > docs/reference/methods.md"
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), f"renew the page: {printed}"


@pytest.mark.parametrize("name", sorted({name for row in METHODS for name in row.functions}))
def test_every_named_function_exists(name):
    module, function = name.split(":")
    assert callable(getattr(importlib.import_module(PACKAGE + module), function))


def test_every_named_check_is_registered():
    assert sorted({check for row in METHODS for check in row.checks} - set(registered())) == []


@pytest.mark.parametrize("name", [name for name in registered() if name.startswith("fairness.")])
def test_every_check_that_compares_groups_has_a_row(name):
    kind = load_check(name)
    if hasattr(kind, "compare") or name.split(".")[1] in ("group_scores", "group_rates", "calibration"):
        assert name in {check for row in METHODS for check in row.checks}


def test_every_row_says_all_of_it():
    assert len({row.metric for row in METHODS}) == len(METHODS)
    for row in METHODS:
        assert all((row.exchanged, row.independent, row.clustered, row.not_assessable, row.functions, row.checks))
