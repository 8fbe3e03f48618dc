# SPDX-License-Identifier: Apache-2.0
"""Strict, immutable JSON: what every evidence object is made of (ring 0, standard library only)."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self

from monai_ethics.errors import InputError, SchemaError

__all__ = ["SCHEMA_VERSION", "FrozenDict", "Serializable", "normalize", "plain"]

SCHEMA_VERSION = "1"


class FrozenDict(dict[str, Any]):
    """A JSON object that cannot be changed after it was made."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("Evidence cannot be changed after it was made: build a new object.")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def plain(value: Any) -> Any:
    """Convert to immutable strict JSON: the one place where numpy and torch scalars become Python numbers.

    Args:
        value: ``None``, a bool, number, string, sequence or string-keyed mapping, nested at will.

    Returns:
        The same value made of ``None``, bool, int, float, str, tuple and `FrozenDict`.

    Raises:
        InputError: if a number is NaN or infinite, a key is no string, or a type has no JSON form.
    """
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InputError("Keys of evidence must be strings: got another type. Convert them with str().")
        return FrozenDict({str(key): plain(value[key]) for key in sorted(value)})
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return tuple(plain(item) for item in value)
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # numpy and torch scalars
        return plain(value.item())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise InputError("Numbers of evidence must be finite: got NaN or infinity. Use None and state the reason.")
        return float(value) + 0.0  # -0.0 becomes 0.0
    raise InputError(
        f"Evidence must be JSON: got a {type(value).__name__}. Convert it to numbers, text, lists or dicts."
    )


def normalize(instance: Any) -> None:
    for item in fields(instance):
        value = getattr(instance, item.name)
        if not (hasattr(value, "to_dict") or (isinstance(value, tuple) and value and hasattr(value[0], "to_dict"))):
            object.__setattr__(instance, item.name, value if isinstance(value, StrEnum) else plain(value))


class Serializable:
    """Dataclass to and from plain JSON, with every field present and none unknown."""

    __slots__ = ()
    #: fields that came later and that older entries of this schema version lack
    ADDED: ClassVar[frozenset[str]] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        return {item.name: _encode(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        names = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        if not isinstance(data, Mapping) or not names - cls.ADDED <= set(data) <= names:
            raise SchemaError(
                f"A stored {cls.__name__} must have exactly the fields of schema version {SCHEMA_VERSION}: "
                "some are missing or unknown. Read it with the version of monai_ethics that wrote it."
            )
        decoded = {key: cls._decode(key, value) for key, value in data.items()}
        for item in fields(cls):  # type: ignore[arg-type]
            if item.name in decoded and not _fits(decoded[item.name], str(item.type)):
                raise SchemaError(
                    f"A stored {cls.__name__} must have values of the types of schema version {SCHEMA_VERSION}: got "
                    "others. Read it with the version of monai_ethics that wrote it."
                )
        return cls(**decoded)

    @classmethod
    def _decode(cls, _key: str, value: Any) -> Any:
        return value


def _fits(value: Any, wanted: str) -> bool:
    """Whether a value is of an annotated type, as far as JSON knows it: others are decoded by classes of their own."""
    if wanted.endswith(" | None"):
        return value is None or _fits(value, wanted.removesuffix(" | None"))
    if wanted.startswith("Sequence["):
        inner = wanted[len("Sequence[") : -1]
        return isinstance(value, (list, tuple)) and all(_fits(item, inner) for item in value)
    if wanted.startswith("Mapping[str, "):
        inner = wanted[len("Mapping[str, ") : -1]
        return isinstance(value, Mapping) and all(_fits(item, inner) for item in value.values())
    types: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}
    known = types.get(wanted)
    return known is None or (isinstance(value, known) and (wanted == "bool" or not isinstance(value, bool)))


def _encode(value: Any) -> Any:
    if isinstance(value, Serializable):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value
