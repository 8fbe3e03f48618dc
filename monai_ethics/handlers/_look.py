# SPDX-License-Identifier: Apache-2.0
"""What one look at a generator gives: numbers of the sets for the loggers, and the membership test for the alarm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from monai_ethics.errors import EthicsError
from monai_ethics.evidence import Finding, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.discrepancy import kid
from monai_ethics.synthesis.kernels.manifold import manifold
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.memorization_looks import Look
from monai_ethics.synthesis.memorization_membership import MemorizationMembership
from monai_ethics.synthesis.run import AuditPlan, audit_findings

__all__ = ["findings_of", "look_at", "not_assessable", "numbers_of", "why_failed"]

NEIGHBORS = 5


def numbers_of(sets: FeatureSets) -> dict[str, float]:
    """Set-level numbers without interval, for a curve over epochs.

    ``kid`` and ``coverage`` compare with held-out images. ``nearest_ratio`` is the median, over synthetic images, of
    the distance to the nearest training image over that to the nearest of equally many held-out images: well below 1,
    the generator stays nearer to what it has seen.

    Args:
        sets: features in one space.
    """
    space = sets.spaces[0]
    train, holdout, synthetic = (sets.rows(role, space) for role in ("train", "holdout", "synthetic"))
    real, made = (torch.from_numpy(rows.astype(np.float64)) for rows in (holdout, synthetic))
    numbers = {}
    if min(len(real), len(made)) > 1:
        numbers["kid"] = float(kid(real, made))
    if min(len(real), len(made)) > NEIGHBORS:
        numbers["coverage"] = float(manifold(real, made, k=NEIGHBORS).coverage)
    size = min(len(train), len(holdout))
    if size and len(synthetic):
        rng = np.random.default_rng(0)
        some = [rows[np.sort(rng.permutation(len(rows))[:size])] for rows in (train, holdout)]
        near, far = (nearest(synthetic, rows).distance[:, 0] for rows in some)
        numbers["nearest_ratio"] = float(np.median(near / np.maximum(far, 1e-12)))
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def look_at(sets: FeatureSets, *, epoch: int) -> tuple[Look, int, int]:
    """The membership test of one look, and the numbers of training and held-out patients in it.

    Args:
        sets: features in one space.
        epoch: when.
    """
    finding = MemorizationMembership(order_statistics=(1,))(sets)
    images = sets.size("synthetic")
    if finding.verdict is Verdict.NOT_ASSESSABLE:
        return Look(epoch=epoch, images=images, reason=finding.reason), 0, 0
    by_name = {estimate.name: estimate for estimate in finding.estimates}
    closer = by_name["closer_patients"]
    look = Look(
        epoch=epoch,
        images=images,
        p_value=by_name["p_value"].value,
        closer=None if closer.value is None else int(closer.value),
    )
    return look, closer.n, by_name["p_value"].n - closer.n


def findings_of(sets: FeatureSets, *, seed: int) -> list[Finding]:
    """All findings about three sets.

    Args:
        sets: features.
        seed: of everything random.
    """
    return audit_findings(sets, plan=AuditPlan(seed=seed))


def not_assessable(reason: str, **accounting: Any) -> Finding:
    """The membership finding where there is nothing to look at.

    Args:
        reason: why.
        accounting: images by what became of them.
    """
    return Finding(
        **question_of(MemorizationMembership()),
        verdict=Verdict.NOT_ASSESSABLE,
        statement="Whether training patients are closer to the synthetic images could not be assessed.",
        reason=reason,
        accounting=accounting or {"synthetic_images": 0},
    )


def why_failed(error: Exception, what: str) -> str:
    """What a finding says of an error: our own sentence, or only the kind of one whose text may hold a name."""
    return str(error) if isinstance(error, EthicsError) else f"{what} failed with {type(error).__name__}."
