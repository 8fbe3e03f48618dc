# SPDX-License-Identifier: Apache-2.0
"""Audit a generator whose faults are known: did it copy training subjects, and can its images pass as unmarked ones?"""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from monai_ethics.cohort import Subject
from monai_ethics.demo.plan import DemoPlan
from monai_ethics.evidence import Finding
from monai_ethics.lifecycle.policy import Policy, apply_policy
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.features.extract import Extracted, extract
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.random_conv import random_conv
from monai_ethics.synthesis.run import AuditPlan, audit_findings

__all__ = ["audit_generator"]

JSON = "application/json"


def audit_generator(
    reference: Sequence[Subject],
    synthetic: Sequence[Subject],
    plan: DemoPlan,
    *,
    policy: Policy,
    log: EvidenceLog,
) -> list[Finding]:
    """Ask everything that can be asked of training, held-out and synthetic images.

    Args:
        reference: training subjects, then held-out subjects, as the plan numbers them.
        synthetic: the generator's images.
        plan: sizes and seeds of the demo.
        policy: limits by which the finding is judged.
        log: open log; the findings and the private list of images are appended to it.

    Returns:
        The findings, whose listed pairs name pseudonyms.
    """
    train, holdout = reference[: plan.n_train], reference[plan.n_train :]
    seen = {role: _features(part) for role, part in (("t", train), ("h", holdout), ("s", synthetic))}
    sets = FeatureSets(
        train=seen["t"].features,
        train_patients=_names(train, log),
        holdout=seen["h"].features,
        holdout_patients=_names(holdout, log),
        synthetic=seen["s"].features,
        split_random=True,  # subjects of the reference cohort are independent draws in order of their number
        train_items=_names(train, log),
        holdout_items=_names(holdout, log),
        synthetic_items=_names(synthetic, log),
        protocols=seen["t"].protocols,
    )
    log.put_private("items", _items(train=train, holdout=holdout, synthetic=synthetic, log=log), media_type=JSON)
    found = audit_findings(sets, plan=AuditPlan(seed=plan.seed, attributes=()))  # too few subjects to compare groups
    judged = apply_policy(found, policy)
    log.add_findings(judged)
    return judged


def _items(*, log: EvidenceLog, **sets: Sequence[Subject]) -> bytes:
    """The list that leads from a pseudonym back to an image, for whoever reviews the pairs."""
    rows = [
        {"set": role, "item": item, "name": f"{subject.subject_id}_image.nii.gz"}
        for role, subjects in sets.items()
        for item, subject in zip(_names(subjects, log), subjects, strict=True)
    ]
    return json.dumps(rows).encode()


def _features(subjects: Sequence[Subject]) -> Extracted:
    images = (torch.from_numpy(subject.image) for subject in subjects)
    return extract(images, [random_conv(2), PixelExtractor(spatial_dims=2)])


def _names(subjects: Sequence[Subject], log: EvidenceLog) -> list[str]:
    return [log.pseudonym("patient", subject.subject_id) for subject in subjects]
