# SPDX-License-Identifier: Apache-2.0
"""Statements in other people's signed formats: in-toto in DSSE, and OpenSSF model signing."""
