# SPDX-License-Identifier: Apache-2.0
"""What joins an Ignite engine: a metric that stratifies, an audit of generators, a recorder and a writer (ring 3)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.handlers._attach import attach
    from monai_ethics.handlers.admission import AdmissionGuard
    from monai_ethics.handlers.recorder import ProvenanceRecorder
    from monai_ethics.handlers.samplers import DiffusionSampler, GanSampler, LatentDiffusionSampler
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.handlers.stratified import StratifiedScores
    from monai_ethics.handlers.synthesis_audit import SynthesisAudit
    from monai_ethics.handlers.synthetic_mix import SyntheticMixTracker
    from monai_ethics.handlers.worst_group import WorstGroupScore
    from monai_ethics.handlers.writer import EvidenceWriter

__all__ = [
    "AdmissionGuard",
    "DiffusionSampler",
    "EvidenceWriter",
    "GanSampler",
    "LatentDiffusionSampler",
    "ProvenanceRecorder",
    "RunSession",
    "StratifiedScores",
    "SynthesisAudit",
    "SyntheticMixTracker",
    "WorstGroupScore",
    "attach",
]

_HOME = {
    "AdmissionGuard": "admission",
    "DiffusionSampler": "samplers",
    "GanSampler": "samplers",
    "LatentDiffusionSampler": "samplers",
    "SynthesisAudit": "synthesis_audit",
    "SyntheticMixTracker": "synthetic_mix",
    "EvidenceWriter": "writer",
    "ProvenanceRecorder": "recorder",
    "RunSession": "session",
    "StratifiedScores": "stratified",
    "WorstGroupScore": "worst_group",
    "attach": "_attach",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
