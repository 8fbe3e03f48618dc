# SPDX-License-Identifier: Apache-2.0
"""Where everything came from: records, digests, the signed log. Imports nothing: verifying needs no array library."""
