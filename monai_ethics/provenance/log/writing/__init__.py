# SPDX-License-Identifier: Apache-2.0
"""Everything that adds to a log: the writer, its lock, shared fsyncs, going on after a crash, redaction."""
