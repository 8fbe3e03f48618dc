# SPDX-License-Identifier: Apache-2.0
"""What is compared: scores, labels and decisions of cases, with the patient and the groups of each."""
