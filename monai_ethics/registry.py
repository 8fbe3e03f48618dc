# SPDX-License-Identifier: Apache-2.0
"""How a check is found: through the entry-point group `monai_ethics.checks`, ours and third parties' alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol, TypedDict, runtime_checkable

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding, Stage

__all__ = ["GROUP", "Asks", "Check", "Question", "load_check", "question_of", "registered"]

GROUP = "monai_ethics.checks"


class Asks(Protocol):
    """What has a question to answer.

    Class attributes:
        id: ``<concern>.<module>``, which is also its file, test and page.
        title: the question it answers, in plain words.
        stage: lifecycle stage.
        requirements: ids of the requirements it answers.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    stage: ClassVar[Stage]
    requirements: ClassVar[tuple[str, ...]]


@runtime_checkable
class Check(Asks, Protocol):
    """A frozen dataclass whose fields are its JSON-able parameters and whose call is a pure function."""

    def __call__(self, data: Any, /) -> Finding:
        """Judge or measure `data`, whose type the check's docstring names."""
        ...

    @staticmethod
    def example(n: int, seed: int) -> Any:
        """Input of `n` cases of the kind this check reads, with ``reordered(order)``: used to test the check."""
        ...


class Question(TypedDict):
    """What each finding of a check repeats."""

    check: str
    title: str
    stage: Stage
    requirements: tuple[str, ...]


def question_of(check: Asks) -> Question:
    """The fields of a `Finding` that are the same in all of a check's, as ``Finding(**question_of(self), ...)``."""
    return {"check": check.id, "title": check.title, "stage": check.stage, "requirements": check.requirements}


def registered() -> Mapping[str, EntryPoint]:
    """Entry points of every installed check by id, unloaded and sorted."""
    found = entry_points(group=GROUP)
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def load_check(check_id: str) -> type[Check]:
    """Import one check by its id.

    Raises:
        InputError: if no installed package provides it.
    """
    points = registered()
    if check_id not in points:
        raise InputError(f"Expected the id of an installed check: got an unknown one. Known: {', '.join(points)}.")
    check: type[Check] = points[check_id].load()
    return check
