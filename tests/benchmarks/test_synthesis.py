# SPDX-License-Identifier: Apache-2.0
"""Kernels of synthesis beside their peers: paired ratios of CPU time, and of memory; nothing is asserted of time.

Run with ``OMP_NUM_THREADS=1 python -m pytest tests/benchmarks/test_synthesis.py -m slow -s``. Ratios are the peer's
time over ours here, since the peers are the slower side.
"""

import contextlib
import gc
import io
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.kernels import rounded
from monai_ethics.synthesis.kernels.discrepancy import kid
from monai_ethics.synthesis.kernels.frechet import frechet_distance
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.kernels.manifold import manifold
from monai_ethics.synthesis.kernels.spectrum import vendi_score
from monai_ethics.synthesis.run import audit_findings

pytestmark = pytest.mark.slow


def normal(n, d, *, seed=0, dtype=torch.float64):
    x = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))
    return x.to(dtype)


def seconds(call):
    gc.collect()
    start = time.process_time()
    value = call()
    return time.process_time() - start, value


@pytest.fixture
def beside(spread_of, repeated):
    """Ratio of the peer's time to ours over pairs in alternating order; slow peers are not warmed up."""

    def run(ours, theirs, *, pairs, warm_up=True):
        pairs, taken = repeated(pairs), ([], [])
        for call in (ours, theirs) if warm_up else (ours,):
            call()
        for number in range(pairs):
            for side in (0, 1) if number % 2 else (1, 0):
                taken[side].append(seconds((ours, theirs)[side])[0])
        return spread_of(taken[1], taken[0])

    return run


def told(row, what, peer, ratio):
    ms = f"{1e3 * ratio.ours:,.0f} / {1e3 * ratio.theirs:,.0f}"  # the peer is the first side of the ratio
    row(what, peer, f"{ratio.median:.1f} ({ratio.low:.1f}-{ratio.high:.1f})", ms, ratio.n)


def by_eigenvalues(x, y):
    """torch-fidelity 0.4.0, `metric_fid.fid_statistics_to_metric`, with its covariances."""
    (mean_x, cov_x), (mean_y, cov_y) = ((z.mean(axis=0), np.cov(z, rowvar=False)) for z in (x.numpy(), y.numpy()))
    roots = np.sqrt(np.linalg.eigvals(cov_x.dot(cov_y)).astype("complex128")).real
    difference = mean_x - mean_y
    return float(difference.dot(difference) + np.trace(cov_x) + np.trace(cov_y) - 2 * roots.sum())


def by_monai(x, y):
    fid = pytest.importorskip("monai.metrics.fid")
    return float(fid.get_fid_score(x, y))


@pytest.mark.parametrize(
    ("n", "d", "peer", "pairs"),
    [
        pytest.param(200, 2048, by_monai, 3, marks=pytest.mark.figures),
        pytest.param(200, 2048, by_eigenvalues, 3, marks=pytest.mark.figures),
        (3000, 512, by_monai, 3),
        (3000, 512, by_eigenvalues, 3),
    ],
)
def test_frechet_distance(n, d, peer, pairs, beside, row):
    x, y = normal(n, d), normal(n, d, seed=1) + 0.1
    peer(x[:30, :8], y[:30, :8])  # imports
    slow = n < d
    found = beside(lambda: frechet_distance(x, y), lambda: peer(x, y), pairs=pairs, warm_up=not slow)
    told(row, f"FID, N={n}, d={d}", {by_monai: "MONAI", by_eigenvalues: "torch-fidelity"}[peer], found)
    if not slow:
        assert frechet_distance(x, y) == pytest.approx(peer(x, y), rel=1e-5)


def by_prdc(x, y):
    peer = pytest.importorskip("prdc")
    with contextlib.redirect_stdout(io.StringIO()):
        found = peer.compute_prdc(x.numpy(), y.numpy(), 5)
    return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]


