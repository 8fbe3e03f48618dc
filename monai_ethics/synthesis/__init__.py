# SPDX-License-Identifier: Apache-2.0
"""What synthetic images are, and how close they are to the ones a generator was trained on (ring 1)."""
