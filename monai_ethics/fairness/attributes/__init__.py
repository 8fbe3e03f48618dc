# SPDX-License-Identifier: Apache-2.0
"""Attributes of cases: read a side table, join it to the cases of a run, make groups of it."""

from monai_ethics.fairness.attributes.join import Joined, join, match_rows, no_match, refuse_repeated
from monai_ethics.fairness.attributes.rules import CASE_MIX, Bins, parse_bins, parse_maps
from monai_ethics.fairness.attributes.side_table import SideTable, clean_label, read_side_table
from monai_ethics.fairness.attributes.strata import Strata, bin_numeric, cross, parse_strata, stratify

__all__ = [
    "CASE_MIX",
    "Bins",
    "Joined",
    "SideTable",
    "Strata",
    "bin_numeric",
    "clean_label",
    "cross",
    "join",
    "match_rows",
    "no_match",
    "parse_bins",
    "parse_maps",
    "parse_strata",
    "read_side_table",
    "refuse_repeated",
    "stratify",
]
