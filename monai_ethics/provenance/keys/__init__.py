# SPDX-License-Identifier: Apache-2.0
"""Keys: what signs, where it is kept, which keys are trusted, and how one key follows another."""
