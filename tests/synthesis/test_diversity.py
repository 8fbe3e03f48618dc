# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.pair_similarity import PairSimilarity
from monai_ethics.synthesis.diversity import SynthesisDiversity

CHECK = SynthesisDiversity(splits=6, replicated=2)
N, D = 120, 128


def sets(*, distinct=N, **changes):
    """Synthetic images of which only some are distinct; the others repeat them."""
    train, holdout, synthetic = np.random.default_rng(0).standard_normal((3, N, D))
    given = {
        "train": train,
        "train_patients": [f"t{i}" for i in range(N)],
        "holdout": holdout,
        "holdout_patients": [f"h{i}" for i in range(N)],
        "synthetic": synthetic[np.arange(N) % distinct],
    }
    return FeatureSets(**{**given, **changes})


def found(finding, name):
    (estimate,) = [e for e in finding.estimates if e.name == name]
    return estimate


def test_different_images_are_as_varied_as_real_ones():
    finding = CHECK(sets())
    for name in ("vendi_score", "effective_rank", "truncated_entropy"):
        assert found(finding, f"{name}_excess").low < 0 < found(finding, f"{name}_excess").high
    assert found(finding, "distinct_images").value == N
    assert "not shown" in finding.statement


def test_copies_raise_truncated_entropy_and_everything_beside_it_says_so():
    finding = CHECK(sets(distinct=40))
    assert found(finding, "truncated_entropy_excess").low > 0
    assert found(finding, "effective_rank_excess").high < 0
    assert found(finding, "vendi_score_excess").high < 0
    assert found(finding, "distinct_images").value == 40
    assert "as it is with copies" in finding.statement


def test_fewer_different_images_than_eigenvalues_have_no_truncated_entropy():
    finding = CHECK(sets(distinct=12))
    assert found(finding, "truncated_entropy").value is None
    assert "too few" in found(finding, "truncated_entropy").reason
    assert found(finding, "truncated_entropy_floor").value is not None


def test_more_varied_than_real_is_no_merit():
    rng = np.random.default_rng(2)
    scale = 0.97 ** np.arange(D)
    finding = CHECK(sets(holdout=rng.standard_normal((N, D)) * scale, synthetic=rng.standard_normal((N, D))))
    assert found(finding, "effective_rank_excess").low > 0
    assert "more varied, as noise is, too" in finding.statement


def test_near_copies_and_images_of_one_content_count_once():
    rows = np.random.default_rng(3).standard_normal((N, D))
    rows[1] = rows[0] + 1e-4
    finding = CHECK(sets(synthetic=rows, synthetic_digests=["x", None, None, "x", *[None] * (N - 4)]))
    assert found(finding, "distinct_images").value == N - 2


def test_a_row_without_a_direction_leaves_no_vendi_score():
    rows = np.random.default_rng(3).standard_normal((N, D))
    rows[0] = 0
    assert found(CHECK(sets(synthetic=rows)), "vendi_score").value is None


def test_similarities_of_pairs_stand_beside_those_of_different_patients():
    pairs = [(f"{i:03d}", f"{(i + 1) % 50:03d}") for i in range(50)]
    values = np.random.default_rng(4).uniform(0.2, 0.3, 50)
    given = PairSimilarity(synthetic=values + 0.4, synthetic_pairs=pairs, real=values, real_pairs=pairs)
    finding = CHECK(replace(sets(), pair_similarity=given))
    assert found(finding, "ms_ssim_excess").value == pytest.approx(0.4)
    assert found(finding, "ms_ssim").low is not None
