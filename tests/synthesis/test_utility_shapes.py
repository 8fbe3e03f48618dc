# SPDX-License-Identifier: Apache-2.0
"""What papers report of training on synthetic images, in numpy toys of seconds."""

import numpy as np
import pytest

from monai_ethics.synthesis.sweep import SweepPlan, TestCase, run_sweep
from monai_ethics.synthesis.utility import SynthesisUtility

pytestmark = pytest.mark.slow
Y, X = np.mgrid[:16, :32]
LARGE, SMALL = (Y - 8) ** 2 + (X - 8) ** 2 <= 30, (Y - 8) ** 2 + (X - 24) ** 2 <= 2
SEEDS = (0, 1, 2, 3, 4)


def smooth(image):
    return sum(np.roll(image, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9


def scene(rng, *, synthetic=False):
    """A large and a small bright disk, moved a little; a synthetic image is smoothed, its mask is not."""
    shift = tuple(rng.integers(-2, 3, 2))
    mask = np.roll(LARGE, shift, (0, 1)), np.roll(SMALL, shift, (0, 1))
    image = 1.0 * mask[0] + 0.45 * mask[1]
    image = (smooth(image) if synthetic else image) + rng.normal(0, 0.25, image.shape)
    return smooth(image) if synthetic else image, mask


def features(image):
    patch = [np.roll(image, (i, j), (0, 1)).ravel() for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return np.stack([*patch, np.ones(image.size)], axis=1)


def dice(found, mask):
    return 2 * (found & mask).sum() / max(found.sum() + mask.sum(), 1)


def segmenter(items, seed):
    """A linear filter of 3 x 3 pixels, with the threshold that is best on its own training items."""
    rows = np.concatenate([features(image) for image, _ in items])
    masks = np.concatenate([(large | small).ravel() for _, (large, small) in items])
    weights = np.linalg.solve(rows.T @ rows + 1e-3 * np.eye(10), rows.T @ masks)
    cut = max(np.linspace(0.1, 0.9, 17), key=lambda value: dice(rows @ weights > value, masks))

    def predict(item):
        image, (large, small) = item
        found = (features(image) @ weights > cut).reshape(image.shape)
        return {"large": dice(found[:, :16], large[:, :16]), "small": dice(found[:, 16:], small[:, 16:])}

    return predict


def test_large_regions_do_well_at_any_share_and_small_ones_stay_poor(tmp_path):
    rng = np.random.default_rng(0)
    test = [TestCase(item=scene(rng), case=f"c{i}") for i in range(30)]
    test += [TestCase(item=scene(rng, synthetic=True), case=f"s{i}", synthetic=True) for i in range(30)]
    table = run_sweep(
        segmenter,
        real=[scene(rng) for _ in range(30)],
        synthetic=[scene(rng, synthetic=True) for _ in range(30)],
        test=test,
        out=tmp_path / "sweep.csv",
        plan=SweepPlan(designs=("fixed_total",), total=20, seeds=SEEDS),
        progress=lambda done, total: None,
    )
    finding = SynthesisUtility()(table)

    def row(name, share, region):
        wanted = {"design": "fixed_total", "real_fraction": share, "region": region}
        return next(r for r in finding.estimates if r.name == name and dict(r.group) == wanted)

    for region in ("large", "small"):
        scores = [row("score", share, region).value for share in ("0", "0.25", "0.5", "0.75", "1")]
        gaps = [abs(row("real_synthetic_gap", share, region).value) for share in ("0", "0.5", "1")]
        print(region, "real test Dice", np.round(scores, 3), "gap to synthetic tests", np.round(gaps, 3))
        if region == "large":
            assert min(scores[2:]) > scores[4] - 0.03
            large = scores
        else:
            assert all(small < big - 0.4 for small, big in zip(scores, large, strict=True))


def stripes(rng, kind, *, blurred=False):
    """Fine stripes, upright or level, in noise; blurring takes away what tells the classes apart."""
    line = np.sin(2 * np.pi * np.arange(16) / 3 + rng.uniform(0, 6))
    image = np.broadcast_to(line[None] if kind else line[:, None], (16, 16)).copy()
    if blurred:
        image = smooth(smooth(image))
    return image + rng.normal(0, 2.0, image.shape), kind


def classifier(items, seed):
    def spectrum(image):
        return np.append(np.abs(np.fft.rfft2(image)).ravel() / 16, 1.0)

    rows = np.stack([spectrum(image) for image, _ in items])
    signs = np.array([1.0 if kind else -1.0 for _, kind in items])
    weights = np.linalg.solve(rows.T @ rows + 5.0 * np.eye(rows.shape[1]), rows.T @ signs)
    return lambda item: float((spectrum(item[0]) @ weights > 0) == bool(item[1]))


@pytest.mark.parametrize("blurred", [False, True])
def test_blurred_synthetic_classes_degrade_a_classifier_and_faithful_ones_do_not(tmp_path, blurred):
    rng = np.random.default_rng(1)
    table = run_sweep(
        classifier,
        real=[stripes(rng, i % 2) for i in range(200)],
        synthetic=[stripes(rng, i % 2, blurred=blurred) for i in range(200)],
        test=[TestCase(item=stripes(rng, i % 2), case=f"c{i}", groups={"class": f"C{i % 2}"}) for i in range(200)],
        out=tmp_path / "sweep.csv",
        plan=SweepPlan(designs=("fixed_total",), real_fractions=(0.0, 0.5, 1.0), total=120, seeds=SEEDS),
        progress=lambda done, total: None,
    )
    found = {
        (row.name, row.group["real_fraction"]): row
        for row in SynthesisUtility()(table).estimates
        if len(row.group) == 2
    }
    row, margin = found["difference_recipe", "0"], found["equivalence_margin_recipe", "0"].value
    real = found["score", "1"].value
    print(
        f"blurred={blurred}: real {real:.2f}, difference {row.value:.3f} [{row.low:.3f}, {row.high:.3f}], {margin:.3f}"
    )
    assert real > 0.85
    if blurred:
        assert row.high < -0.05
    else:
        assert row.low < 0.02
        assert margin < 0.08
