# SPDX-License-Identifier: Apache-2.0
"""A copy of evidence for the public: small cells, and all that would give them away, are left out."""
