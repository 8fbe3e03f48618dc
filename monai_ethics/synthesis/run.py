# SPDX-License-Identifier: Apache-2.0
"""Everything an audit says about three sets of images: overlap first, memorization, then what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from monai_ethics.evidence import Finding
from monai_ethics.synthesis.coverage import SynthesisCoverage
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.data.requests import Requests
from monai_ethics.synthesis.diversity import SynthesisDiversity
from monai_ethics.synthesis.fidelity import SynthesisFidelity
from monai_ethics.synthesis.group_correctness import GroupCorrectness
from monai_ethics.synthesis.group_coverage import GroupCoverage
from monai_ethics.synthesis.group_realism import GroupRealism
from monai_ethics.synthesis.limits import with_intrinsic_limits
from monai_ethics.synthesis.memorization_membership import MemorizationMembership
from monai_ethics.synthesis.memorization_planted import MemorizationPlanted
from monai_ethics.synthesis.memorization_proximity import MemorizationProximity
from monai_ethics.synthesis.methods.labels import MOST_LABELS
from monai_ethics.synthesis.real_overlap import RealOverlap

__all__ = ["AuditPlan", "audit_findings", "compared_attributes", "left_out_attributes", "request_findings"]

MOST_NUMBERS = 6  # numbers with more values count or measure something, such as the size of a lesion

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """How an audit is done.

    Args:
        attributes: attributes whose groups are compared; ``None`` = all that held-out and synthetic images share and
            that have 2 to 20 labels, or 2 to 6 if all are numbers.
        min_group_size: held-out patients below which a group is not compared.
        seed: of everything random.
        device: where kernels run.
    """

    attributes: Sequence[str] | None = None
    min_group_size: int = 50
    seed: int = 0
    device: str = "cpu"


def audit_findings(
    sets: FeatureSets,
    *,
    plan: AuditPlan | None = None,
    planted: PlantedCopies | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """All findings about three sets of images.

    Args:
        sets: training, held-out and synthetic images as features.
        plan: how; the default if absent.
        planted: altered copies of training images, if the power of the membership test is to be stated.
        progress: called with a text, the checks done and their number.

    Returns:
        One finding a check and attribute, each with the intrinsic limits of synthetic images.
    """
    plan = plan or AuditPlan()
    checks = _checks(sets, plan, planted)
    findings = []
    for done, check in enumerate(checks):
        findings.append(with_intrinsic_limits(check()))
        if progress is not None:
            progress("checks of the three sets", done + 1, len(checks))
    return findings


def request_findings(
    requests: Sequence[Requests], *, plan: AuditPlan | None = None, progress: Progress | None = None
) -> list[Finding]:
    """Whether what was requested is in the images of every group, one finding a condition and attribute.

    Args:
        requests: what was requested and seen, by condition; every attribute is compared, and the tests are corrected
            over the number of all of them.
        plan: smallest group and seed; the default if absent.
        progress: called with a text, the checks done and their number.
    """
    plan = plan or AuditPlan()
    asked = [(data, name) for data in requests for name in sorted(data.groups)]
    findings = []
    for done, (data, name) in enumerate(asked):
        check = GroupCorrectness(attribute=name, min_group_size=plan.min_group_size, family=len(asked), seed=plan.seed)
        findings.append(with_intrinsic_limits(check(data)))
        if progress is not None:
            progress("requests by group", done + 1, len(asked))
    return findings


def compared_attributes(sets: FeatureSets, plan: AuditPlan) -> list[str]:
    """Attributes by which groups are compared, in order."""
    if plan.attributes is not None:
        return list(plan.attributes)
    return [name for name, labels in _shared(sets).items() if len(labels) > 1 and not _why_left_out(labels)]


def left_out_attributes(sets: FeatureSets, plan: AuditPlan) -> dict[str, str]:
    """Attributes that both sets have and that are not compared, unless the plan names its own: each with the reason."""
    if plan.attributes is not None:
        return {}
    return {name: why for name, labels in _shared(sets).items() if (why := _why_left_out(labels))}


def _shared(sets: FeatureSets) -> dict[str, set[str | None]]:
    """The labels of each attribute that held-out and synthetic images have."""
    real, made = sets.attributes("holdout"), sets.attributes("synthetic")
    return {name: {*real[name], *made[name]} for name in sorted({*real} & {*made})}


def _why_left_out(labels: set[str | None]) -> str | None:
    """Why labels make no groups: too many of them, or many numbers, which count or measure something."""
    if len(labels) > MOST_LABELS:
        return f"An attribute of {len(labels)} labels forms no groups: at most {MOST_LABELS} can be compared."
    if len(labels) > MOST_NUMBERS and all(label is None or _is_number(label) for label in labels):
        return f"{len(labels)} numbers count or measure something and form no groups: give bands of them instead."
    return None


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _checks(sets: FeatureSets, plan: AuditPlan, planted: PlantedCopies | None) -> list[Callable[[], Finding]]:
    own: dict[str, Any] = {"seed": plan.seed, "device": plan.device}
    whole = (
        RealOverlap(device=plan.device),
        MemorizationMembership(**own),
        MemorizationProximity(**own),
        SynthesisFidelity(**own),
        SynthesisCoverage(**own),
        SynthesisDiversity(**own),
    )
    checks: list[Callable[[], Finding]] = [partial(check, sets) for check in whole]
    if planted is not None:
        checks.insert(2, partial(MemorizationPlanted(**own), planted))
    names = compared_attributes(sets, plan)
    for name in names:
        of: dict[str, Any] = {"attribute": name, "min_group_size": plan.min_group_size, **own}
        checks.append(partial(GroupCoverage(**of), sets))
        checks.append(partial(GroupRealism(family=len(names), **of), sets))
    for name, why in left_out_attributes(sets, plan).items():
        left = GroupCoverage(attribute=name, min_group_size=plan.min_group_size, **own)
        said = f"Groups by {name} were not compared."
        checks.append(partial(left.finding, sets, statement=said, reason=why))
    return checks
