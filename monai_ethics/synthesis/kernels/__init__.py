# SPDX-License-Identifier: Apache-2.0
"""Set-level statistics of features, chunked, on any device."""
