# SPDX-License-Identifier: Apache-2.0
"""Who performs how well for whom, and how surely: table statistics over per-case scores (ring 1, numpy and scipy)."""
