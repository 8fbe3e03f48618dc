# SPDX-License-Identifier: Apache-2.0
"""Whether a case has a reference and a prediction at all: told apart on the device, read once per epoch.

The tap stands in for a metric's `output_transform` during a run and sees the very pair the metric sees, so a transform
with a cost, a state or random numbers is not called twice. Nothing waits for the device before the epoch ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = ["PresenceTap", "case_outcome", "channel_outcomes"]

MISSED, FALSE_POSITIVE, TRUE_NEGATIVE = "missed", "false_positive", "true_negative"
SCORED, UNDEFINED = "scored", "undefined"


class PresenceTap:
    """Callable that passes an output transform's result on and notes, per case and channel, what is not empty.

    Args:
        inner: the metric's own output transform.
    """

    def __init__(self, inner: Callable[[Any], Any]) -> None:
        self.inner = inner
        self.seen: list[torch.Tensor | None] = []

    def __call__(self, output: Any) -> Any:
        pair = self.inner(output)
        with torch.no_grad():
            self.seen.extend(_presence(pair))
        return pair

    def bits(self) -> list[list[list[int]] | None]:
        """Per case ``[reference bits, prediction bits, [mutually exclusive]]``, or ``None``; one device read."""
        out: list[list[list[int]] | None] = []
        held = [t for t in self.seen if t is not None]
        shapes = {(t.shape, t.device) for t in held}
        stacked = torch.stack(held).cpu().tolist() if len(shapes) == 1 else [t.cpu().tolist() for t in held]
        values = iter(stacked)
        for t in self.seen:
            if t is None:
                out.append(None)
                continue
            flat = next(values)
            c = (len(flat) - 1) // 2
            out.append([[int(v) for v in flat[:c]], [int(v) for v in flat[c : 2 * c]], [int(flat[-1])]])
        return out


def _presence(pair: Any) -> list[torch.Tensor | None]:
    if not (isinstance(pair, Sequence) and len(pair) == 2):
        return []
    y_pred, y = pair
    try:
        return [_one(p, r) for p, r in zip(y_pred, y, strict=False)]
    except TypeError:  # a missing reference, a number: nothing can be told
        return []


def _one(y_pred: Any, y: Any) -> torch.Tensor | None:
    """Bits ``(2C + 1,)``: reference per channel, prediction per channel, channels exclude each other."""
    if not (isinstance(y_pred, torch.Tensor) and isinstance(y, torch.Tensor)):
        return None
    if y.ndim < 3 or y_pred.ndim != y.ndim or y.shape[0] != y_pred.shape[0]:
        return None
    y, y_pred = y.detach().as_subclass(torch.Tensor), y_pred.detach().as_subclass(torch.Tensor)
    bits = [y.flatten(1).any(1), y_pred.flatten(1).any(1)]
    one_hot = ((y != 0).sum(0) == 1).all() if len(y) > 1 else torch.zeros((), dtype=torch.bool, device=y.device)
    return torch.cat([bits[0], bits[1].to(y.device), one_hot[None]])


def _foreground(bits: list[list[int]], include_background: bool) -> tuple[list[int], list[int]]:
    reference, prediction, (exclusive,) = bits
    # channels that exclude each other are one-hot: channel 0 is the background, empty of meaning
    start = 1 if len(reference) > 1 and (exclusive or not include_background) else 0
    return reference[start:], prediction[start:]


def _outcome(reference: bool, prediction: bool, defined: bool) -> str:
    if reference and not prediction:
        return MISSED
    if prediction and not reference:
        return FALSE_POSITIVE
    if not reference:
        return TRUE_NEGATIVE
    return SCORED if defined else UNDEFINED


def case_outcome(bits: list[list[int]] | None, defined: bool, *, include_background: bool) -> str:
    """Outcome of a case over all its foreground channels.

    Args:
        bits: what `PresenceTap.bits` gave for the case; ``None`` if it is no segmentation.
        defined: whether the metric has a value for it.
        include_background: as the metric was made.

    Returns:
        ``"scored"``, ``"missed"``, ``"false_positive"``, ``"true_negative"`` or ``"undefined"``.
    """
    if bits is None:
        return SCORED if defined else UNDEFINED
    reference, prediction = _foreground(bits, include_background)
    return _outcome(any(reference), any(prediction), defined)


def channel_outcomes(bits: list[list[int]] | None, defined: Sequence[bool]) -> list[str]:
    """Outcome of a case for each of the metric's channels; the last channels are the metric's."""
    plain = [SCORED if d else UNDEFINED for d in defined]
    if bits is None or len(bits[0]) < len(defined):
        return plain
    reference, prediction = bits[0][-len(defined) :], bits[1][-len(defined) :]
    return [_outcome(bool(r), bool(p), d) for r, p, d in zip(reference, prediction, defined, strict=True)]
