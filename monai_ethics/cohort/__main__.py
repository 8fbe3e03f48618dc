# SPDX-License-Identifier: Apache-2.0
"""`python -m monai_ethics.cohort`: write a cohort to a folder, as for training the bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from monai_ethics.cohort.attributes import Bias
from monai_ethics.cohort.lesions import Lesions, load_lesion_bank
from monai_ethics.cohort.reference import Cohort
from monai_ethics.cohort.writing import write_cohort
from monai_ethics.errors import EthicsError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Write a cohort; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m monai_ethics.cohort", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--training", type=int, default=0, help="subjects in the training list")
    parser.add_argument("--validation", type=int, default=0, help="subjects in the validation list")
    parser.add_argument("--testing", type=int, default=0, help="subjects in the testing list")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=128, help="pixels along each side of a slice")
    parser.add_argument("--prevalence", type=float, default=0.5, help="share of subjects given a lesion")
    parser.add_argument("--contrast-bias", type=float, default=0.0, help="share of lesion contrast taken from women")
    parser.add_argument("--masks", type=Path, default=None, help="folder of real lesion masks in MNI space")
    parser.add_argument("--without", nargs="*", default=[], help="leave out masks whose name holds one of these words")
    parser.add_argument("--bank-share", type=float, default=1.0, help="share of lesions shaped by these masks")
    words = parser.parse_args(argv)
    counts = {name: getattr(words, name) for name in ("training", "validation", "testing") if getattr(words, name)}
    bank = None
    if words.masks:
        paths = [p for p in words.masks.glob("*.nii.gz") if not any(word in p.name for word in words.without)]
        bank = load_lesion_bank(paths)
    cohort = Cohort(
        n=sum(counts.values()),
        seed=words.seed,
        size=(words.size, words.size),
        bias=Bias(contrast=words.contrast_bias),
        lesions=Lesions(prevalence=words.prevalence, bank=bank, bank_share=words.bank_share),
    )
    splits, start = {}, 0
    for name, count in counts.items():
        splits[name] = range(start, start + count)
        start += count
    write_cohort(cohort, words.out, splits=splits, progress=_print_progress)
    return 0


def _print_progress(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        print(f"{done} of {total} subjects written", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EthicsError as error:
        print(f"monai_ethics.cohort: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
