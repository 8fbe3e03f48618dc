# SPDX-License-Identifier: Apache-2.0
"""What reads MONAI networks and batches for the audit of synthetic images."""
