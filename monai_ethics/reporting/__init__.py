# SPDX-License-Identifier: Apache-2.0
"""Rendering of evidence: reads an `EvidenceReport`, computes no statistic."""

__all__: list[str] = []
