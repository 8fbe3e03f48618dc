# SPDX-License-Identifier: Apache-2.0
"""What is compared, said before anybody looks: quantities, groupings, sizes, correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.evidence import FrozenDict
from monai_ethics.fairness.attributes.rules import CASE_MIX, Bins, parse_bins, parse_maps
from monai_ethics.fairness.attributes.strata import parse_strata
from monai_ethics.fairness.attributes.target import read_target
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.roster import TargetPopulation
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.statistics.corrections import check_correction

__all__ = ["FURTHER", "PLANNED", "SETTINGS", "Plan", "read_plan"]

#: what is compared unless a plan says otherwise: one family with all attributes
PLANNED = ("score", "tpr", "fpr", "selection_rate", "ppv", "auc", "calibration_in_the_large")
#: compared only if a plan names them
FURTHER = (
    *("fnr", "tnr", "npv", "accuracy", "equalized_odds", "differential_fairness"),
    *("auc_bpsn", "auc_bnsp", "abroca", "ece", "calibration_slope", "brier", "equity_scaled"),
)
#: what the section `ethics#plan` of a run may hold
SETTINGS = ("measures", "control", "min_group_size", "correction", "seed", "bins", "maps", "population")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared, said beforehand.

    Args:
        measures: names of `PLANNED` and `FURTHER`; fewer of them mean a milder correction.
        asked: groupings that were asked for by name and are compared; ``None`` = every single attribute, while
            intersections are described only.
        control: attribute that is held fixed in a secondary comparison, such as ``"site"``; empty = the size of what
            is to be found, where it is known.
        min_group_size: smallest group that is judged, in patients.
        level: nominal coverage of intervals; tests are at one minus it.
        correction: ``"holm"`` or ``"bh"``.
        seed: seed of all draws.
        bins: attribute to edges, or to a number of quantile groups.
        maps: attribute to recorded label to the label that stands for it.
        population: attribute to the population declared for it.
        obtained: attribute to how its labels were obtained.
        earlier: how often groups of these cases were compared before, as far as is known.

    Raises:
        InputError: if a measure or the correction is not known.
    """

    measures: tuple[str, ...] = PLANNED
    asked: tuple[str, ...] | None = None
    control: str = ""
    min_group_size: int = 10
    level: float = 0.95
    correction: str = "holm"
    seed: int = 0
    bins: Bins = field(default_factory=FrozenDict)
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=FrozenDict)
    population: Mapping[str, TargetPopulation] = field(default_factory=FrozenDict)
    obtained: Mapping[str, str] = field(default_factory=FrozenDict)
    earlier: int = 0

    def __post_init__(self) -> None:
        known = (*PLANNED, *FURTHER)
        if not self.measures or any(name not in known for name in self.measures):
            raise InputError(f"Expected names of measures: got another. Known: {', '.join(known)}.")
        check_correction(self.correction, ("holm", "bh"))

    @property
    def made(self) -> tuple[str, ...] | None:
        """Groupings to make: those asked for, and the control, which is held fixed and not compared."""
        extra = self.control and self.control not in CASE_MIX and self.asked and self.control not in self.asked
        return (*(self.asked or ()), self.control) if extra else self.asked

    def groupings(self, data: ScoreTable | BinaryScores) -> list[str]:
        """The groupings of a table that are compared."""
        if self.asked is not None:
            return [name for name in data.groups if name in self.asked]
        return [name for name in data.groups if "*" not in name and name not in CASE_MIX]


def read_plan(settings: Mapping[str, Any] | None = None, *, strata: Any = None) -> Plan:
    """A plan from the settings of a run.

    Args:
        settings: some of `SETTINGS`: `measures` and `control` as text or lists, `bins` and `maps` as on the command
            line (``"age=18,40,65"``), one or a list, `population` as the path of a file.
        strata: groupings asked for by name; ``None`` = every attribute.

    Returns:
        The plan.

    Raises:
        InputError: if a setting is unknown or cannot be read.
    """
    if not isinstance(settings, Mapping | None):
        raise InputError(f"`ethics#plan` must be a mapping of {', '.join(SETTINGS)}: got another type. Correct it.")
    given = dict(settings or {})
    if unknown := set(given) - set(SETTINGS):
        raise InputError(f"`ethics#plan` may hold {', '.join(SETTINGS)}: got {len(unknown)} other keys. Remove them.")
    plain: dict[str, Any] = {name: _text(name, given[name]) for name in ("control", "correction") if name in given}
    for name in ("min_group_size", "seed"):
        if name in given:
            plain[name] = _whole(name, given[name])
    if "measures" in given:
        plain["measures"] = tuple(dict.fromkeys(_texts("measures", given["measures"], split=True)))
    if "population" in given:
        plain["population"] = read_target(Path(_text("population", given["population"])))
    return Plan(
        asked=parse_strata(strata),
        bins=parse_bins(_texts("bins", given.get("bins", []))),
        maps=parse_maps(_texts("maps", given.get("maps", []))),
        **plain,
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str | Path):
        raise InputError(f"`{name}` must be a text: got another type. Correct it.")
    return str(value)


def _texts(name: str, value: Any, *, split: bool = False) -> list[str]:
    """A text or a list of them; with `split`, a text holds several."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if split else [value]
    if not isinstance(value, list | tuple) or any(not isinstance(item, str) for item in value):
        raise InputError(f"`{name}` must be a text or a list of texts: got another type. Correct it.")
    return [item.strip() for item in value]


def _whole(name: str, value: Any) -> int:
    least = 2 if name == "min_group_size" else 0
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**53:
        raise InputError(f"`{name}` must be a whole number from {least} to below 2^53: got another. Correct it.")
    return value
