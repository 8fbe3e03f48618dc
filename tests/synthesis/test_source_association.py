# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats.contingency import association

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.source_table import SourceTable
from monai_ethics.synthesis.methods.association import cramers_v, unit_rate
from monai_ethics.synthesis.source_association import SourceAssociation

CHECK = SourceAssociation()


def found(finding, name, **group):
    (row,) = [row for row in finding.estimates if row.name == name and dict(row.group) == group]
    return row


def design(confounding, *, each=50):
    """The papers' design: of class C0 the share is real, of class C1 it is synthetic."""
    many, few = round(each * confounding), each - round(each * confounding)
    flags = [False] * many + [True] * few + [False] * few + [True] * many
    return SourceTable(synthetic=flags, labels=["C0"] * each + ["C1"] * each)


@pytest.mark.parametrize("confounding", [0.5, 0.6, 0.9, 1.0])
def test_of_a_balanced_design_v_is_twice_the_confounding_minus_one(confounding):
    row = found(CHECK(design(confounding)), "source_label_association")
    assert row.value == pytest.approx(abs(2 * confounding - 1), abs=1e-9)
    assert row.low <= row.value <= row.high


def test_v_agrees_with_scipy():
    rng = np.random.default_rng(0)
    flags, labels = rng.integers(0, 2, 90), rng.integers(0, 4, 90)
    table = np.array([[((flags == i) & (labels == k)).sum() for k in range(4)] for i in range(2)])
    ours = cramers_v(flags.astype(str), labels.astype(str), [str(i) for i in range(90)])
    assert ours.value == pytest.approx(association(table, method="cramer"), abs=1e-12)


def test_unknown_flags_are_counted_and_never_taken_for_real():
    data = design(0.9)
    finding = CHECK(replace(data, synthetic=[None, None, *data.synthetic[2:]]))
    assert finding.accounting["training_items_of_unknown_source"] == 2
    assert found(finding, "source_label_association").n_valid == 98


def test_items_of_one_patient_do_not_narrow_the_interval():
    data = design(0.6, each=40)
    alone = found(CHECK(data), "source_label_association")
    four = {name: [x for x in getattr(data, name) for _ in range(4)] for name in ("synthetic", "labels")}
    many = found(CHECK(SourceTable(**four, units=[f"p{i // 4}" for i in range(320)])), "source_label_association")
    assert many.value == pytest.approx(alone.value)
    assert many.high - many.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_the_worst_cell_stands_beside_the_mean_and_unsupported_cells_are_seen():
    tested = [(flag, label) for flag in (False, True) for label in ("C0", "C1") for _ in range(25)]
    right = [flag == (label == "C1") for flag, label in tested]  # it learned the source
    data = replace(
        design(1.0),
        tested_synthetic=[flag for flag, _ in tested],
        tested_labels=[label for _, label in tested],
        tested_correct=right,
        tested_units=[f"{i}" for i in range(100)],
    )
    finding = CHECK(data)
    assert found(finding, "training_items", source="real", **{"class": "C1"}).value == 0
    assert found(finding, "cell_accuracy", source="real", **{"class": "C1"}).value == 0
    assert found(finding, "worst_cell_accuracy").value == 0
    assert found(finding, "mean_cell_accuracy").value == 0.5
    assert "0.00 for real items of class C1 ([0.00, " in finding.statement
    assert finding.statement.endswith(" tested).")


def test_a_cell_that_was_not_tested_leaves_no_worst_cell():
    data = replace(
        design(0.9), tested_synthetic=[False], tested_labels=["C0"], tested_correct=[True], tested_units=["a"]
    )
    assert "3 of 4 cells" in found(CHECK(data), "worst_cell_accuracy").reason


def test_one_source_or_few_units_are_not_assessable():
    assert "one source" in CHECK(SourceTable(synthetic=[False] * 30, labels=["a", "b"] * 15)).reason
    few = CHECK(SourceTable(synthetic=[True, False] * 15, labels=["a", "b"] * 15, units=["p", "q", "r"] * 10))
    assert few.verdict is Verdict.NOT_ASSESSABLE
    assert "3 units" in few.reason


def test_rates_use_the_effective_number_of_items():
    hits = [True, True, True, True, False, False, False, False] * 5
    alone, four = (unit_rate(hits, [str(i // size) for i in range(40)]) for size in (1, 4))
    assert alone[0] == four[0] == 0.5
    assert four[2] - four[1] > 1.7 * (alone[2] - alone[1])
    assert unit_rate([], []) is None


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="one entry per item"):
        SourceTable(synthetic=[True], labels=["a", "b"])
    with pytest.raises(InputError, match="name of the class"):
        SourceTable(synthetic=[True], labels=["a"], attributes={"label": ["a"]})
