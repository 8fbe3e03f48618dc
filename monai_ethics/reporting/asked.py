# SPDX-License-Identifier: Apache-2.0
"""One finding with its place in the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.shapes import Gap, subject_label
from monai_ethics.reporting.shortened import PAGE, shortened
from monai_ethics.reporting.words import ORDER

__all__ = ["Asked"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One finding with its place in the report."""

    anchor: str
    label: str
    finding: Finding
    gap: Gap | None
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    room: int = PAGE

    @cached_property
    def rows(self) -> tuple[Estimate, ...]:
        """Its numbers as far as the page has room: all of few."""
        return shortened(self.finding, self.room)

    @property
    def left_out(self) -> int:
        """Numbers that stand in report.json alone."""
        return len(self.finding.estimates) - len(self.rows)

    @property
    def named(self) -> str:
        """What tells it from the findings of every other question: its subjects, or the question itself."""
        if self.label and not subject_label(self.finding):
            return f"{self.finding.title} ({self.label})"
        return self.label or self.finding.title

    @property
    def beyond_chance(self) -> bool:
        """Whether its own test, at the level that it states, tells what was found from chance; it judges nothing."""
        if self.gap is not None:
            return self.gap.beyond_chance is True
        level = self.finding.parameters.get("significance")
        tests = [row.value for row in self.finding.estimates if row.name == "p_value" and not row.group]
        return isinstance(level, float) and any(p is not None and p <= level for p in tests)

    @property
    def headline(self) -> str:
        """The sentence for the first page, where it says more than the statement: a gap within chance has none."""
        if self.gap is None:
            return self.sentences[0] if self.sentences else ""
        return self.sentences[1] if self.gap.beyond_chance and len(self.sentences) > 1 else ""

    @property
    def lead(self) -> tuple[Picture, ...]:
        """Figures seen without a click."""
        return tuple(picture for picture in self.pictures if picture.lead)

    @property
    def more(self) -> tuple[Picture, ...]:
        """The other figures."""
        return tuple(picture for picture in self.pictures if not picture.lead)

    @property
    def lines(self) -> tuple[tuple[str, int], ...]:
        """Names of the finding's curves, each with how many there are."""
        names = [curve.name for curve in self.finding.curves]
        return tuple((name, names.count(name)) for name in dict.fromkeys(names))

    @property
    def urgency(self) -> tuple[int, bool, float]:
        """Sort key: verdicts that need a look first, secondary and exploratory gaps last, then small p-values."""
        test = self.gap.p_value if self.gap is not None else None
        known = self.finding.parameters
        unplanned = "secondary" in str(known.get("family_name", "")) or "*" in str(known.get("attribute", ""))
        p = 1.0 if test is None or test.value is None else test.value
        return ORDER.index(self.finding.verdict), unplanned, p
