# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.statistics.counts import RATES, bootstrap_rates, cell_counts, ends, patient_counts, rates


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    n = 70_001  # more than one block
    return rng.integers(0, 6, n).astype(np.uint8), rng.random(n) < 0.3, rng.random(n) < 0.4


def test_counts_are_those_of_a_loop_over_cells(cases):
    codes, truth, called = cases
    counts = cell_counts(codes, truth, called, 7)
    assert counts.sum() == len(codes)
    assert counts[6].sum() == 0
    for cell in range(6):
        for label in (False, True):
            for decision in (False, True):
                expected = ((codes == cell) & (truth == label) & (called == decision)).sum()
                assert counts[cell, int(label), int(decision)] == expected


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_counts_do_not_depend_on_the_width_of_codes(cases, kind):
    codes, truth, called = cases
    assert (cell_counts(codes.astype(kind), truth, called, 6) == cell_counts(codes, truth, called, 6)).all()
    many = cell_counts(codes.astype(np.int64) * 10_000, truth, called, 60_000)
    assert many.sum() == len(codes)


def test_rates_are_undefined_where_nothing_can_be_counted():
    found = rates(np.array([[[6, 2], [1, 3]], [[4, 0], [0, 0]]]))
    first = {name: found[name][0] for name in RATES}
    assert first == {
        "selection_rate": 5 / 12,
        "tpr": 3 / 4,
        "fpr": 2 / 8,
        "tnr": 6 / 8,
        "fnr": 1 / 4,
        "ppv": 3 / 5,
        "npv": 6 / 7,
        "accuracy": 9 / 12,
        "prevalence": 4 / 12,
    }
    assert np.isnan(found["tpr"][1])
    assert np.isnan(found["ppv"][1])
    assert found["tnr"][1] == 1.0


def test_ends_are_order_statistics_and_undefined_where_a_draw_is():
    draws = np.column_stack([np.arange(1000.0), np.full(1000, np.nan)])
    draws[3:, 1] = 1.0
    low, high = ends(draws[::-1], 0.95)
    assert (low[0], high[0]) == (25.0, 974.0)
    assert np.isnan(low[1])
    assert np.isnan(high[1])


def test_bootstrap_of_counts_has_the_spread_of_a_bootstrap_of_rows(cases):
    codes, truth, called = (column[:2000] for column in cases)
    low, high = bootstrap_rates(
        cell_counts(codes, truth, called, 6), n_resamples=4000, rng=np.random.default_rng(1), names=("tpr",)
    )["tpr"]
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 2000, (1500, 2000))
    naive = [rates(cell_counts(codes[row], truth[row], called[row], 6))["tpr"] for row in rows]
    expected = ends(np.array(naive), 0.95)
    assert np.abs(np.array([low, high]) - expected).max() < 0.025


def test_kinds_of_patients_add_up_to_all_cases(cases):
    codes, truth, called = cases
    patients = np.random.default_rng(3).integers(0, 30_000, len(codes))
    totals, kinds = patient_counts(patients, codes, truth, called, 6)
    assert totals.sum() == len(set(patients.tolist()))
    assert len(totals) < totals.sum()
    assert ((totals @ kinds.toarray()).reshape(6, 2, 2) == cell_counts(codes, truth, called, 6)).all()


def test_order_of_cases_within_a_patient_makes_no_other_kind():
    codes, truth = np.array([0, 1, 1, 0]), np.array([True, False, False, True])
    totals, kinds = patient_counts(np.array([5, 5, 9, 9]), codes, truth, truth, 2)
    assert totals.tolist() == [2]
    assert kinds.toarray().tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]]


def test_bootstrap_of_whole_patients_is_wider_where_their_cases_agree():
    rng = np.random.default_rng(4)
    patients = np.repeat(np.arange(100), 4)
    truth = np.ones(400, dtype=bool)
    called = np.repeat(rng.random(100) < 0.7, 4)
    codes = np.zeros(400, dtype=np.uint8)
    counts = cell_counts(codes, truth, called, 1)
    kinds = patient_counts(patients, codes, truth, called, 1)
    widths = []
    for given in (None, kinds):
        low, high = bootstrap_rates(
            counts, n_resamples=2000, rng=np.random.default_rng(5), names=("tpr",), patients=given
        )["tpr"]
        widths.append(float(high[0] - low[0]))
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.1)


def test_no_case_at_all_is_undefined():
    nothing = np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    counts = cell_counts(*nothing, 2)
    assert counts.sum() == 0
    found = bootstrap_rates(counts, n_resamples=10, rng=np.random.default_rng(0))
    assert np.isnan(found["accuracy"][0]).all()
    totals, kinds = patient_counts(nothing[0], *nothing, 2)
    assert (len(totals), kinds.shape) == (0, (0, 8))
