# SPDX-License-Identifier: Apache-2.0
"""Kernels of synthesis beside prdc, torchmetrics, vendi-score, scikit-learn, MONAI and torch-fidelity's formulas.

Where a peer is right, both agree to 1e-6 or better; where it is not, both numbers stand here.
"""

import contextlib
import io

import numpy as np
import pytest
import torch

from monai_ethics.synthesis.kernels.discrepancy import kid, mmd
from monai_ethics.synthesis.kernels.frechet import fixed_projection, frechet_distance
from monai_ethics.synthesis.kernels.manifold import manifold
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.kernels.spectrum import effective_rank, truncated_entropy, vendi_score
from monai_ethics.synthesis.kernels.two_sample import classifier_auc, nearest_neighbor_accuracy

pytestmark = pytest.mark.peers

SIZES = [(60, 80, 200), (200, 150, 40)]


def sets(n, m, d, *, seed=0, scale=0.9, shift=0.1):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, d))), torch.from_numpy(scale * rng.standard_normal((m, d)) + shift)


def prdc(x, y, k=5):
    peer = pytest.importorskip("prdc")
    with contextlib.redirect_stdout(io.StringIO()):
        found = peer.compute_prdc(np.asarray(x), np.asarray(y), k)
    return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]


def ours(x, y, k=5):
    found = manifold(torch.as_tensor(x), torch.as_tensor(y), k)
    return [found.precision, found.recall, found.density, found.coverage]


def moments(x):
    return x.mean(dim=0), torch.cov(x.T)


def by_eigenvalues_of_the_product(x, y):
    """torch-fidelity 0.4.0, `metric_fid.fid_statistics_to_metric`, whose package needs torchvision to be imported."""
    (mean_x, cov_x), (mean_y, cov_y) = ([part.numpy() for part in moments(z)] for z in (x, y))
    roots = np.sqrt(np.linalg.eigvals(cov_x.dot(cov_y)).astype("complex128")).real
    difference = mean_x - mean_y
    return float(difference.dot(difference) + np.trace(cov_x) + np.trace(cov_y) - 2 * roots.sum())


def by_singular_values(x, y):
    """The oracle: nothing is squared, all in float64."""
    a, b = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (x.numpy(), y.numpy()))
    shift = np.square(x.numpy().mean(0) - y.numpy().mean(0)).sum()
    return shift + np.square(a).sum() + np.square(b).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()


@pytest.mark.parametrize("size", SIZES)
def test_frechet_is_that_of_the_oracle_torchmetrics_and_torch_fidelity(size):
    fid = pytest.importorskip("torchmetrics.image.fid")
    x, y = sets(*size)
    oracle = by_singular_values(x, y)
    assert frechet_distance(x, y) == pytest.approx(oracle, rel=1e-11)
    assert by_eigenvalues_of_the_product(x, y) == pytest.approx(oracle, rel=1e-6)
    assert float(fid._compute_fid(*moments(x), *moments(y))) == pytest.approx(oracle, rel=1e-6)


def test_frechet_is_monais_where_the_covariances_have_full_rank():
    fid = pytest.importorskip("monai.metrics.fid")
    x, y = sets(200, 150, 40)
    assert frechet_distance(x, y) == pytest.approx(float(fid.get_fid_score(x, y)), rel=1e-9)


def test_with_fewer_rows_than_features_peers_lose_digits_that_singular_values_keep():
    x, y = sets(40, 40, 400)
    oracle = by_singular_values(x, y)
    theirs = by_eigenvalues_of_the_product(x, y)
    print(f"\nrelative error: torch-fidelity {theirs / oracle - 1:.1e}, ours {frechet_distance(x, y) / oracle - 1:.1e}")
    assert abs(theirs / oracle - 1) > 1e-8
    assert frechet_distance(x, y) == pytest.approx(oracle, rel=1e-12)


def test_of_few_images_monais_fid_errs_and_one_image_is_an_error_without_a_sentence():
    fid = pytest.importorskip("monai.metrics.fid")
    x, y = sets(30, 30, 100)
    oracle = by_singular_values(x, y)
    try:
        theirs = float(fid.get_fid_score(x, y))
    except ValueError as error:  # imaginary parts of a root that does not exist
        theirs = str(error)
    print(f"\nFID of 30 images in 100 dimensions: MONAI {theirs}, oracle {oracle}, ours {frechet_distance(x, y)}")
    assert isinstance(theirs, str) or abs(theirs / oracle - 1) > 1e-9
    assert frechet_distance(x, y) == pytest.approx(oracle, rel=1e-12)
    with pytest.raises(RuntimeError, match="must be a matrix"):
        fid.get_fid_score(x[:1], y)


