# SPDX-License-Identifier: Apache-2.0
"""Judging evidence over the lifecycle: policies, gates and whether a run was covered at all (ring 1)."""
