# SPDX-License-Identifier: Apache-2.0
"""What is audited: three sets of features, and how they are read."""