def test_a_projection_is_scikit_learns_up_to_signs():
    decomposition = pytest.importorskip("sklearn.decomposition")
    for n, d in ((30, 100), (200, 20)):
        x = sets(n, n, d)[0] * torch.arange(1, d + 1) ** -0.3
        theirs = decomposition.PCA(n_components=5, svd_solver="full").fit(x.numpy()).components_
        np.testing.assert_allclose(np.abs(theirs @ fixed_projection(x, 5).numpy()), np.eye(5), atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_kid_is_torchmetrics(size):
    peer = pytest.importorskip("torchmetrics.image.kid")
    n, _, d = size
    x, y = sets(n, n, d)  # the peer divides by one number of rows only
    assert kid(x, y) == pytest.approx(float(peer.poly_mmd(x, y)), rel=1e-9)


def test_torchmetrics_kid_is_another_number_for_sets_of_unequal_size():
    peer = pytest.importorskip("torchmetrics.image.kid")
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = sets(200, 100, 40)
    kernels = [pairwise.polynomial_kernel(a.numpy(), b.numpy(), degree=3) for a, b in ((x, x), (y, y), (x, y))]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    oracle = sum(within) - 2 * kernels[2].mean()
    theirs = float(peer.poly_mmd(x, y))
    print(f"\nKID of 200 and 100 rows: torchmetrics {theirs:.4f}, ours {kid(x, y):.4f}")
    assert kid(x, y) == pytest.approx(oracle, rel=1e-10)
    assert abs(theirs - oracle) > 0.1


def test_mmd_is_that_of_scikit_learns_kernel():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = sets(60, 80, 10)
    widths = (1.0, 3.0)

    def kernel(a, b):
        return np.mean([pairwise.rbf_kernel(a, b, gamma=1 / (2 * s * s)) for s in widths], axis=0)

    k_x, k_y, across = kernel(x, x), kernel(y, y), kernel(x, y).mean()
    theirs = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (k_x, k_y)) - 2 * across
    assert mmd(x, y, widths) == pytest.approx(theirs, abs=1e-12)


def test_monais_mmd_has_no_kernel_and_calls_three_times_the_spread_identical():
    peer = pytest.importorskip("monai.metrics.mmd")
    x, y = sets(500, 500, 16, scale=3.0, shift=0.0)
    same = sets(500, 500, 16, scale=1.0, shift=0.0)[1]
    theirs, theirs_of_same = (float(peer.compute_mmd(x, z, None)) for z in (y, same))
    print(
        f"\nMMD of three times the spread: MONAI {theirs:.4f} (same spread {theirs_of_same:.4f}), ours {mmd(x, y):.4f}"
    )
    assert theirs == pytest.approx(float((x.mean(0) - y.mean(0)).square().sum()), abs=0.4)  # of the means alone
    assert abs(theirs) < 0.1
    assert mmd(x, y) > 100 * abs(mmd(x, same))
    with pytest.raises(ValueError, match="shapes dont match"):
        peer.compute_mmd(x, y[:400], None)
    assert mmd(x, y[:400]) == pytest.approx(mmd(x, y), rel=0.05)


def test_features_of_length_one_hide_an_amplitude_and_clamping_hides_the_sign():
    x, y = sets(400, 400, 64, scale=3.0, shift=0.0)
    normalized = [z / z.norm(dim=1, keepdim=True) for z in (x, y)]  # as m3-score does
    print(f"\nMMD of three times the amplitude: normalized {mmd(*normalized):.1e}, ours {mmd(x, y):.4f}")
    assert abs(mmd(*normalized)) < 1e-3 < 0.1 < mmd(x, y)
    found = [mmd(*sets(50, 50, 16, seed=seed, scale=1.0, shift=0.0)) for seed in range(200)]
    clamped = np.maximum(found, 0).mean()
    print(f"mean of 200 estimates of 0: clamped {clamped:.1e}, signed {np.mean(found):.1e}")
    assert clamped > 3.3 * np.std(found) / np.sqrt(200) > abs(np.mean(found))


