# SPDX-License-Identifier: Apache-2.0
"""One finding with its place in the report."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ethics.evidence import Finding
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.shapes import Gap
from monai_ethics.reporting.words import ORDER

__all__ = ["Asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One finding with its place in the report."""

    anchor: str
    label: str
    finding: Finding
    gap: Gap | None
    pictures: tuple[Picture, ...] = ()

    @property
    def urgency(self) -> tuple[int, int]:
        """Sort key: verdicts that need a look first, then gaps that chance alone does not give."""
        return ORDER.index(self.finding.verdict), 0 if self.gap is not None and self.gap.beyond_chance else 1
