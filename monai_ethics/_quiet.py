# SPDX-License-Identifier: Apache-2.0
"""DICOM read without a word of the reader: its warnings repeat the values of tags, such as names."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_dicom"]


def _refuse(record: logging.LogRecord) -> bool:
    return False


@contextmanager
def quiet_dicom() -> Iterator[None]:
    """Neither warnings nor the log records of pydicom; also a decorator, as ``@quiet_dicom()``."""
    log = logging.getLogger("pydicom")
    log.addFilter(_refuse)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeFilter(_refuse)
