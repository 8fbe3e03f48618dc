# SPDX-License-Identifier: Apache-2.0
"""The ethics layer for MONAI: evidence about synthesis, fairness and provenance, from workflows that already exist.

Importing this module imports nothing else: MONAI costs seconds, and a command line or a reader of reports must not pay.
"""

__version__ = "0.1.0"
