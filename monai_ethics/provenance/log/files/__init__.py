# SPDX-License-Identifier: Apache-2.0
"""Files as the log keeps them: on the disk when the call returns, and private payloads that can be deleted."""
