# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.group_coverage`: who is not represented among the synthetic images?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source
from monai_ethics.statistics.intervals import Result, clustered_rate
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.comparison import SetComparison, estimates_of, mostly_equal
from monai_ethics.synthesis.methods.floor import Beside, Design, Statistic
from monai_ethics.synthesis.methods.groups import ImageGroup, image_groups, label_of

__all__ = ["GroupCoverage"]

SOURCES = (
    Source(title="W. Jin et al., Ethical medical image synthesis (2025)", url="https://arxiv.org/abs/2508.09293"),
    Source(
        title="M. F. Naeem et al., Reliable fidelity and diversity metrics for generative models (2020)",
        locator="section 3: coverage",
        url="https://arxiv.org/abs/2002.09797",
    ),
)
LIMITATIONS = (
    "It says who is missing among the images and in these features, not whether an image does a group justice.",
    "A group that is absent from the held-out images, too, is not seen at all.",
    "Coverage of a group depends on how dense its images lie; only the floor says what real images reach.",
)


@dataclass(frozen=True, kw_only=True)
class GroupCoverage(SetComparison):
    """Who is not represented among the synthetic images?

    For each group: its share of the held-out patients, its share of the synthetic images, and the share of its real
    images that have a synthetic image, of any group, in their neighborhood, beside the same for real images of other
    patients at the same number.

    Args:
        attribute: the attribute whose groups are described.
        min_group_size: held-out patients below which a group's coverage is not stated.
        neighbors: neighbors that bound a neighborhood.

    Notes:
        Coverage is of the main space, and a share at this number of images. It is not assessable with fewer than 20
        held-out patients or 10 synthetic units.

    References:
        MIS-17 and GEN-01 ask who is left out; Naeem et al. (2020), section 3; the split by group is ours.
    """

    id: ClassVar[str] = "synthesis.group_coverage"
    title: ClassVar[str] = "Who is not represented among the synthetic images?"
    requirements: ClassVar[tuple[str, ...]] = ("MIS-17", "GEN-01", "MIS-14")

    attribute: str = "group"
    min_group_size: int = 50
    neighbors: int = 5

    def __call__(self, data: FeatureSets, /) -> Finding:
        """Describe every group.

        Args:
            data: held-out and synthetic features with the attribute.

        Returns:
            A finding, `measured` or `not_assessable`; the same whatever the order of the images.
        """
        sets = data.canonical()
        try:
            used = self.used(sets)
            groups = image_groups(used, self.attribute)
            drawn = self.drawn(used)
            if min(split.smallest_without(drawn.groups) for split in drawn.splits) <= self.neighbors:
                raise NotAssessableError(f"{drawn.size} images a side are too few for {self.neighbors} neighbors.")
            large = [group for group in groups if group.patients >= self.min_group_size]
            found = dict(zip(map(label_of, large), self._measured(used, large, drawn), strict=True))
        except NotAssessableError as error:
            statement = f"Which {self.attribute} is not represented could not be assessed."
            return self.finding(sets, statement=statement, reason=str(error))
        return self.finding(
            sets,
            used,
            statement=self._statement(groups, found, drawn),
            estimates=tuple(row for group in groups for row in self._rows(used, group, found, drawn)),
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` images of each set in two groups, one of which the generator hardly ever makes."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        holdout[1::2, 0] += 6
        return FeatureSets.one_each(
            train,
            holdout,
            synthetic,
            holdout_attributes={"group": [("A", "B")[i % 2] for i in range(n)]},
            synthetic_attributes={"group": ["A"] * n},
        )

    def _measured(self, used: FeatureSets, large: Sequence[ImageGroup], drawn: Design) -> tuple[Beside, ...]:
        if not large:
            return ()
        _, _, gram = next(iter(self.grams(used.within(used.spaces[:1]))))
        if mostly_equal(gram, used.size("holdout")):
            raise NotAssessableError("Most held-out images have the same features, so neighborhoods have no extent.")
        members = np.zeros((len(large), used.size("holdout")), dtype=bool)
        for place, group in enumerate(large):
            members[place, group.real] = True
        return self.beside(self._statistic(gram, members), drawn)

    def _statistic(self, gram: Gram, members: np.ndarray) -> Statistic:
        def statistic(real: np.ndarray, other: np.ndarray) -> Sequence[float | None]:
            covered = gram.manifold(real, other, k=self.neighbors).covered
            of = members[:, real]
            return [float(covered[row].mean()) if row.any() else None for row in of]

        return statistic

    def _statement(self, groups: Sequence[ImageGroup], found: dict[str, Beside], drawn: Design) -> str:
        absent = [label_of(group) for group in groups if group.patients and not group.units]
        text = f"Of {self.attribute}, no synthetic image was requested of {', '.join(absent)}. " if absent else ""
        known = {
            label: (one.value.value, one.floor.value, one.excess)
            for label, one in found.items()
            if one.value is not None and one.floor is not None and one.excess is not None
        }
        if not known:
            return f"{text}No group of {self.attribute} is large enough for a statement on its coverage."
        short = sorted(label for label, (_, _, excess) in known.items() if excess.high < 0)
        worst = min(known, key=lambda label: known[label][2].value)
        value, floor, _ = known[worst]
        told = (
            f"{self.attribute} {', '.join(short)}: left out more than real images leave out"
            if short
            else "that any group is left out more is not shown"
        )
        return (
            f"{text}At {drawn.size} images a side, the least covered is {self.attribute} {worst}: {value:.0%} of its "
            f"real images have a synthetic one near them, and {floor:.0%} a real one of another patient; {told}."
        )

    def _rows(self, used: FeatureSets, group: ImageGroup, found: dict[str, Beside], drawn: Design) -> list[Estimate]:
        label = {self.attribute: group.label}
        shares = [
            self._share(used, group, role="holdout", name="share_of_held_out_patients"),
            self._share(used, group, role="synthetic", name="share_of_synthetic_images"),
        ]
        one = found.get(label_of(group))
        what = f"share of the group's held-out images with an image in their neighborhood (k = {self.neighbors})"
        if one is not None:
            return [*shares, *estimates_of("coverage", one, drawn, estimand=what, group=label, bounds=(0.0, 1.0))]
        few = f"{group.patients} held-out patients, fewer than {self.min_group_size}"
        kept: dict[str, Any] = {"unit": "1", "n": group.patients, "n_unit": "patients", "n_valid": 0}
        return [*shares, Estimate(name="coverage", value=None, estimand=what, group=label, reason=few, **kept)]

    def _share(self, used: FeatureSets, group: ImageGroup, *, role: str, name: str) -> Estimate:
        """Share of patients (each with one label counted once) or of synthetic images with the label."""
        units = np.array(used.units(role), dtype=object)
        rows = group.real if role == "holdout" else group.synthetic
        member = np.zeros(len(units), dtype=bool)
        member[rows] = True
        if role == "holdout":
            owners = sorted(set(units))
            with_label = set(units[rows])
            result = clustered_rate([owner in with_label for owner in owners], owners, level=self.level)
            n, n_unit = len(owners), "patients"
        else:
            result = clustered_rate(member.tolist(), units.tolist(), level=self.level)
            n, n_unit = len(units), "images"
        return self._rate(name, result, n=n, n_unit=n_unit, label=group.label)

    def _rate(self, name: str, result: Result, *, n: int, n_unit: str, label: str | None) -> Estimate:
        return Estimate(
            name=name,
            unit="1",
            n=n,
            n_unit=n_unit,
            estimand=f"share of {n_unit} with this label",
            group={self.attribute: label},
            **result.stated(self.level),
        )
