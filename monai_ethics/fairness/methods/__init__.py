# SPDX-License-Identifier: Apache-2.0
"""How it is compared: intervals, differences, tests and power, as functions of arrays; nothing here knows a finding."""
