# SPDX-License-Identifier: Apache-2.0
"""Image files as stored: values, geometry, attributes, and their digests."""
