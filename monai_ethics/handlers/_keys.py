# SPDX-License-Identifier: Apache-2.0
"""Names under which group values reach the host's loggers: only ``[A-Za-z0-9_.-]``, never one name for two groups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable

__all__ = ["clean", "group_keys"]

NOT_RECORDED = "not_recorded"
WORST = "worst"
_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")


def clean(text: str) -> str:
    """`text` in the characters that every logger takes; ``"-"`` for the others."""
    return _OTHER.sub("-", text).strip("-") or "-"


def group_keys(
    metric: str, attribute: str, labels: Iterable[str | None], *, taken: Collection[str]
) -> dict[str | None, str]:
    """Logger key of each label of an attribute.

    Args:
        metric: name of the host's metric, such as ``"val_mean_dice"``.
        attribute: such as ``"sex"``.
        labels: labels of the groups; ``None`` is the group of those not recorded.
        taken: keys that belong to others.

    Returns:
        Label to key, such as ``"val_mean_dice_sex_F"``; keys that would collide carry six digits of a digest.
    """
    stem = f"{clean(metric)}_{clean(attribute)}"
    plain = {label: f"{stem}_{NOT_RECORDED if label is None else clean(label)}" for label in labels}
    reserved = {*taken, f"{stem}_{WORST}"}
    uses: dict[str, int] = {}
    for key in plain.values():
        uses[key] = uses.get(key, 0) + 1
    out: dict[str | None, str] = {}
    for label, key in plain.items():
        if uses[key] > 1 or key in reserved:
            digest = hashlib.sha256(f"{metric}\0{attribute}\0{label!r}".encode()).hexdigest()[:6]
            key = f"{key}_{digest}"
        out[label] = key
    return out
