# SPDX-License-Identifier: Apache-2.0
"""A semi-synthetic reference cohort: real atlases, simulated people, a known truth (ring 1).

Its images stand in for a reference set in demonstrations and tests. They are `source="reference"`, never "real": two
founder anatomies at most, fictional sites, rounded relaxation times. Never a basis for a clinical or population claim.
"""

from __future__ import annotations

from monai_ethics.cohort.attributes import AGE_BANDS, Bias
from monai_ethics.cohort.founders import Founder, analytic_founders, load_founders
from monai_ethics.cohort.generator import FaultyGenerator
from monai_ethics.cohort.lesions import Lesions, load_lesion_bank
from monai_ethics.cohort.reference import Cohort
from monai_ethics.cohort.subject import Subject
from monai_ethics.cohort.writing import write_cohort

__all__ = [
    "AGE_BANDS",
    "Bias",
    "Cohort",
    "FaultyGenerator",
    "Founder",
    "Lesions",
    "Subject",
    "analytic_founders",
    "load_founders",
    "load_lesion_bank",
    "write_cohort",
]
