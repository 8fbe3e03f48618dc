# SPDX-License-Identifier: Apache-2.0
"""What is said of images, sets, models and people: records, the sets they stand for, and what they name."""
