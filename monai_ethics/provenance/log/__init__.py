# SPDX-License-Identifier: Apache-2.0
"""The evidence log: entries, tree, signed head, keys, private payloads, and their verification."""
