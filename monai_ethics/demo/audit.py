# SPDX-License-Identifier: Apache-2.0
"""Audit a generator whose faults are known: did it copy training subjects, and can its images pass as unmarked ones?"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from monai_ethics.cohort import Subject
from monai_ethics.demo.plan import DemoPlan
from monai_ethics.evidence import Finding
from monai_ethics.lifecycle.policy import Policy, apply_policy
from monai_ethics.provenance.log import EvidenceLog
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.features.pixels import raw_pixels
from monai_ethics.synthesis.memorization_membership import MemorizationMembership

__all__ = ["audit_generator"]

JSON = "application/json"


def audit_generator(
    reference: Sequence[Subject],
    synthetic: Sequence[Subject],
    plan: DemoPlan,
    *,
    policy: Policy,
    log: EvidenceLog,
) -> Finding:
    """Test whether training subjects are closer to the synthetic images than held-out subjects are.

    Args:
        reference: training subjects, then held-out subjects, as the plan numbers them.
        synthetic: the generator's images.
        plan: sizes and seeds of the demo.
        policy: limits by which the finding is judged.
        log: open log; the finding and the private list of images are appended to it.

    Returns:
        The finding, whose listed pairs name pseudonyms.
    """
    train, holdout = reference[: plan.n_train], reference[plan.n_train :]
    sets = FeatureSets(
        train={"raw pixels 16x16": _features(train)},
        train_patients=_names(train, log),
        holdout={"raw pixels 16x16": _features(holdout)},
        holdout_patients=_names(holdout, log),
        synthetic={"raw pixels 16x16": _features(synthetic)},
        split_random=True,  # subjects of the reference cohort are independent draws in order of their number
        train_items=_names(train, log),
        synthetic_items=_names(synthetic, log),
    )
    log.put_private("items", _items(train=train, holdout=holdout, synthetic=synthetic, log=log), media_type=JSON)
    judged = apply_policy([MemorizationMembership(seed=plan.seed)(sets)], policy)
    log.add_findings(judged)
    return judged[0]


def _items(*, log: EvidenceLog, **sets: Sequence[Subject]) -> bytes:
    """The list that leads from a pseudonym back to an image, for whoever reviews the pairs."""
    rows = [
        {"set": role, "item": item, "name": f"{subject.subject_id}_image.nii.gz"}
        for role, subjects in sets.items()
        for item, subject in zip(_names(subjects, log), subjects, strict=True)
    ]
    return json.dumps(rows).encode()


def _features(subjects: Sequence[Subject]) -> np.ndarray:
    return raw_pixels([subject.image[0] for subject in subjects])


def _names(subjects: Sequence[Subject], log: EvidenceLog) -> list[str]:
    return [log.pseudonym("patient", subject.subject_id) for subject in subjects]
