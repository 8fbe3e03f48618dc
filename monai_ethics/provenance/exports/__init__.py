# SPDX-License-Identifier: Apache-2.0
"""Records of an evidence folder in the formats of others."""
