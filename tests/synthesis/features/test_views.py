# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from monai_ethics.synthesis.features.views import View, standard_views

IMAGE = torch.arange(16.0 * 32).reshape(1, 1, 16, 32)


def test_flips_are_undone_by_themselves():
    for view in standard_views(2)[:3]:
        assert not torch.equal(view(IMAGE), IMAGE)
        assert torch.equal(view(view(IMAGE)), IMAGE)


def test_a_shift_repeats_the_edge():
    moved = View(shift=(0.0, 1 / 16))(IMAGE)
    assert torch.equal(moved[..., 2:], IMAGE[..., :-2])
    assert torch.equal(moved[..., :2], IMAGE[..., :1].expand(-1, -1, -1, 2))
    back = View(shift=(-1 / 16, 0.0))(IMAGE)
    assert torch.equal(back[:, :, :-1], IMAGE[:, :, 1:])


@pytest.mark.parametrize(("dims", "count"), [(2, 7), (3, 10)])
def test_the_standard_views_are_different_and_named(dims, count):
    views = standard_views(dims)
    image = torch.rand(1, 1, *[16] * dims)
    assert len({view.name for view in views}) == len(views) == count
    seen = [image, *(view(image) for view in views)]
    assert not any(torch.equal(seen[i], seen[j]) for i in range(len(seen)) for j in range(i))
    assert len(standard_views(dims, shift=0)) == dims + 1


def test_unusable_views_are_refused():
    with pytest.raises(ValueError, match="2 or 3 dimensions"):
        standard_views(4)
    with pytest.raises(ValueError, match="as many axes"):
        View(flip=(2,))(IMAGE)
    assert View().name == "as it is"
