# SPDX-License-Identifier: Apache-2.0
"""Intervals, differences, tests and power as functions of arrays; nothing here knows a finding (ring 1, inmost)."""
