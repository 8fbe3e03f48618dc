# SPDX-License-Identifier: Apache-2.0
"""Whether a folder is as it was signed: one reading of all of it, the site log as witness, one status in words."""
