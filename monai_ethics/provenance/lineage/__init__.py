# SPDX-License-Identifier: Apache-2.0
"""What was made of what, over any number of logs."""
