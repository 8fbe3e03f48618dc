# SPDX-License-Identifier: Apache-2.0
"""Statistics behind the checks, by what they are for.

Whole sets, at one number of images: `floor` and `jackknife`, used through `comparison`; `projected`, `distinct`,
`pair_means`; `groups`, `shares_by_group` and `labels` for groups of images.

Copies: `membership_conditions` (may it be tested?), `closest`, `precedence` (the test), `planting` (its power),
`real_duplicates`, `pairs`; `copy_measures` and `beside_holdout` for the published measures.

A generator at hand: `diffusion_attacks`, `member_ranking`.

Text in images: `static_marks`, `text_origin`.

Training on synthetic images: `sweep_cells` and `crossed` (what it does), `association` and `probe` (shortcuts).
"""
