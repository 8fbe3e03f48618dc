# SPDX-License-Identifier: Apache-2.0
"""Figures, one kind a file; which ones fit a finding is read off its estimates and curves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from monai_ethics.evidence import UNJUDGED, Finding
from monai_ethics.reporting.plots.changes import changes
from monai_ethics.reporting.plots.floors import FLOOR, floors
from monai_ethics.reporting.plots.forest import forest
from monai_ethics.reporting.plots.gap import against_chance, pairs
from monai_ethics.reporting.plots.heat import heat_maps
from monai_ethics.reporting.plots.membership import membership
from monai_ethics.reporting.plots.null import among_chance
from monai_ethics.reporting.plots.raincloud import raincloud
from monai_ethics.reporting.plots.reliability import reliability
from monai_ethics.reporting.plots.roc import by_threshold, roc
from monai_ethics.reporting.plots.shares import shares
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.shapes import gap_of, grouped, is_of_people, primary, rates, scores
from monai_ethics.reporting.telling import RATES

__all__ = ["Picture", "pictures"]

MOST = 1500  # estimates of one finding; of more a picture shows nothing
SEEN = ("correctness", "correctness_on_real_images")
BARS = ("failure_rate", "false_positive_rate", "share_of_held_out_patients", "share_of_synthetic_images")


def pictures(finding: Finding, *, salt: str, most: int | None = None) -> tuple[Picture, ...]:
    """Every figure that fits the finding, those seen without a click first; none for one that could not be judged.

    Args:
        finding: what is drawn.
        salt: makes the ids of its figures differ from those of others.
        most: draw only so many, the most telling ones; ``None`` = all.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    if finding.verdict in UNJUDGED or len(finding.estimates) > MOST:
        return ()  # a picture invites the judgement that was withheld
    drawn = _of_gap(finding, salt) if gap_of(finding) is not None else _of_groups(finding, salt)
    every = (picture for picture in chain(drawn, _of_curves(finding, salt)) if picture is not None)
    found = islice(every, most)
    return tuple(sorted(found, key=lambda picture: not picture.lead))


def _of_gap(finding: Finding, salt: str) -> Iterator[Picture | None]:
    histogram = among_chance(finding, salt=f"{salt}-null")
    yield histogram if histogram is not None else against_chance(finding, salt=f"{salt}-gap")
    yield pairs(finding, salt=f"{salt}-pairs")
    yield from floors(finding, salt=f"{salt}-floors")
    for place, name in enumerate(scores(finding)):
        if "standardized" in name:
            yield forest(finding, name, salt=f"{salt}-forest-{place}", lead=False)
        elif name == "mean":
            yield from heat_maps(finding, name, salt=f"{salt}-heat-{place}", lead=False)
    for place, name in enumerate(name for name in rates(finding) if name in SEEN):
        yield shares(finding, name, salt=f"{salt}-seen-{place}")


def _of_groups(finding: Finding, salt: str) -> Iterator[Picture | None]:
    yield membership(finding, salt=f"{salt}-members")
    beside = tuple(floors(finding, salt=f"{salt}-floors"))
    yield from beside
    if beside and not any(set(row.group) - {"space"} for row in finding.estimates):
        return  # spaces are no groups of people: what they have is in the figure of floors
    changed = changes(finding, salt=f"{salt}-changes")
    yield changed
    if not scores(finding) and not rates(finding):
        yield from heat_maps(finding, "patients", salt=f"{salt}-who", lead=True)
    drawn = {row.name.removesuffix(FLOOR) for row in finding.estimates if row.name.endswith(FLOOR)} if beside else set()
    first = primary(finding)
    named = [] if first is None else [first, *(name for name in scores(finding) if name != first)]
    if first in ("median", "mean"):
        named = named[:1]
    valued = {row.name for row in finding.estimates if row.value is not None}
    named = [name for name in named if name not in drawn and (name == first or name in valued)]
    for place, name in enumerate(named):
        yield forest(finding, name, salt=f"{salt}-forest-{place}", lead=place == 0 and changed is None)
        yield from heat_maps(finding, name, salt=f"{salt}-heat-{place}", lead=place == 0)
    for place, name in enumerate(rates(finding)):
        lead = place < 2 and first is None
        if all(row.group and not is_of_people(row.group) for row in grouped(finding, name)):
            crossed = tuple(heat_maps(finding, name, salt=f"{salt}-cross-{place}", lead=place == 0))
            yield from crossed or (shares(finding, name, salt=f"{salt}-{place}"),)
            continue
        if name in RATES and name not in (*BARS, *SEEN):
            yield forest(finding, name, salt=f"{salt}-{place}", lead=lead)
        else:
            yield shares(finding, name, salt=f"{salt}-{place}")
        if first is None and place < 2:
            yield from heat_maps(finding, name, salt=f"{salt}-cross-{place}", lead=place == 0)


def _of_curves(finding: Finding, salt: str) -> Iterator[Picture]:
    yield from raincloud(finding, salt=f"{salt}-rain")
    yield from roc(finding, salt=f"{salt}-roc")
    yield from reliability(finding, salt=f"{salt}-reliability")
    yield from by_threshold(finding, salt=f"{salt}-sweep")
