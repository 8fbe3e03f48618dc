# SPDX-License-Identifier: Apache-2.0
"""One file per command. At module level they import typer and ring 0 only: `--help` must not cost seconds."""
