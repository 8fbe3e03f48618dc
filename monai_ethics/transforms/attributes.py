# SPDX-License-Identifier: Apache-2.0
"""`GroupAttributesd`: attributes of a case as text in its item, before a batch is made, so that none is lost in it."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes import clean_label
from monai_ethics.transforms.recorded import is_tag, label_text, look_up

__all__ = ["GroupAttributesD", "GroupAttributesDict", "GroupAttributesd"]

FILE_KEY = "filename_or_obj"


class GroupAttributesd(MapTransform):
    """Write attributes of each case into its item, as text, and a text where nothing is recorded.

    When items become a batch, MONAI and torch drop a meta key that one item lacks for all items of the batch, and end
    with an error on a key of only some items, on a batch of nothing but ``None``, and on lists of unequal length. Texts
    that every item has survive. Put this behind the transform that loads the images. An attribute is looked for, in
    this order, in the item's own keys, in the meta of the images, among their DICOM elements, and in the table.
    Nothing is ever inferred from pixels.

    Args:
        keys: images whose meta may hold attributes.
        attributes: names to write; or a mapping from the name to write to the name, or names in order, to look for.
            Item keys, meta keys, DICOM keywords (``PatientSex``) and tags (``0010,0040``) are understood. Give a new
            name where a network reads the item's own number.
        missing: text where nothing is recorded. The empty text is a group "not recorded" in evidence.
        maps: attribute to a mapping of labels, compared without regard to case: ``{"sex": {"male": "M"}}``. Labels that
            are not listed stay as they are; nothing else changes case.
        table: file with a row per case or patient, joined to the file names as evidence does; used where the item
            has nothing.
        prune: whether the DICOM elements are then taken out of the images' meta, as `PydicomReader` does by itself
            unless ``prune_metadata=False``: elements of unequal length cannot be put into a batch.
        allow_missing_keys: whether an item may lack an image.

    Raises:
        InputError: if no attribute is named.

    Example:
        >>> GroupAttributesd(keys="image", attributes={"sex": "PatientSex"})({"image": 0, "PatientSex": "F "})["sex"]
        'F'
    """

    def __init__(
        self,
        keys: Hashable | Sequence[Hashable],
        attributes: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        *,
        missing: str = "",
        maps: Mapping[str, Mapping[str, str]] | None = None,
        table: str | os.PathLike[str] | None = None,
        prune: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        names = [attributes] if isinstance(attributes, str) else attributes
        pairs = names.items() if isinstance(names, Mapping) else ((name, name) for name in names)
        self.sources = {name: (of,) if isinstance(of, str) else tuple(of) for name, of in pairs}
        if not self.sources:
            raise InputError("`attributes` must name at least one attribute: got none. Name what is recorded.")
        self.missing = missing
        self.prune = prune
        self.maps = {a: {k.casefold(): v for k, v in labels.items()} for a, labels in (maps or {}).items()}
        self.table = None if table is None else os.fspath(table)
        self._side: Any = None
        self._rows: dict[str, int | None] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with one more text for each attribute; `data` is not changed."""
        item: dict[Any, Any] = dict(data)
        metas = [_meta_of(item, key) for key in self.key_iterator(item)]
        for name, sources in self.sources.items():
            text = next((t for t in (self._recorded(data, metas, of) for of in sources) if t is not None), None)
            if text is None and self.table is not None:
                text = self._from_table(metas, (name, *sources))
            item[name] = self.missing if text is None else self.maps.get(name, {}).get(text.casefold(), text)
        if self.prune:
            for key in self.key_iterator(item):
                _prune(item, key)
        return item

    def _recorded(self, item: Mapping[Any, Any], metas: Sequence[Mapping[str, Any]], name: str) -> str | None:
        for meta in metas or [{}]:
            text = clean_label(label_text(look_up(item, meta, name)))
            if text is not None:
                return text
        return None

    def _from_table(self, metas: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
        from monai_ethics.fairness.attributes import match_rows, read_side_table

        case = next((str(meta[FILE_KEY]).replace("\\", "/") for meta in metas if meta.get(FILE_KEY)), None)
        if case is None:
            return None
        if self._side is None:
            self._side = read_side_table(str(self.table))
        if case not in self._rows:
            self._rows[case] = match_rows(self._side, [case], [case])[0]
        row = self._rows[case]
        column = next((self._side.columns[name] for name in names if name in self._side.columns), None)
        return None if row is None or column is None else clean_label(column[row])


def _meta_of(item: Mapping[Any, Any], key: Hashable) -> Mapping[str, Any]:
    meta = getattr(item[key], "meta", None) if isinstance(item[key], torch.Tensor) else None
    found = meta if isinstance(meta, Mapping) else item.get(f"{key}_meta_dict")
    return found if isinstance(found, Mapping) else {}


def _prune(item: dict[Any, Any], key: Hashable) -> None:
    """Put a copy of the image in its place whose meta has no DICOM elements; the pixels are shared."""
    kept = {name: value for name, value in _meta_of(item, key).items() if not is_tag(name)}
    image = item[key]
    if isinstance(image, MetaTensor):
        item[key] = MetaTensor(image.as_tensor(), meta=kept, applied_operations=image.applied_operations)
    elif f"{key}_meta_dict" in item:
        item[f"{key}_meta_dict"] = kept


GroupAttributesD = GroupAttributesDict = GroupAttributesd
