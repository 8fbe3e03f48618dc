# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics plan`: how many patients per group would show a gap of X, and the reverse."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.statistics.plan import Plan

__all__ = ["command"]

NAMES = {"rate": "rates", "mean": "means", "auc": "areas under the ROC curve", "rank": "relative effects (ranks)"}


def command(
    quantity: Annotated[str, typer.Argument(help="rate, mean, auc or rank.")],
    gap: Annotated[float | None, typer.Option(help="Gap to be shown, in the quantity's unit.")] = None,
    patients: Annotated[int | None, typer.Option(help="Patients per group, in place of a gap.")] = None,
    base: Annotated[float | None, typer.Option(help="Rate or area without a gap, stated beforehand.")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of the score, for means.")] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of images that count, such as positives; half for auc, all otherwise.")
    ] = None,
    groups: Annotated[int, typer.Option(help="Number of groups.")] = 2,
    images: Annotated[int, typer.Option(help="Images per patient.")] = 1,
    icc: Annotated[float, typer.Option(help="Correlation of two images of one patient, 0 to 1.")] = 0.0,
    level: Annotated[float, typer.Option(help="Nominal coverage; tests are at one minus it.")] = 0.95,
    power: Annotated[float, typer.Option(help="Probability of showing the gap.")] = 0.8,
    tests: Annotated[int, typer.Option(help="Tests in the family: metrics times attributes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON for machines.")] = False,
) -> None:
    """Say how many patients per group would show a gap, or which gap so many patients would show."""
    from monai_ethics.statistics.plan import Plan

    if (gap is None) == (patients is None):
        raise InputError("Expected `--gap` or `--patients`: got both or neither. Give the one that is known.")
    plan = Plan(
        quantity=quantity,
        base=base,
        sd=sd,
        share=share,
        groups=groups,
        images=images,
        icc=icc,
        level=level,
        power=power,
        tests=tests,
    )
    needed = patients if gap is None else plan.patients_per_group(gap)
    shown = gap if patients is None else plan.smallest_gap(patients)
    if as_json:
        print(json.dumps(_numbers(plan, needed, shown), indent=1, sort_keys=True))
        return
    print(_sentence(plan, needed, shown, asked_for_gap=patients is not None))


def _numbers(plan: Plan, patients: int | None, gap: float | None) -> dict[str, Any]:
    known = patients is not None and gap is not None
    return {
        **asdict(plan),
        "alpha": plan.alpha,
        "design_effect": plan.design_effect,
        "gap": gap,
        "patients_per_group": patients,
        "effective_images_per_group": None if patients is None else plan.effective(patients),
        "achieved_power": plan.power_at(patients, gap) if known and patients and gap else None,
        "method": plan.method,
    }


def _sentence(plan: Plan, patients: int | None, gap: float | None, *, asked_for_gap: bool) -> str:
    test = f"with {plan.power:.0%} power at level {plan.alpha:.3g}"
    if plan.tests > 1:
        test += f" ({1 - plan.level:.3g} divided by {plan.tests} tests)"
    each = "" if plan.images == 1 else f" with {plan.images} images each (design effect {plan.design_effect:.3g})"
    if plan.share is not None:
        each += f", {plan.share:.0%} of the images {'positive' if plan.quantity == 'auc' else 'counting'},"
    elif plan.quantity == "rate":
        each += " whose images count (such as positives)"
    many = f"{plan.groups} groups"
    if gap is None:
        few = f"{patients} patients per group{each.rstrip(',')}"
        return f"No gap of {NAMES[plan.quantity]} would be shown {test} by {few}."
    what = f"a gap of {gap:.3g} between {NAMES[plan.quantity]}{_ends(plan, gap)}"
    if patients is None:
        return f"No number of patients up to ten million per group{each} would show {what} {test}."
    if asked_for_gap:
        text = f"{patients} patients in each of {many}{each} would show {what} and no smaller one"
    else:
        text = f"{patients} patients in each of {many}{each} are needed to show {what}"
    return f"{text} {test}; {plan.method}. With fewer, not shown is not no gap."


def _ends(plan: Plan, gap: float) -> str:
    if plan.quantity in ("rate", "auc"):
        return f" ({plan.base:.3g} against {plan.other(gap):.3g})"
    if plan.quantity == "rank":
        return f" ({0.5 + gap:.3g} where 0.5 is none)"
    return f" (standard deviation {plan.sd:.3g})"
