# SPDX-License-Identifier: Apache-2.0
"""Comparisons of groups on what was measured of cases; what works on plain arrays is in `monai_ethics.statistics`."""
