# SPDX-License-Identifier: Apache-2.0
"""What holds of synthetic images whatever was measured; every audit says it, and nothing can switch it off."""

from __future__ import annotations

from dataclasses import replace

from monai_ethics.evidence import Finding

__all__ = ["INTRINSIC_LIMITS", "with_intrinsic_limits"]

#: W. Jin et al., Ethical medical image synthesis (2025), arXiv 2508.09293: the intrinsic limits, in our words.
INTRINSIC_LIMITS = (
    "Synthetic images have no grounding of their own in what happens in a body: they show nobody.",
    "They cannot fully represent the images they were learned from.",
    "They bring shifts and biases that those images did not have.",
)


def with_intrinsic_limits(finding: Finding) -> Finding:
    """The finding with the three intrinsic limits of synthetic images before its own.

    Args:
        finding: what was found about synthetic images.
    """
    own = [text for text in finding.limitations if text not in INTRINSIC_LIMITS]
    return replace(finding, limitations=(*INTRINSIC_LIMITS, *own))
