# SPDX-License-Identifier: Apache-2.0
"""The consent of a run's people: the judge that its guard asks, with the side table to tell whose image an item is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.provenance.consent.admission import ConsentJudge
    from monai_ethics.provenance.consent.registry import Person

__all__ = ["consent_judge", "purpose_of", "serve"]


def purpose_of(engine: Engine) -> str:
    """What an engine that was built uses images for, where nobody says: training if it trains, evaluation if not."""
    parts = vars(engine)
    return "training" if any(parts.get(name) is not None for name in ("optimizer", "g_optimizer")) else "evaluation"


def consent_judge(
    site: str | Path | None, *, rule: str, purpose: str, checked: str | Sequence[str] = (), attributes: Any = None
) -> ConsentJudge:
    """A judge from the settings of a run.

    Args:
        site: the site log.
        rule: ``"opt-in"`` or ``"opt-out"``.
        purpose: what the images are used for; ``None`` takes `purpose_of` the engine when it starts.
        checked: codes of conditions that somebody checked.
        attributes: side table of the run, where it is a file.

    Raises:
        InputError: if a setting is wrong, or there is no site log.
    """
    from monai_ethics.provenance.consent.admission import ConsentJudge

    if not site:
        raise InputError("Expected a site log beside `ethics#guard#consent`: got none. Give `--ethics#guard#site DIR`.")
    codes = [code.strip() for code in checked.split(",")] if isinstance(checked, str) else list(checked)
    table = Path(attributes) if isinstance(attributes, (str, os.PathLike)) else None

    def people(items: Sequence[Mapping[str, Any]]) -> list[Person | None]:
        return _people(table, items) if table is not None else [None] * len(items)

    judge = ConsentJudge(site, rule=rule, purpose=purpose or "training", people=people, checked=codes)
    judge.follows_engine = not purpose
    return judge


def serve(judges: Iterable[Any], engine: Engine) -> None:
    """Tell the judges of consent whose purpose nobody named what this engine is about to do.

    A handler that a bundle lists is attached while its engine is built, before the engine has its optimizer. So the
    purpose is taken when the engine starts.
    """
    for judge in judges:
        if getattr(judge, "follows_engine", False):
            judge.purpose = purpose_of(engine)


def _people(table: Path, items: Sequence[Mapping[str, Any]]) -> list[Person | None]:
    """Persons by the side table; ``None`` for an item that has no row, or where the table names no patients."""
    from monai_ethics.fairness.attributes import join, read_side_table
    from monai_ethics.provenance.consent.registry import Person
    from monai_ethics.provenance.images.listing import item_files

    files = [item_files(item) for item in items]
    cases = [found[0][1] if found else f"item#{place}" for place, found in enumerate(files)]
    unique = sorted(set(cases))
    try:
        names = dict(zip(unique, join(read_side_table(table), unique, unique, strict=False).patients, strict=True))
    except InputError:  # a table that fits the scored cases only
        return [None] * len(items)
    return [Person(patient_id=names[case]) if names[case] != case else None for case in cases]
