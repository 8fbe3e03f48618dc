# SPDX-License-Identifier: Apache-2.0
"""What is registered as synthetic or as acquired, and who asks."""
