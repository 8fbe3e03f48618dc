# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.memorization_model_access`: does the generator itself tell whom it was trained on?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from math import inf, lgamma, log
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.auc import newcombe_area
from monai_ethics.statistics.intervals import clopper_pearson
from monai_ethics.synthesis.data.attack_scores import AttackScores
from monai_ethics.synthesis.methods.member_ranking import (
    area,
    hits_at,
    permuted_areas,
)

__all__ = ["MemorizationModelAccess"]

NO_INTERVAL = "A p-value has no interval."
PER_HIT = 10  # others wanted for each false alarm allowed, so that the threshold is not a single image
SOURCES = (
    Source(
        title="F. Kong et al., An efficient membership inference attack by proximal initialization (ICLR 2024)",
        locator="section 3",
        url="https://arxiv.org/abs/2305.18355",
    ),
    Source(
        title="J. Duan et al., Are diffusion models vulnerable to membership inference attacks? (ICML 2023)",
        locator="section 4",
        url="https://arxiv.org/abs/2302.01316",
    ),
    Source(
        title="N. Carlini et al., Membership inference attacks from first principles (2022): hits at few false alarms",
        url="https://arxiv.org/abs/2112.03570",
    ),
    Source(title="R. G. Newcombe, Statistics in Medicine 25 (2006): interval of an area", locator="method 5"),
)
LIMITATIONS = (
    "It is an alarm, never an all-clear: a stronger attack, such as one with shadow models, may succeed where these "
    "fail.",
    "An area below 1/2 means larger errors on training patients: the attack as published fails, and yet they differ.",
    "Intervals of areas hold one at a time, and the attack farthest from chance is named by the same areas.",
    "It says what somebody can learn who holds the weights, not what the synthetic images disclose.",
    "It rests on the record that patients were assigned to training and holdout at random.",
    "An image that stands in training and in the holdout calms it: such pairs have to be removed before.",
)


