# SPDX-License-Identifier: Apache-2.0
"""What every table of cases can do: choose rows, take groups and patients, and travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Self

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import FrozenDict

__all__ = ["CaseTable"]


class CaseTable:
    """Base of frozen dataclasses with the fields `cases`, `patients` and `groups`, and columns of their own."""

    __slots__ = ()
    #: names of the fields with an entry per case, `groups` apart; an empty one stays empty
    COLUMNS: ClassVar[tuple[str, ...]] = ("cases", "patients")

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    groups: Mapping[str, tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.cases)

    def _check_cases(self) -> None:
        """Refuse repeated cases, and names and labels of groups that are no text.

        Raises:
            InputError: if there are any.
        """
        if not all(isinstance(name, str) for name in (*self.cases, *self.patients)):
            raise InputError("Names of cases and patients must be text: got another type. Convert them with str().")
        if repeated := len(self.cases) - len(set(self.cases)):
            raise InputError(f"Cases must be unique: got {repeated} repeated keys. Give each case a key of its own.")
        if any(label is not None and not isinstance(label, str) for c in self.groups.values() for label in c):
            raise InputError("Group labels must be text or None: got another type. Convert them with str().")

    @property
    def patients_named(self) -> bool:
        """Whether any case has a patient that is not just the case itself; otherwise each case counts as a patient."""
        return self.patients != self.cases

    def _with(self, **changes: Any) -> Self:
        changed: Self = replace(self, **changes)  # type: ignore[type-var]
        return changed

    def reordered(self, order: Sequence[int]) -> Self:
        """The rows at the positions of `order`, which may also leave rows out."""
        columns = {name: _take(getattr(self, name), order) for name in self.COLUMNS}
        return self._with(groups={name: _take(labels, order) for name, labels in self.groups.items()}, **columns)

    def with_groups(self, groups: Mapping[str, Sequence[str | None]]) -> Self:
        """The same cases with these attributes added; an attribute of the same name is replaced."""
        return self._with(groups={**self.groups, **{name: tuple(labels) for name, labels in groups.items()}})

    def without_groups(self) -> Self:
        """The same cases without any attribute."""
        return self._with(groups=FrozenDict())

    def with_patients(self, patients: Sequence[str]) -> Self:
        """The same cases with another patient of each."""
        return self._with(patients=tuple(patients))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON with every field present."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            SchemaError: if a field is missing, unknown or of a wrong type.
        """
        names = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        if not isinstance(data, Mapping) or set(data) != names:
            raise SchemaError(
                "Stored scores must have exactly the fields of this version: some are missing or unknown. "
                "Read them with the version of monai_ethics that wrote them."
            )
        try:
            return cls(**data)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise SchemaError("Stored scores must be a table of this package: got something else.") from error


def _take(column: Sequence[Any], order: Sequence[int]) -> tuple[Any, ...]:
    return tuple(column[i] for i in order) if column else ()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value] if value and isinstance(value[0], tuple) else list(value)
    return {name: list(labels) for name, labels in value.items()} if isinstance(value, Mapping) else value