@pytest.mark.parametrize("size", SIZES)
def test_manifolds_are_those_of_prdc(size):
    x, y = sets(*size)
    for k in (1, 5):
        assert ours(x, y, k) == pytest.approx(prdc(x, y, k), abs=1e-12)


def torch_fidelity_precision_and_recall(x, y, k):
    """torch-fidelity 0.4.0, `metric_prc.calculate_precision_recall_full`: closed balls, as in the definition."""
    radius_x, radius_y = (torch.cdist(z, z).kthvalue(k + 1).values for z in (x, y))
    across = torch.cdist(x, y)
    return [
        float((across <= radius_x[:, None]).any(0).double().mean()),
        float((across <= radius_y).any(1).double().mean()),
    ]


def test_on_tied_rows_prdc_leaves_out_the_sphere_that_the_definition_counts():
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.integers(0, 2, (2, 200, 4)).astype(float))  # most neighbors are at distance 0
    theirs, found = prdc(x, y), ours(x, y)
    print(f"\nprecision, recall, density, coverage of one tied distribution: prdc {theirs}, ours {found}")
    assert theirs[0] < 0.7 < 1.0 == found[0]
    assert found[:2] == torch_fidelity_precision_and_recall(x, y, 5)
    assert prdc(np.ones((20, 3)), np.ones((20, 3))) == [0, 0, 0, 0]  # equal sets share nothing
    assert ours(torch.ones(20, 3), torch.ones(20, 3)) == [1, 1, 4, 1]


def test_of_single_precision_features_far_from_the_origin_ours_are_those_of_prdc_in_double_precision():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 800, 8)) + 300).astype(np.float32)
    assert ours(x, y) == pytest.approx(prdc(x.astype(np.float64), y.astype(np.float64)), abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_vendi_is_that_of_vendi_score(size):
    peer = pytest.importorskip("vendi_score.vendi")
    x = sets(*size)[0]
    unit = (x / x.norm(dim=1, keepdim=True)).numpy()
    assert vendi_score(x) == pytest.approx(float(peer.score_dual(x.numpy())), rel=1e-9)
    assert vendi_score(x, order=2) == pytest.approx(float(peer.score_dual(x.numpy(), q=2)), rel=1e-9)
    oracle = np.linalg.eigvalsh(unit @ unit.T / len(unit))
    oracle = oracle[oracle > 1e-13]
    assert vendi_score(x) == pytest.approx(np.exp(-(oracle * np.log(oracle)).sum()), rel=1e-10)


@pytest.fixture
def primal():
    """`vendi_score.vendi.score_X`, which asks for `scipy.sparse.csr.csr_matrix`, a name that newer SciPy warns of."""
    vendi = pytest.importorskip("vendi_score.vendi")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    with pytest.warns(DeprecationWarning, match="csr"):
        vendi.score_X(np.eye(3))

    def score(x, q=1):
        x = preprocessing.normalize(x, axis=1)
        with pytest.warns(DeprecationWarning, match="csr"):
            found = vendi.score_X(x, q=q, normalize=False)
        return float(found)

    return score


def test_vendi_scores_primal_side_ignores_the_order_and_rounds_in_single_precision(primal):
    x = sets(400, 2, 100)[0]
    second = vendi_score(x, order=2)
    print(f"\nVendi of order 2: vendi-score primal {primal(x.numpy(), q=2):.4f}, dual and ours {second:.4f}")
    assert primal(x.numpy(), q=2) == pytest.approx(primal(x.numpy(), q=1))  # what was asked for is not looked at
    assert abs(primal(x.numpy(), q=2) / second - 1) > 0.1
    single = primal(x.numpy().astype(np.float32))
    print(f"Vendi of order 1: primal in float32 {single:.5f}, ours {vendi_score(x):.5f}")
    assert abs(single / vendi_score(x) - 1) > 1e-6
    assert vendi_score(x.float()) == pytest.approx(vendi_score(x), rel=1e-6)


def by_lobpcg(x, k=20):
    """The reference implementation of the truncated entropy, image-diversity 0.1.6: float32 and `torch.lobpcg`."""
    torch.manual_seed(0)
    values = torch.lobpcg(torch.cov(x.float().T), k=k)[0]
    return 0.5 * k * np.log(2 * np.pi * np.e) + 0.5 * float(values.log().sum())


def test_the_truncated_entropy_of_copies_is_none_where_lobpcg_makes_up_a_number():
    x = sets(400, 2, 128)[0]
    assert truncated_entropy(x) == pytest.approx(by_lobpcg(x), rel=1e-3)
    copies = x[:10].repeat(40, 1)
    theirs = by_lobpcg(copies)
    values = np.linalg.eigvalsh(np.cov(copies.numpy().T))[-20:]
    floored = 10 * np.log(2 * np.pi * np.e) + 0.5 * np.log(np.maximum(values, 1e-12)).sum()
    print(f"\nentropy of ten images 40 times: lobpcg in float32 {theirs:.1f}, float64 {floored:.1f}, ours None")
    assert not np.isfinite(theirs) or abs(theirs - floored) > 10
    assert truncated_entropy(copies) is None
    with pytest.raises(ValueError, match="3 x"):
        by_lobpcg(x[:, :50])
    assert truncated_entropy(x[:, :50]) is not None


def test_the_truncated_entropy_calls_fewer_images_more_diverse():
    rng = np.random.default_rng(0)
    pool = sets(400, 2, 128)[0]
    few = pool[:22][torch.from_numpy(rng.integers(0, 22, 400))]
    found = [(truncated_entropy(x), vendi_score(x), effective_rank(x)) for x in (pool, few)]
    print(f"\nentropy, Vendi, rank: 400 different rows {np.round(found[0], 1)}, 22 {np.round(found[1], 1)}")
    assert found[0][0] < found[1][0]
    assert found[0][1] > 3 * found[1][1]
    assert found[0][2] > 3 * found[1][2]


def test_nearest_neighbors_are_scikit_learns():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y = (z.numpy() for z in sets(80, 120, 30))
    distance, index = neighbors.NearestNeighbors(n_neighbors=4, algorithm="brute").fit(y).kneighbors(x)
    found = nearest(x, y, k=4)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-9)
    np.testing.assert_array_equal(found.index, index)


