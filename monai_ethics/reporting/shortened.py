# SPDX-License-Identifier: Apache-2.0
"""Which numbers of very many stand on the page: everyone, the worst and the best; the others stand in report.json."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ethics.evidence import Estimate, EvidenceReport, Finding
from monai_ethics.reporting.shapes import direction
from monai_ethics.reporting.telling import by_weight

__all__ = ["PAGE", "WORST", "room", "shortened"]

PAGE = 3000  # rows of numbers on one page; each takes about half a kilobyte, in HTML and again in Markdown
WORST, BEST = 20, 5  # groups of one number and attribute that are shown of many


def room(report: EvidenceReport) -> int:
    """Rows that each finding may show so that the page has at most `PAGE`; the findings with few show all of theirs."""
    left, most = PAGE, 0
    sizes = sorted(len(finding.estimates) for finding in report.findings)
    for place, size in enumerate(sizes):
        most = left // (len(sizes) - place)
        if size > most:
            return max(most, WORST + BEST)
        left -= size
    return max(most, *sizes, 1) if sizes else 1


def shortened(finding: Finding, most: int) -> tuple[Estimate, ...]:
    """At most `most` numbers of a finding, in their order; all of them if there are no more.

    Numbers of everyone come first, then for each number and attribute, the most telling first, the `WORST` worst and
    the `BEST` best groups; where it is not known which way is better, both ends.
    """
    if len(finding.estimates) <= most:
        return tuple(finding.estimates)
    heaps: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(finding.estimates):
        heaps.setdefault((row.name, *row.group), []).append(place)
    weight = {name: place for place, name in enumerate(by_weight(dict.fromkeys(key[0] for key in heaps)))}
    order = sorted(heaps, key=lambda key: (len(key) > 1, len(key) > 2 or "*" in "".join(key[1:]), weight[key[0]]))
    kept: list[int] = []
    for key in order:
        kept += _ends(finding, heaps[key])[: max(most - len(kept), 0)]
    return tuple(finding.estimates[place] for place in sorted(kept))


def _ends(finding: Finding, places: Sequence[int]) -> list[int]:
    """Positions of the worst and the best; groups without a number because of what was missed are the worst.

    Others without a number are told by their reason elsewhere.
    """
    rows = finding.estimates
    if len(places) <= WORST + BEST:
        return list(places)
    valued = [place for place in places if rows[place].value is not None]
    valued.sort(key=lambda place: (rows[place].value or 0.0, place))
    lost = [place for place in places if rows[place].value is None and "no finite value" in (rows[place].reason or "")][
        :WORST
    ]
    good = direction(finding, rows[places[0]].name)
    low = {True: WORST, False: BEST, None: (WORST + BEST) // 2}[good]
    high = WORST + BEST - low
    if len(lost) + len(valued) <= low + high:
        return [*lost, *valued]
    ends = [*valued[:low], *valued[-high:]]
    return [*lost, *(ends if good is not False else ends[::-1])][: WORST + BEST]
