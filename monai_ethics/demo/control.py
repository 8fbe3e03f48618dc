# SPDX-License-Identifier: Apache-2.0
"""The negative control: a cohort whose attributes have nothing to do with its images, by construction."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

__all__ = ["deal_attributes"]


def deal_attributes(table: Path, *, seed: int) -> None:
    """Deal the rows of attributes out to the subjects anew, at random, so that no attribute tells of any image.

    Scanners differ between the sites of the reference cohort, and a model may truly serve one of them worse. In the
    negative control there must be nothing to find, whatever the attribute.

    Args:
        table: ``participants.tsv``, rewritten in place.
        seed: of the deal.
    """
    with table.open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream, delimiter="\t"))
    order = np.random.default_rng(seed).permutation(len(rows))
    dealt = [[row[0], *rows[int(other)][1:]] for row, other in zip(rows, order, strict=True)]
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t", lineterminator="\n").writerows([header, *dealt])