def by_us(x, y):
    found = manifold(x, y)
    return [found.precision, found.recall, found.density, found.coverage]


@pytest.mark.parametrize("coarse", [True, False], ids=["as it is", "without bfloat16"])
@pytest.mark.parametrize(("n", "d", "pairs"), [(2000, 512, 5), pytest.param(5000, 2048, 5, marks=pytest.mark.figures)])
def test_precision_recall_density_and_coverage(n, d, pairs, coarse, beside, row, monkeypatch):
    has_coarse = rounded.coarse_pays("cpu", n * n, d)
    if not coarse:
        monkeypatch.setattr(rounded, "coarse_pays", lambda *_: False)
    x, y = normal(n, d, dtype=torch.float32), normal(n, d, seed=1, dtype=torch.float32)
    found = beside(lambda: by_us(x, y), lambda: by_prdc(x, y), pairs=pairs, warm_up=n < 5000)
    told(row, f"PRDC, N={n}, d={d}, {'bfloat16 filter' if coarse and has_coarse else 'float32'}", "prdc", found)
    if n < 5000:
        assert by_us(x, y) == pytest.approx(by_prdc(x.double(), y.double()), abs=1e-12)


MEMORY = """
import numpy as np, torch
{load}
x, y = np.random.default_rng(0).standard_normal((2, 10000, 512), dtype=np.float32)
def peak():  # of this process alone; `ru_maxrss` would begin at that of the process that started it
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

before = peak()
{call}
print(before, peak())
"""
OURS = (
    "from monai_ethics.synthesis.kernels.manifold import manifold",
    "manifold(torch.from_numpy(x), torch.from_numpy(y))",
)
THEIRS = ("from prdc import compute_prdc", "compute_prdc(x, y, 5)")


@pytest.mark.figures
def test_memory_of_precision_recall_density_and_coverage(row):
    pytest.importorskip("prdc")
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to read the peak of memory")
    extra = {}
    for name, (load, call) in {"ours": OURS, "prdc": THEIRS}.items():
        script = MEMORY.format(load=load, call=call)
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        before, after = map(float, told.split()[-2:])
        extra[name] = (after - before, after)
    text = " / ".join(f"{extra[name][0]:,.0f}" for name in ("ours", "prdc"))
    whole = " / ".join(f"{extra[name][1]:,.0f}" for name in ("ours", "prdc"))
    row("PRDC, N=10000, d=512: MB beyond the features, ours / prdc", text, f"whole process: {whole}")


@pytest.mark.parametrize(("side", "pairs"), [pytest.param("score_X", 3, marks=pytest.mark.figures), ("score_dual", 5)])
def test_vendi_score(side, pairs, beside, row):
    peer = pytest.importorskip("vendi_score.vendi")
    x = normal(5000, 512)

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(getattr(peer, side)(x.numpy()))

    found = beside(lambda: vendi_score(x), theirs, pairs=pairs, warm_up=side == "score_dual")
    told(row, "Vendi, N=5000, d=512", f"vendi-score, {'primal' if side == 'score_X' else 'dual'}", found)
    if side == "score_dual":
        assert vendi_score(x) == pytest.approx(theirs(), rel=1e-9)


def by_subsets(x, y, subsets=20, size=1000):
    """torch-fidelity's way: the mean over random subsets, here with a fifth of its default number."""
    rng = np.random.default_rng(0)
    total = 0.0
    for _ in range(subsets):
        a, b = (z.numpy()[rng.choice(len(z), size, replace=False)] for z in (x, y))
        k_a, k_b, across = ((p @ q.T / p.shape[1] + 1) ** 3 for p, q in ((a, a), (b, b), (a, b)))
        total += ((k_a.sum() - np.trace(k_a)) + (k_b.sum() - np.trace(k_b))) / (size * (size - 1)) - 2 * across.mean()
    return total / subsets


