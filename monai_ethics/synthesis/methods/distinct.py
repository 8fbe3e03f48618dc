# SPDX-License-Identifier: Apache-2.0
"""How many different images a set holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["distinct_images"]


def distinct_images(between: torch.Tensor, *, apart: float, digests: Sequence[str | None] | None = None) -> int:
    """Number of images if those closer than a distance, or with the same content, are counted once.

    Args:
        between: distances of all pairs, shape ``(N, N)``, N at most some thousands.
        apart: distance up to which two images are one, in the same unit.
        digests: digest of each image's content, ``None`` where it has none.
    """
    n = len(between)
    first, second = (found.tolist() for found in np.nonzero((between <= apart).cpu().numpy()))
    seen: dict[str, int] = {}
    for row, digest in enumerate(digests or ()):
        if digest is not None:
            first.append(seen.setdefault(digest, row))
            second.append(row)
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    return int(connected_components(graph, directed=False)[0])
