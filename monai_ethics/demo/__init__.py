# SPDX-License-Identifier: Apache-2.0
"""The whole loop on data that comes with the install: what `monai-ethics demo` shows."""
