# SPDX-License-Identifier: Apache-2.0
"""The form of what is signed: canonical bytes of an entry, the tree over them, the signed head of that tree."""
