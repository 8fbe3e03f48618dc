# SPDX-License-Identifier: Apache-2.0
"""What `keep_marks` puts in the place of MONAI's own goes when the last block ends, however it ends."""

import threading
import time

import monai.data
import pytest
from monai.data import MetaTensor, image_writer
from monai.data import utils as data_utils
from monai.transforms import LoadImage
from torch.utils.data._utils.collate import default_collate_fn_map

from monai_ethics.transforms import keep_marks, keeping

pytestmark = pytest.mark.filterwarnings("ignore")  # ITK crashes where a warning of its modules becomes an error


def in_place():
    """Everything that a block replaces, as it is now."""
    return (
        LoadImage.__call__,
        data_utils.collate_meta_tensor_fn,
        default_collate_fn_map.get(MetaTensor),
        vars(MetaTensor)["update_meta"],
        MetaTensor.__setitem__,
        [getattr(module, f"{name}Writer") for module in (monai.data, image_writer) for name in ("Nibabel", "ITK")],
        dict(image_writer.SUPPORTED_WRITERS),
    )


def test_everything_is_as_it_was_after_a_block_that_failed():
    image_writer.init()
    before = in_place()
    with pytest.raises(FileNotFoundError), keep_marks():
        LoadImage()("none.nii")
    assert in_place() == before


def test_what_cannot_be_put_in_place_leaves_nothing_behind(monkeypatch):
    image_writer.init()
    before = in_place()
    monkeypatch.setattr(keeping, "_updating", None)
    with pytest.raises(TypeError), keep_marks():
        pass
    assert in_place() == before


def test_blocks_of_several_threads_overlap_and_the_last_one_takes_everything_back(monkeypatch):
    image_writer.init()
    before, inside = in_place(), []
    put = keeping._put_in_place

    def slowly():
        time.sleep(0.02)  # where two threads would both find that nothing is in place yet
        return put()

    def block():
        with keep_marks():
            time.sleep(0.01)
            inside.append(MetaTensor.__setitem__ is not before[4])

    monkeypatch.setattr(keeping, "_put_in_place", slowly)
    threads = [threading.Thread(target=block) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [True] * 8
    assert in_place() == before
