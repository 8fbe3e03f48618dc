# SPDX-License-Identifier: Apache-2.0
"""Reading a log without writing or locking: entries one after the other, and what they hold besides findings."""
