# SPDX-License-Identifier: Apache-2.0
"""The glossary of findings about synthetic images, in plain language."""

from __future__ import annotations

__all__ = ["SYNTHETIC"]

SYNTHETIC: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("synthes", "membership", "training patients"),
        "Held-out patients",
        "Patients whose images were kept away from the generator, to compare with those it learned from.",
    ),
    (
        ("space", "convolutions", "raw pixels"),
        "Features, space",
        "Images are compared as lists of numbers, their features. A space is one way of making them. What its features "
        "do not see, no number here can tell.",
    ),
    (
        ("views", "flipped"),
        "Views",
        "The same image flipped and shifted, so that a copy is found that was flipped or shifted.",
    ),
    (
        ("_floor", "among real images", "real images of other patients"),
        "Floor",
        "The same number between real images of different patients, with as many images. A generator without any fault "
        "would reach the floor, not 0 or 1.",
    ),
    (
        ("_excess", "excess"),
        "Excess",
        "The number of the synthetic images less the floor: how much worse or better they are than real images are.",
    ),
    (
        ("jackknife",),
        "Jackknife",
        "How an interval is found here: some patients are left out, all is computed again, and the interval shows how "
        "much that changes.",
    ),
    (
        ("frechet",),
        "Frechet distance",
        "How far two sets of images lie apart, by the average and the spread of their features (FID, if the features "
        "are of one network). It shrinks as images get less varied, and grows with fewer images: only the floor tells "
        "what is small. “Projected” is measured in so few directions that it speaks of all images, not only of these.",
    ),
    (
        ("mmd",),
        "MMD (maximum mean discrepancy)",
        "How far two sets of images lie apart, by how alike images of one set are and images across the sets. About 0 "
        "if the sets are of one kind; it can fall below 0 by chance.",
    ),
    (("kid",), "KID (kernel inception distance)", "Like MMD, with another measure of likeness. About 0 at best."),
    (
        ("classifier_auc",),
        "Classifier AUC",
        "How well a simple classifier tells synthetic from real images: 0.5 is guessing, 1 is always.",
    ),
    (
        ("nearest_neighbor_accuracy",),
        "Nearest neighbor accuracy",
        "How often the image most like another one is of the same set: about 0.5 if nobody can tell the sets apart.",
    ),
    (
        ("precision",),
        "Precision (of synthetic images)",
        "The share of synthetic images that lie where real ones do. It falls with images unlike any real one, and "
        "rises if all are alike.",
    ),
    (
        ("recall",),
        "Recall (of synthetic images)",
        "The share of real images that lie within reach of synthetic ones. It falls if images are less varied.",
    ),
    (
        ("density",),
        "Density",
        "How thickly real images surround the synthetic ones: high where these keep to the most usual images.",
    ),
    (
        ("coverage",),
        "Coverage",
        "The share of real images that have a synthetic one near them. What is not covered was left out.",
    ),
    (
        ("vendi",),
        "Vendi score",
        "How many images there would be if none were like another: 100 images that are all alike count as 1.",
    ),
    (
        ("effective_rank", "effective rank"),
        "Effective rank",
        "In how many independent ways the images vary. Fewer than among real images: they are less varied.",
    ),
    (
        ("truncated_entropy", "truncated entropy"),
        "Truncated entropy",
        "A measure of variety from the literature. It rises when images are repeated: never read it alone.",
    ),
    (("distinct",), "Distinct images", "Synthetic images, with those that repeat one another counted once."),
    (
        ("ms_ssim", "ms-ssim"),
        "MS-SSIM (multi-scale structural similarity)",
        "How alike two images look, from coarse to fine: 1 is the same image. High between images of one set means "
        "little variety.",
    ),
    (
        ("memorization_membership", "membership test"),
        "Membership test",
        "Whether synthetic images lie closer to patients the generator learned from than to patients it never saw. "
        "With nothing memorized, chance alone decides which are closer. Without an alarm, copies can still be there.",
    ),
    (
        ("order_5", "order statistic", "by nearness", "nearest held-out"),
        "Order statistic",
        "The place in a row from nearest to farthest. Training patients are counted that lie nearer than the nearest "
        "held-out patient, and nearer than the fifth nearest, so that one odd held-out patient hides nothing.",
    ),
    (
        ("smallest_detectable", "can go unseen"),
        "Smallest detectable number",
        "How many patients have to be copied before this test can notice at all.",
    ),
    (
        ("memorization_planted", "planted copies"),
        "Planted copies",
        "Copies of training images that are put among the synthetic ones on purpose, to see whether the test would "
        "notice. A kind of copy that it misses here would be missed there.",
    ),
    (
        ("outlying_images",),
        "Suspiciously near images",
        "Synthetic images much nearer to one training image than to others like it (Carlini et al.). Look at them.",
    ),
    (
        ("authenticity",),
        "Authenticity",
        "The share of synthetic images that are not nearer to a training image than its own nearest neighbor is. It "
        "is far below 1 without any copy: read it beside its floor.",
    ),
    (
        ("copying_z",),
        "Copying score (C_T)",
        "Compares how near synthetic and held-out images lie to training images: well below 0 is nearer than real "
        "images are.",
    ),
    (
        ("correlation_above_threshold",),
        "Strong correlation with training",
        "The share of synthetic images that resemble some training image more than 95 of 100 real pairs do.",
    ),
    (
        ("memorization_model_access",),
        "PIA, SecMI",
        "Attacks on a diffusion model by somebody who holds its weights: does it remove noise better from images it "
        "learned from? That would tell who was among them.",
    ),
    (
        ("source_label_association", "_association", "cramer"),
        "Cramer's V",
        "How closely two properties of images go together: 0 is not at all, 1 is completely. If “synthetic” goes with "
        "a diagnosis, a model can learn the source in place of the disease.",
    ),
    (
        ("equivalence_margin",),
        "Equivalence margin",
        "The smallest difference below which these data would show two ways of training to be as good. A policy says "
        "whether it is small enough.",
    ),
    (
        ("difference_recipe", "seed_sd"),
        "These models, this recipe",
        "Trained again with another seed, a model differs a little. “These models” speaks of those at hand, “this "
        "recipe” of what training again would give.",
    ),
    (
        ("correctness",),
        "Correctness",
        "The share of synthetic images in which an independent judge sees what was requested. The judge errs, too: the "
        "same share in real images stands beside it.",
    ),
)
