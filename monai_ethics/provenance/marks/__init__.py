# SPDX-License-Identifier: Apache-2.0
"""What marks a file as synthetic, in the file and beside it."""