@dataclass(frozen=True, kw_only=True)
class MemorizationModelAccess:
    """Do the generator's own errors tell training patients from held-out ones?

    An attack (the loss, PIA, SecMI) measures on each real image an error that should be smaller if the model was
    trained on it. The mean over a patient's images is the patient's score. If patients were assigned to training or
    holdout at random and training made no difference, scores are exchangeable: how far the area under the ROC curve is
    from chance is tested by permuting patients, within a site and a number of images, with the best of the attacks
    compared with the best under permuted labels (max-T). The test is two-sided: errors that are larger on training
    patients give them away just as well, and small networks show that.

    Args:
        false_alarm_rates: rates at which hits are counted, where the held-out patients allow it.
        permutations: random labelings.
        seed: seed of the labelings.
        significance: significance level that must be attainable; it judges nothing.
        level: nominal coverage of the intervals.

    Notes:
        Hits at a rate ``f`` of false alarms are given with at least ``10 / f`` held-out patients only: with fewer, the
        threshold would rest on a handful of them. It does not show that nothing leaks, and says so.

    References:
        arXiv 2305.18355 (PIA), arXiv 2302.01316 (SecMI); asked for before weights are released (FMF-16).
    """

    id: ClassVar[str] = "synthesis.memorization_model_access"
    title: ClassVar[str] = "Does the generator itself tell training patients from held-out ones?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-05", "FMF-06", "FMF-16")

    false_alarm_rates: tuple[float, ...] = (0.1, 0.01, 0.001)
    permutations: int = 9999
    seed: int = 0
    significance: float = 0.05
    level: float = 0.95

    def __call__(self, data: AttackScores, /) -> Finding:
        """Test whether training patients have smaller errors.

        Args:
            data: errors of the attacks with what is known of the images.

        Returns:
            A finding, `measured` if the conditions of the test hold; the same whatever the order of the images.
        """
        scores = data.canonical()
        try:
            values, is_member, strata = _by_patient(scores)
            self._conditions(scores, is_member, strata)
        except NotAssessableError as error:
            return self._finding(
                scores,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether the generator tells whom it was trained on could not be assessed.",
                reason=str(error),
            )
        return self._measured(scores, values, is_member, strata)

    @staticmethod
    def example(n: int, seed: int) -> AttackScores:
        """`n` images of as many patients, half of them members, whose errors are somewhat smaller."""
        rng = np.random.default_rng(seed)
        is_member = np.arange(n) % 2 == 0
        errors = {name: rng.normal(size=n) - 0.5 * is_member for name in ("loss", "pia", "secmi")}
        return AttackScores(errors=errors, is_member=is_member, patients=[f"p{i}" for i in range(n)], split_random=True)

    def _conditions(self, scores: AttackScores, is_member: np.ndarray, strata: list[str] | None) -> None:
        members, others = int(is_member.sum()), int((~is_member).sum())
        if not members or not others:
            raise NotAssessableError(
                f"Images of training and of held-out patients are both needed: got {members} and {others} patients."
            )
        if not scores.split_random:
            raise NotAssessableError(
                "It is not on record that patients were assigned to training or holdout at random."
            )
        if log(2) - _log_labelings(is_member, strata) > log(
            self.significance
        ):  # two-sided: the mirrored labels count too
            within = "" if strata is None else ", whose labels move within a site and a number of images"
            raise NotAssessableError(
                f"With {members} training and {others} held-out patients{within}, not even a perfect attack would have "
                f"a p-value of {self.significance:g} or less."
            )

    def _measured(
        self, scores: AttackScores, values: np.ndarray, is_member: np.ndarray, strata: list[str] | None
    ) -> Finding:
        areas = np.array([area(column, is_member) for column in values.T])
        shuffled = permuted_areas(values, is_member, strata=strata, permutations=self.permutations, seed=self.seed)
        # with strata, chance is not 1/2; the mean over all labelings, the observed one among them, treats them alike
        chance = np.full(len(areas), 0.5) if strata is None else np.vstack([areas, shuffled]).mean(axis=0)
        far, farthest = np.abs(areas - chance), np.abs(shuffled - chance)
        reached = (farthest >= far - 1e-12).sum(axis=0)
        best = int((farthest.max(axis=1) >= far.max() - 1e-12).sum())
        p_value = (best + 1) / (self.permutations + 1)
        estimates = [self._p_value("p_value_model_access", p_value, len(values), "any of the attacks", {})]
        for column, attack in enumerate(scores.attacks):
            group = {"attack": attack} if len(scores.attacks) > 1 else {}
            own = (int(reached[column]) + 1) / (self.permutations + 1)
            estimates.append(self._p_value("p_value_attack", own, len(values), f"{attack} alone", group))
            estimates += self._ranking(values[:, column], is_member, group=group, chance=float(chance[column]))
        first = int(far.argmax())
        low, high = newcombe_area(float(areas[first]), int(is_member.sum()), int((~is_member).sum()), self.level)
        several = " over all attacks" if len(areas) > 1 else ""
        return self._finding(
            scores,
            verdict=Verdict.MEASURED,
            statement=(
                f"By {scores.attacks[first]}, a training patient has a smaller error than a held-out one in "
                f"{areas[first]:.2f} of pairs ({low:.2f} to {high:.2f}; {chance[first]:.2g} by chance), "
                f"{int(is_member.sum())} training and {int((~is_member).sum())} held-out patients; "
                f"p = {p_value:.2g}{several}. "
                "This can raise an alarm and is never an all-clear."
            ),
            estimates=estimates,
            seed=self.seed,
        )

    def _p_value(self, name: str, value: float, n: int, of: str, group: dict[str, str]) -> Estimate:
        return Estimate(
            name=name,
            value=value,
            unit="1",
            n=n,
            n_unit="patients",
            estimand=f"chance of an area at least as far from that of chance if training made no difference, {of}",
            method=f"{self.permutations} permutations of patients" + (", max-T" if not group else ""),
            group=group,
            reason=NO_INTERVAL,
        )

    def _ranking(
        self, column: np.ndarray, is_member: np.ndarray, *, group: dict[str, str], chance: float
    ) -> list[Estimate]:
        members, others = int(is_member.sum()), int((~is_member).sum())
        value = area(column, is_member)
        low, high = newcombe_area(value, members, others, self.level)
        auc = Estimate(
            name="auc",
            value=value,
            unit="1",
            n=members + others,
            n_unit="patients",
            estimand="chance that a training patient's mean error is below a held-out patient's; "
            f"{chance:.2g} = no difference",
            low=low,
            high=high,
            level=self.level,
            method="Mann-Whitney statistic by patient, interval by Newcombe's method 5",
            group=group,
        )
        return [auc, *(self._hits(column, is_member, rate=rate, group=group) for rate in self.false_alarm_rates)]

    def _hits(self, column: np.ndarray, is_member: np.ndarray, *, rate: float, group: dict[str, str]) -> Estimate:
        members, others = int(is_member.sum()), int((~is_member).sum())
        needed = int(np.ceil(PER_HIT / rate - 1e-9))
        kept: dict[str, Any] = {
            "name": f"tpr_at_fpr_{rate:g}",
            "unit": "1",
            "n": members,
            "n_unit": "patients",
            "estimand": f"share of training patients told at a threshold that {rate:g} of held-out patients pass",
            "group": group,
        }
        if others < needed:
            reason = f"it needs {needed} held-out patients, so that the threshold rests on {PER_HIT}: got {others}"
            return Estimate(value=None, reason=reason, **kept)
        count = hits_at(column, is_member, rate=rate)
        low, high = clopper_pearson(count, members, level=self.level)
        how = "Clopper-Pearson at the threshold found; the threshold's own error is not in the interval"
        return Estimate(value=count / members, low=low, high=high, level=self.level, method=how, **kept)

    def _finding(self, scores: AttackScores, **kept: Any) -> Finding:
        members = int(scores.is_member.sum())
        facts = {"split_random": scores.split_random, "settings": dict(scores.settings)}
        return Finding(
            **question_of(self),
            subjects=scores.attacks,
            accounting={"train_images": members, "holdout_images": len(scores.patients) - members},
            parameters={**asdict(self), **facts},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _by_patient(scores: AttackScores) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    """Negative mean error of each patient by attack, labels, and strata; large values speak for membership.

    Labels move within a site and a number of images: the mean of many errors varies less than a single one, so that
    patients with other numbers of images are not exchangeable unless these numbers were left to chance, too.
    """
    patients = sorted({*scores.patients})
    row = {patient: i for i, patient in enumerate(patients)}
    owners = np.array([row[patient] for patient in scores.patients], dtype=np.int64)
    images = np.bincount(owners, minlength=len(patients))
    members = np.bincount(owners, weights=scores.is_member, minlength=len(patients))
    if ((members > 0) & (members < images)).any():
        raise NotAssessableError("Some patients are in training and in the holdout.")
    sums = [np.bincount(owners, weights=scores.errors[name], minlength=len(patients)) for name in scores.attacks]
    values = -np.stack([total / np.maximum(images, 1) for total in sums], axis=1)
    site = dict(zip(scores.patients, scores.sites or (), strict=False))
    keys = [f"{count} {site.get(patient, '')}" for count, patient in zip(images.tolist(), patients, strict=True)]
    strata = keys if scores.sites is not None or len({*images.tolist()}) > 1 else None
    return values, members > 0, strata


def _log_labelings(is_member: np.ndarray, strata: list[str] | None) -> float:
    """Logarithm of the number of ways to label the patients, which move within their stratum only."""
    groups = ["" for _ in is_member] if strata is None else strata
    sizes, chosen = Counter(groups), Counter(g for g, member in zip(groups, is_member, strict=True) if member)
    total = sum(lgamma(n + 1) - lgamma(chosen[g] + 1) - lgamma(n - chosen[g] + 1) for g, n in sizes.items())
    return total if sizes else -inf