@pytest.mark.figures
def test_kid_beside_subsets(beside, row):
    x, y = normal(2000, 2048), normal(2000, 2048, seed=1) + 0.1
    found = beside(lambda: kid(x, y), lambda: by_subsets(x, y), pairs=3, warm_up=False)
    told(row, "KID, N=2000, d=2048, all rows at once", "20 subsets of 1000 (torch-fidelity takes 100)", found)


def test_kid(beside, row):
    x, y = normal(2000, 2048), normal(2000, 2048, seed=1) + 0.1
    peer = pytest.importorskip("torchmetrics.image.kid")
    found = beside(lambda: kid(x, y), lambda: float(peer.poly_mmd(x, y)), pairs=3)
    told(row, "KID, N=2000, d=2048, all rows at once", "torchmetrics `poly_mmd`", found)
    assert kid(x, y) == pytest.approx(float(peer.poly_mmd(x, y)), rel=1e-9)


@pytest.mark.figures
def test_forty_replicates_of_every_statistic_from_one_matrix_of_products(row):
    pool = normal(1500, 2048)
    order = np.random.default_rng(0).permutation(1500)

    def ours():
        gram, found = Gram(pool), []
        widths = gram.bandwidths(order[:500])
        for start in range(0, 1000, 25):
            a, b = order[start % 500 : start % 500 + 475], order[1000:1475]
            m = gram.manifold(a, b)
            spectrum = (gram.vendi(b), gram.effective_rank(b), gram.truncated_entropy(b))
            between = (gram.frechet(a, b), gram.kid(a, b), gram.mmd(a, b, widths), gram.nearest_neighbor_accuracy(a, b))
            found.append([*between, *spectrum, m.precision, m.recall, m.coverage])
        return np.array(found)

    taken = [seconds(ours)[0] for _ in range(3)]
    row(
        "40 replicates of ten statistics, 475 x 475 of 1500 rows, d=2048",
        "none",
        "",
        f"{1e3 * np.median(taken):,.0f}",
        3,
    )


@pytest.mark.gpu
def test_a_hundred_thousand_rows_beside_the_rate_of_products(row):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device: PRDC of 1e5 x 1e5 rows is measured beside its rate of matrix products")
    n, d = 100_000, 512
    x, y = (torch.randn(n, d, device="cuda") for _ in range(2))
    torch.set_float32_matmul_precision("highest")
    torch.cuda.synchronize()

    def timed(call):
        call()
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    products = timed(lambda: [x[i : i + 10_000] @ y.T for i in range(0, n, 10_000)])
    torch.cuda.reset_peak_memory_stats()
    whole = timed(lambda: manifold(x, y))
    memory = torch.cuda.max_memory_allocated() / 2**20
    rate = 2 * n * n * d / products / 1e12
    row(f"PRDC, N={n}, d={d} on {torch.cuda.get_device_name()}", f"{whole:.1f} s", f"{memory:,.0f} MB")
    row(f"rate of products {rate:.1f} TFLOP/s", f"two of them, which the distances take: {2 * products:.2f} s")


def test_the_whole_audit_of_five_hundred_images_each(row):
    rng = np.random.default_rng(0)
    train, holdout, synthetic = rng.standard_normal((3, 500, 2048)).astype(np.float32)
    sets = FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(500)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(500)],
        synthetic=synthetic,
        split_random=True,
        holdout_attributes={"sex": ["F", "M"] * 250},
        synthetic_attributes={"sex": ["F", "M"] * 250},
    )
    copies = {"exact": {"features": train[:40]}}
    planted = PlantedCopies(sets=sets, patients=sets.train_patients[:40], copies=copies)
    wall = time.perf_counter()
    taken, findings = seconds(lambda: audit_findings(sets, planted=planted))
    row("whole audit, 500/500/500, d=2048", len(findings), f"{taken:.1f} s CPU", f"{time.perf_counter() - wall:.1f} s")
    assert {finding.verdict for finding in findings} == {Verdict.MEASURED}
