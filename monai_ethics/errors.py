# SPDX-License-Identifier: Apache-2.0
"""Every error this package raises on purpose.

EthicsError(Exception)
├── InputError(EthicsError, ValueError)            wrong shape, length, vocabulary, file
├── NotAssessableError(EthicsError)                defined input, undefined answer; a check turns it into a finding
├── ProvenanceError(EthicsError)                   missing, broken or altered record, log or key
│   └── BusyError(ProvenanceError)                 another writer holds the log
├── GateError(EthicsError)                         a policy, a guard or a verification refused
├── SchemaError(EthicsError, ValueError)           an evidence file that is not of the version read here
└── MissingDependencyError(EthicsError, ImportError)

A message is one sentence in three parts: what was expected, what came, what to do. It names an item by its position
or key, never by patient, file name or path. The command line prints it and exits with `exit_code`.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "EthicsError",
    "GateError",
    "InputError",
    "MissingDependencyError",
    "NotAssessableError",
    "ProvenanceError",
    "SchemaError",
]


class EthicsError(Exception):
    """Base of every error raised on purpose; the command line prints it as one sentence and exits with 2."""

    exit_code = 2


class InputError(EthicsError, ValueError):
    """The input has a wrong shape, length, vocabulary or format."""


class NotAssessableError(EthicsError):
    """The input is well formed, but the question has no answer on it."""


class ProvenanceError(EthicsError):
    """A record, a log or a key is missing, broken or altered."""


class BusyError(ProvenanceError):
    """Another writer holds the evidence log."""


class GateError(EthicsError):
    """A policy, a guard or a verification refused; the command line exits with 1."""

    exit_code = 1


class SchemaError(EthicsError, ValueError):
    """An evidence file does not follow the schema version that this package reads."""


class MissingDependencyError(EthicsError, ImportError):
    """An optional dependency is needed and not installed; the message names the extra."""
