# SPDX-License-Identifier: Apache-2.0
"""What holds of synthetic images whatever was measured; every audit says it, and nothing can switch it off."""

from __future__ import annotations

from dataclasses import replace

from monai_ethics.evidence import INTRINSIC_LIMITS, Finding

__all__ = ["INTRINSIC_LIMITS", "with_intrinsic_limits"]


def with_intrinsic_limits(finding: Finding) -> Finding:
    """The finding with the three intrinsic limits of synthetic images before its own.

    Args:
        finding: what was found about synthetic images.
    """
    own = [text for text in finding.limitations if text not in INTRINSIC_LIMITS]
    return replace(finding, limitations=(*INTRINSIC_LIMITS, *own))
