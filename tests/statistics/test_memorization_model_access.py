# SPDX-License-Identifier: Apache-2.0
"""How often attacks on a model raise an alarm: as stated without training, nearly always on a model that knows.

The model that knows is the exact optimum of a diffusion loss on a finite training set, which is what endless training
tends to.
"""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from monai_ethics.statistics.auc import newcombe_area
from monai_ethics.synthesis.data.attack_scores import AttackScores
from monai_ethics.synthesis.memorization_model_access import MemorizationModelAccess
from monai_ethics.synthesis.methods.diffusion_attacks import loss_errors, pia_errors, secmi_errors
from monai_ethics.synthesis.methods.member_ranking import area

pytestmark = pytest.mark.slow

RUNS, LEVEL = 600, 0.05
CHECK = MemorizationModelAccess(permutations=199)
ALPHAS = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)


def null(rng, *, n=40, images=1, heavy=False, sites=False):
    """Errors of three correlated attacks that know nothing, with a patient effect, and perhaps a site effect."""
    site = np.arange(n) % 2
    chance = np.where(site == 1, 0.75, 0.35) if sites else 0.5
    is_member = rng.random(n) < chance
    common = rng.standard_normal(n) + (3 * site if sites else 0)
    draw = rng.standard_cauchy if heavy else rng.standard_normal
    rows = np.repeat(np.arange(n), images)
    return AttackScores(
        errors={name: common[rows] + draw(n * images) for name in ("loss", "pia", "secmi")},
        is_member=is_member[rows],
        patients=[f"p{i}" for i in rows],
        sites=[str(site[i]) for i in rows] if sites else None,
        split_random=True,
    )


@pytest.mark.parametrize(("seed", "kept"), [(1, {}), (2, {"images": 4}), (3, {"heavy": True}), (4, {"sites": True})])
def test_false_alarms_are_as_stated(seed, kept):
    rng = np.random.default_rng(seed)
    count = sum(CHECK(null(rng, **kept)).estimates[0].value <= LEVEL for _ in range(RUNS))
    low, high = binom.interval(0.99, RUNS, LEVEL)
    print(f"no training, {kept or 'plain'}: alarms {count / RUNS:.3f} of {RUNS}, allowed {low:.0f}-{high:.0f}")
    assert low <= count <= high


@pytest.mark.parametrize(("shift", "members", "others"), [(0.0, 15, 15), (1.0, 20, 40), (2.5, 30, 30)])
def test_the_interval_of_an_area_covers(shift, members, others):
    rng, truth, hit, runs = np.random.default_rng(5), torch.distributions.Normal(0, 1), 0, 2000
    area_true = float(truth.cdf(torch.tensor(shift / 2**0.5)))
    labels = np.arange(members + others) < members
    for _ in range(runs):
        low, high = newcombe_area(
            area(rng.standard_normal(members + others) + shift * labels, labels), members, others, 0.95
        )
        hit += low <= area_true <= high
    print(f"area {area_true:.2f}, {members} and {others} patients: coverage {hit / runs:.3f}")
    assert 0.93 <= hit / runs <= 0.995


def knowing(train, *, share):
    """Exact noise of the optimum on `train`; of a share only of what it knows, the rest being a broad normal model."""

    def eps(x, t):
        alpha = ALPHAS[t].reshape(-1, *[1] * (x.ndim - 1)).to(x)
        flat, known = x.flatten(1), train.flatten(1)
        spread = (1 - alpha.flatten(1)).clamp_min(1e-6)
        far = torch.cdist(flat, alpha.flatten(1).sqrt()[0] * known).square() / (2 * spread)
        clean = (torch.softmax(-far, dim=1) @ known).reshape(x.shape)
        memorized = (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        return share * memorized + (1 - share) * (1 - alpha).sqrt() * x

    return eps


@pytest.mark.parametrize(("attack", "least"), [(loss_errors, 0.95), (pia_errors, 0.95), (secmi_errors, 0.95)])
def test_a_model_that_knows_its_training_images_tells(attack, least):
    powers = {}
    for share in (1.0, 0.05, 0.01):
        runs, count, areas = 30, 0, []
        for run in range(runs):
            images = torch.randn(60, 1, 6, 6, generator=torch.Generator().manual_seed(run), dtype=torch.float64)
            errors = attack(knowing(images[:30], share=share), ALPHAS, images).numpy()
            data = AttackScores(
                errors={"attack": errors},
                is_member=np.arange(60) < 30,
                patients=[f"p{i}" for i in range(60)],
                split_random=True,
            )
            finding = CHECK(data)
            count += finding.estimates[0].value <= LEVEL
            areas.append(next(e.value for e in finding.estimates if e.name == "auc"))
        powers[share] = (count / runs, round(float(np.mean(areas)), 3))
    print(f"{attack.__name__}: share known -> (alarms, mean area) {powers}")
    assert powers[1.0][0] >= least
    assert powers[1.0][1] > 0.9
