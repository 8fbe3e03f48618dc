# SPDX-License-Identifier: Apache-2.0
"""A faint keyed pattern in synthetic images: optional, off by default, never in acquired images or label maps."""
