# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.mix import MixTable, SyntheticMix

CHECK = SyntheticMix()


def number(finding, name, split="train"):
    (row,) = [row for row in finding.estimates if row.name == name and row.group["split"] == split]
    return row.value


def mix(flags, *, splits=None, **kept):
    n = len(flags)
    return MixTable(items=[f"i{k}" for k in range(n)], synthetic=flags, splits=splits or ["train"] * n, **kept)


def test_shares_count_uses_and_items_are_counted_beside_them():
    finding = CHECK(mix([True, False, False], uses=[3, 1, 2]))
    assert number(finding, "synthetic_share") == 0.5
    assert number(finding, "synthetic_items") == 1
    assert number(finding, "real_items") == 2
    assert finding.verdict is Verdict.MEASURED


def test_unknown_is_never_real():
    finding = CHECK(mix([True, None, False, None]))
    assert number(finding, "unknown_share") == 0.5
    assert number(finding, "real_share") == 0.25
    assert finding.verdict is Verdict.WARNED
    assert "2 of items whose source is not known" in finding.statement
    assert CHECK(mix([None, None])).verdict is Verdict.NOT_ASSESSABLE


def test_synthetic_items_in_the_test_are_told():
    finding = CHECK(mix([True, False, True, False], splits=["train", "train", "test", "test"]))
    assert finding.verdict is Verdict.WARNED
    assert "test: 1 of 2 uses were of synthetic items, in a split meant for acquired ones" in finding.statement


def test_the_digest_says_whether_two_runs_saw_the_same_synthetic_items():
    def digest(flags):
        return CHECK(mix(flags)).parameters["synthetic_items_digest"]["train"]

    assert digest([True, False, True]) == digest([True, None, True]) != digest([True, True, False])


def test_items_without_a_name_are_counted_by_use():
    finding = CHECK(MixTable(items=[None, None, "a"], synthetic=[True, True, False], splits=["train"] * 3))
    assert number(finding, "synthetic_share") == pytest.approx(2 / 3)
    assert number(finding, "synthetic_items") == 0


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="one entry per item"):
        MixTable(items=["a"], synthetic=[], splits=["train"])
    with pytest.raises(InputError, match="1 or more"):
        mix([True], uses=[0])
