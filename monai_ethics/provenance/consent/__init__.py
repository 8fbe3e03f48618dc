# SPDX-License-Identifier: Apache-2.0
"""Who agreed to what: consent and withdrawal in the site log, and what follows from them."""
