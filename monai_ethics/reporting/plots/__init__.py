# SPDX-License-Identifier: Apache-2.0
"""Figures, one kind a file; which ones fit a finding is read off its estimates."""

from __future__ import annotations

from monai_ethics.evidence import UNJUDGED, Finding
from monai_ethics.reporting.plots.forest import forest
from monai_ethics.reporting.plots.gap import against_chance, pairs
from monai_ethics.reporting.plots.membership import membership
from monai_ethics.reporting.plots.shares import shares
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.shapes import gap_of, rates

__all__ = ["Picture", "pictures"]

MOST = 1500


def pictures(finding: Finding, *, salt: str) -> tuple[Picture, ...]:
    """Every figure that fits the finding; none for a finding that could not be judged.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    if finding.verdict in UNJUDGED or len(finding.estimates) > MOST:
        return ()  # a picture invites the judgement that was withheld; of thousands of rows it shows nothing
    found: list[Picture | None] = []
    if gap_of(finding) is not None:
        found += [against_chance(finding, salt=f"{salt}-gap"), pairs(finding, salt=f"{salt}-pairs")]
    else:
        found.append(membership(finding, salt=f"{salt}-members"))
        found.append(forest(finding, salt=f"{salt}-forest"))
        found += [shares(finding, name, salt=f"{salt}-{number}") for number, name in enumerate(rates(finding))]
    return tuple(picture for picture in found if picture is not None)