def test_the_nearest_neighbor_accuracy_is_scikit_learns_leave_one_out():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y = sets(80, 80, 12)
    rows, label = torch.cat([x, y]).numpy(), np.repeat([0, 1], 80)
    index = neighbors.NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows)[1][:, 1]
    assert nearest_neighbor_accuracy(x, y) == pytest.approx((label[index] == label).mean(), abs=1e-12)


def test_the_classifier_is_scikit_learns_ridge_on_the_same_folds():
    linear, metrics = pytest.importorskip("sklearn.linear_model"), pytest.importorskip("sklearn.metrics")
    from monai_ethics.synthesis.kernels.two_sample import _folds

    for n, m, d in SIZES:
        x, y = sets(n, m, d)
        units = [
            np.array([f"{side}{i // 2}" for i in range(size)], dtype=object) for side, size in (("a", n), ("b", m))
        ]
        fold = np.concatenate(_folds(*units, folds=5, seed=0))
        rows, label = torch.cat([x, y]).numpy(), np.repeat([0, 1], [n, m])
        won = pairs = 0
        for number in range(5):
            held = fold == number
            mean, spread = rows[~held].mean(0), rows[~held].std(0, ddof=1)
            model = linear.Ridge(alpha=d).fit((rows[~held] - mean) / spread, 2 * label[~held] - 1)
            weight = (label[held] == 0).sum() * (label[held] == 1).sum()
            won += weight * metrics.roc_auc_score(label[held], model.predict((rows[held] - mean) / spread))
            pairs += weight
        assert classifier_auc(x, y, x_units=units[0], y_units=units[1]) == pytest.approx(won / pairs, abs=1e-9)


def test_resampling_with_replacement_leaves_the_value_behind():
    x, y = sets(300, 300, 64, scale=1.0, shift=0.0)
    rng = np.random.default_rng(0)
    draws = [[z[torch.from_numpy(rng.integers(0, 300, 300))] for z in (x, y)] for _ in range(40)]
    low, high = np.quantile([frechet_distance(*draw) for draw in draws], [0.025, 0.975])
    coverage = np.mean([manifold(*draw).coverage for draw in draws])
    print(f"\nFID {frechet_distance(x, y):.3f}, bootstrap interval {low:.3f} to {high:.3f}")
    print(f"coverage {manifold(x, y).coverage:.3f}, mean of the bootstrap {coverage:.3f}")
    assert frechet_distance(x, y) < low
    assert coverage < manifold(x, y).coverage - 0.05
