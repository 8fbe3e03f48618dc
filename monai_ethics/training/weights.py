# SPDX-License-Identifier: Apache-2.0
"""How often a case has to be drawn so that groups, and patients within a group, count alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from monai_ethics.errors import InputError

__all__ = ["balanced_weights"]


def balanced_weights(groups: Sequence[Hashable], patients: Sequence[Hashable] | None = None) -> NDArray[np.float64]:
    """Probability of each case by which every group is drawn equally often.

    A group has ``1 / G``; its patients share that equally, and the cases of a patient in the group share the patient's
    part, so that a patient with many images does not stand for the group.

    Args:
        groups: group of each case, length ``N``; ``None`` (not recorded) is a group of its own.
        patients: patient of each case, length ``N``; ``None`` if every case is a patient of its own.

    Returns:
        Probabilities, shape ``(N,)`` float64, that add up to 1.

    Raises:
        InputError: if there is no case, or the lengths differ.
    """
    people = list(range(len(groups))) if patients is None else list(patients)
    if not groups or len(people) != len(groups):
        raise InputError(f"Expected one patient for each of 1 or more cases: got {len(people)} for {len(groups)}.")
    pairs = list(zip(groups, people, strict=True))
    cases = Counter(pairs)
    members = Counter(group for group, _ in cases)
    share = [1.0 / (len(members) * members[group] * cases[group, patient]) for group, patient in pairs]
    return np.asarray(share, dtype=np.float64)
