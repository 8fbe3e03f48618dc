# SPDX-License-Identifier: Apache-2.0
"""Marks of files on their way through MONAI's readers and writers: lost by MONAI's own, kept by ours."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import monai.data
import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import (
    CacheDataset,
    DataLoader,
    Dataset,
    ITKReader,
    MetaTensor,
    NibabelReader,
    PILReader,
    PydicomReader,
    ThreadDataLoader,
    decollate_batch,
    image_writer,
)
from monai.data import utils as data_utils
from monai.transforms import Compose, EnsureChannelFirstd, LoadImage, LoadImaged, SaveImage, SaveImaged
from PIL import Image

from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.marks.peek import peek_all, peek_marks
from monai_ethics.provenance.marks.sidecar import read_sidecar, sidecar_path
from monai_ethics.provenance.registry.stamp import stamp_file
from monai_ethics.transforms import (
    MarkedITKReader,
    MarkedNibabelReader,
    MarkedPILReader,
    MarkedPydicomReader,
    MarkedReader,
    MarkedWriter,
    ReadMarksd,
    Written,
    keep_marks,
    marked_list_data_collate,
    register_marked_writers,
)
from monai_ethics.transforms.writers import mark_written

pytestmark = pytest.mark.filterwarnings("ignore")  # ITK crashes where a warning of its modules becomes an error
RNG = np.random.default_rng(0)
STOCK_READERS = {"Nibabel": NibabelReader, "ITK": ITKReader, "Pydicom": PydicomReader, "PIL": PILReader}
OURS = {"Nibabel": MarkedNibabelReader, "ITK": MarkedITKReader, "Pydicom": MarkedPydicomReader, "PIL": MarkedPILReader}


@pytest.fixture(autouse=True)
def _as_it_was():
    """Whatever a test does, MONAI is MONAI's own afterwards."""
    before = (LoadImage.__call__, monai.data.ITKWriter, MetaTensor.update_meta, data_utils.collate_meta_tensor_fn)
    yield
    after = (LoadImage.__call__, monai.data.ITKWriter, MetaTensor.update_meta, data_utils.collate_meta_tensor_fn)
    assert after == before
    assert "__setitem__" not in vars(MetaTensor)
    assert not any(issubclass(one, MarkedWriter) for of in image_writer.SUPPORTED_WRITERS.values() for one in of)


def nifti(path, shape=(6, 5, 4)):
    nib.save(nib.Nifti1Image(RNG.random(shape).astype(np.float32), np.diag([2, 2, 3, 1])), path)
    return path


def png(path):
    Image.fromarray(RNG.integers(0, 255, (12, 10), dtype=np.uint8)).save(path)
    return path


def synthetic(path):
    """Mark a file by its header where it can be, and take the sidecar away, so that only the file speaks."""
    layers = stamp_file(path)
    assert "header" in layers
    sidecar_path(path).unlink()
    return path


def by_sidecar(path):
    """Mark a file by its sidecar alone."""
    stamp_file(path, header=False)
    return path


def flag(path):
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x0008001C, "CS", "YES")
    dataset.save_as(path)


@pytest.fixture
def files(tmp_path, series):
    """One real and one synthetic file of each kind that a reader reads."""
    dicom = Path(series[0])
    flag(series[1])
    return {
        "nii.gz": (nifti(tmp_path / "r.nii.gz"), synthetic(nifti(tmp_path / "s.nii.gz"))),
        "nii": (nifti(tmp_path / "r.nii"), synthetic(nifti(tmp_path / "s.nii"))),
        "png": (png(tmp_path / "r.png"), synthetic(png(tmp_path / "s.png"))),
        "dcm": (dicom, Path(series[1])),
        "nrrd": (itk_copy(tmp_path / "r.nrrd"), by_sidecar_of_any(itk_copy(tmp_path / "s.nrrd"))),
        "mha": (itk_copy(tmp_path / "r.mha"), by_sidecar_of_any(itk_copy(tmp_path / "s.mha"))),
    }


def itk_copy(path):
    import itk

    itk.imwrite(itk.GetImageFromArray(RNG.random((4, 5, 6)).astype(np.float32)), str(path))
    return path


def by_sidecar_of_any(path):
    mark_written(path, "yes", ())
    return path


READS = [
    *(("Nibabel", kind) for kind in ("nii.gz", "nii")),
    *(("ITK", kind) for kind in ("nii.gz", "nii", "png", "dcm", "nrrd", "mha")),
    ("Pydicom", "dcm"),
    ("PIL", "png"),
]
WRITES = [
    *(("NibabelWriter", kind) for kind in ("nii.gz", "nii")),
    *(("ITKWriter", kind) for kind in ("nii.gz", "nii", "nrrd", "mha", "dcm", "png")),
    ("PILWriter", "png"),
    *((None, kind) for kind in ("nii.gz", "nii", "nrrd", "mha", "dcm", "png", "jpg", "tif")),
]


def flat(image, kind):
    """A 2D image of small whole numbers for formats of pictures."""
    if kind not in ("png", "dcm", "jpg", "tif"):
        return image
    plane = image[..., 0] if image.ndim == 4 else image
    return (plane / plane.max() * 200).round()


def save(image, folder, writer, kind):
    saver = SaveImage(output_dir=folder, output_ext=f".{kind}", writer=writer, print_log=False, separate_folder=False)
    if kind in ("png", "dcm", "jpg", "tif"):
        saver.set_options(init_kwargs={"output_dtype": np.uint8, "scale": None})
    saver(flat(image, kind))
    return next(path for path in sorted(folder.iterdir()) if path.name.endswith(f".{kind}"))


def show(rows):
    """A line for each reader and source, a column for each writer and ending."""
    targets = list(dict.fromkeys((writer, kind) for _, _, writer, kind, _, _ in rows))
    found = {row[:4]: row[5].replace("file", "F").replace("sidecar", "S").replace(" ", "") for row in rows}
    print(f"\nmark of a synthetic file after LoadImage and SaveImage, n = {len(rows)} pairs; MONAI alone: lost in all")
    print(f"| with keep_marks | {' | '.join(f'{w} {k}' for w, k in targets)} |\n|{' --- |' * (len(targets) + 1)}")
    for reader, source in READS:
        cells = " | ".join(found[reader, source, *target] for target in targets)
        print(f"| {reader} of {source} | {cells} |")


def carried(path):
    """Layers that say of a file that it is synthetic."""
    sidecar, alone = sidecar_path(path), path.with_name(f"alone_{path.name}")
    shutil.copy(path, alone)
    in_file = "file" if peek_marks(alone).synthetic == "yes" else ""
    alone.unlink()
    beside = "sidecar" if sidecar.exists() and json.loads(sidecar.read_text())["synthetic"] == "yes" else ""
    return " + ".join(word for word in (in_file, beside) if word) or "lost"


@pytest.mark.slow
def test_every_pair_of_reader_and_writer_loses_the_mark_without_us_and_keeps_it_with_us(files, tmp_path):
    rows = []
    for reader, source in READS:
        for writer, kind in WRITES:
            told = {}
            for which in ("stock", "ours"):
                for nature, path in zip(("real", "made"), files[source], strict=True):
                    folder = tmp_path / f"{which}_{nature}_{reader}_{source}_{writer}_{kind}"
                    folder.mkdir()
                    if which == "stock":
                        image = LoadImage(reader=STOCK_READERS[reader](), ensure_channel_first=True)(path)
                        told[which, nature] = save(image, folder, writer, kind)
                    else:
                        with keep_marks():
                            image = LoadImage(reader=STOCK_READERS[reader](), ensure_channel_first=True)(path)
                            told[which, nature] = save(image, folder, writer, kind)
            assert carried(told["stock", "made"]) == "lost"
            assert carried(told["ours", "real"]) == "lost"
            same = told["stock", "real"].read_bytes() == told["ours", "real"].read_bytes()
            assert same or kind == "dcm"  # DICOM files hold UIDs of their own
            rows.append((reader, source, writer or "default", kind, "lost", carried(told["ours", "made"])))
    show(rows)
    assert all("sidecar" in row[-1] for row in rows)
    assert all("file" in row[-1] for row in rows if row[3] in ("nii.gz", "nii", "png", "jpg", "dcm"))


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "kind"), READS)
def test_our_readers_bring_the_marks_into_the_meta(files, reader, kind):
    real, made = files[kind]
    stock = LoadImage(reader=STOCK_READERS[reader]())
    ours = LoadImage(reader=OURS[reader]())
    assert "synthetic" not in stock(made).meta
    assert (ours(real).meta["synthetic"], ours(made).meta["synthetic"]) == ("unknown", "yes")
    assert torch.equal(stock(real), ours(real))
    assert isinstance(ours(made).meta["record"], str)


@pytest.mark.slow
def test_a_config_names_our_reader_and_loads_on_many_threads(tmp_path):
    paths = [nifti(tmp_path / f"{i}.nii.gz") for i in range(12)]
    for path in paths[::3]:
        synthetic(path)
    load = LoadImaged("image", reader="monai_ethics.transforms.MarkedNibabelReader", image_only=True)
    data = CacheDataset([{"image": str(path)} for path in paths], load, num_workers=4, progress=False)
    assert [item["image"].meta["synthetic"] for item in data] == ["yes", "unknown", "unknown"] * 4
    loader = ThreadDataLoader(
        Dataset(data.data, load), batch_size=4, num_workers=0, collate_fn=marked_list_data_collate
    )
    assert [state for batch in loader for state in batch["image"].meta["synthetic"]] == [
        "yes",
        "unknown",
        "unknown",
    ] * 4


@pytest.mark.slow
def test_channels_and_series_count_every_file(tmp_path, series):
    real, made = nifti(tmp_path / "r.nii.gz"), synthetic(nifti(tmp_path / "s.nii.gz"))
    loaded = LoadImage(reader=MarkedNibabelReader())([real, made])
    assert (loaded.shape[0], loaded.meta["synthetic"]) == (2, "partial")
    uids = pydicom.uid.generate_uid(), pydicom.uid.generate_uid()
    for place, path in enumerate(series):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber, dataset.ImagePositionPatient = place + 1, [0, 0, place]
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids
        dataset.save_as(path)
    flag(series[2])
    assert peek_all([Path(series[0]).parent]).synthetic == "partial"
    with keep_marks():
        folder = LoadImage(reader=PydicomReader())(Path(series[2]).parent)
    assert folder.meta["synthetic"] == "partial"
    for path in series:
        flag(path)
    for reader in (MarkedPydicomReader(), MarkedITKReader()):
        assert LoadImage(reader=reader)(Path(series[0]).parent).meta["synthetic"] == "yes"


def test_read_marks_after_loading(tmp_path):
    real, made = nifti(tmp_path / "r.nii.gz"), by_sidecar(nifti(tmp_path / "s.nii.gz"))
    load = Compose([LoadImaged(["image", "label"]), ReadMarksd(["image", "label"])])
    item = load({"image": made, "label": real})
    assert [item[key].meta["synthetic"] for key in ("image", "label")] == ["yes", "unknown"]
    assert item["image"].meta["record"].startswith("sha256:")
    own = ReadMarksd("image")({"image": MetaTensor(torch.ones(1), meta={"synthetic": "partial"})})
    assert own["image"].meta["synthetic"] == "partial"
    assert ReadMarksd("image")({"image": torch.ones(1)})["image"].meta["synthetic"] == "unknown"
    assert ReadMarksd("image", allow_missing_keys=True)({}) == {}


def test_what_a_file_says_is_remembered_until_it_changes(tmp_path):
    path = nifti(tmp_path / "a.nii.gz")
    assert peek_marks(path).synthetic is None
    stamp_file(path, header=False)
    assert peek_marks(path).synthetic == "yes"
    sidecar_path(path).unlink()
    assert peek_marks(path).synthetic is None
    assert peek_all([tmp_path / "none.nii", ""]).synthetic == "unknown"
    (tmp_path / "bad.nii").write_bytes(b"x")
    (tmp_path / "bad.nii.prov.json").write_bytes(b"{")
    assert peek_marks(tmp_path / "bad.nii").synthetic is None


def test_everything_derived_is_marked_with_its_parent_and_real_items_of_the_batch_are_not(tmp_path):
    made = nifti(tmp_path / "s.nii.gz")
    stamp_file(made)
    parent = read_sidecar(made)["record"]["id"]
    items = [{"image": str(made)}, {"image": str(nifti(tmp_path / "r.nii.gz"))}]
    told = []
    with keep_marks(Written(template={"type": "inference", "limits": ["a test"]}, told=told.append)):
        data = Dataset(items, Compose([LoadImaged("image"), EnsureChannelFirstd("image")]))
        saver = SaveImaged("pred", output_dir=tmp_path / "out", output_postfix="seg", print_log=False)
        for batch in DataLoader(data, batch_size=2):
            batch["pred"] = (torch.nn.Conv3d(1, 1, 1)(batch["image"]) > 0.1).float()
            for item in decollate_batch(batch):
                saver(item)
    pred, other = tmp_path / "out" / "s" / "s_seg.nii.gz", tmp_path / "out" / "r" / "r_seg.nii.gz"
    assert told == [pred]
    record = read_sidecar(pred)["record"]
    assert record["parents"] == [{"id": parent, "role": "source image"}]
    assert (record["type"], record["synthetic"], record["limits"]) == ("inference", "yes", ["a test"])
    assert (peek_marks(pred).synthetic, peek_marks(other).synthetic) == ("yes", None)
    with keep_marks():  # what derives from what was derived
        SaveImage(output_dir=tmp_path / "next", print_log=False)(LoadImage(ensure_channel_first=True)(pred))
    last = tmp_path / "next" / "s_seg" / "s_seg_trans.nii.gz"
    assert read_sidecar(last)["record"]["parents"] == [{"id": record["id"], "role": "source image"}]


def test_the_file_named_in_the_meta_is_asked_where_the_meta_says_nothing(tmp_path):
    made = synthetic(nifti(tmp_path / "s.nii.gz"))
    image = LoadImage(ensure_channel_first=True)(made)
    assert "synthetic" not in image.meta
    with register_marked_writers():
        SaveImage(output_dir=tmp_path, separate_folder=False, print_log=False)(image)
    assert peek_marks(tmp_path / "s_trans.nii.gz").synthetic == "yes"
    saver = SaveImage(output_dir=tmp_path, output_postfix="later", separate_folder=False, print_log=False)
    saver(image)
    assert peek_marks(tmp_path / "s_later.nii.gz").synthetic is None


def test_a_partly_synthetic_image_is_partial_and_a_denial_in_memory_does_not_hide_the_file(tmp_path):
    made = synthetic(nifti(tmp_path / "s.nii.gz"))
    with keep_marks():
        save = SaveImage(output_dir=tmp_path, separate_folder=False, print_log=False, output_ext=".nii")
        save(MetaTensor(torch.rand(1, 4, 4, 4), meta={"synthetic": "partial", "filename_or_obj": "mix.nii"}))
        save(MetaTensor(torch.rand(1, 4, 4, 4), meta={"synthetic": "no", "filename_or_obj": str(made)}))
        save(MetaTensor(torch.rand(1, 4, 4, 4), meta={"synthetic": "no", "filename_or_obj": "real.nii"}))
    states = [peek_marks(tmp_path / f"{name}_trans.nii").synthetic for name in ("mix", "s", "real")]
    assert states == ["partial", "yes", None]


def test_sidecars_are_signed_with_the_key_that_is_given(tmp_path):
    made = synthetic(nifti(tmp_path / "s.nii.gz"))
    key = SigningKey.generate()
    with keep_marks(Written(key=lambda: key)):
        SaveImage(output_dir=tmp_path, separate_folder=False, print_log=False)(LoadImage()(made)[None])
    assert read_sidecar(tmp_path / "s_trans.nii.gz")["statement"]["signatures"]


def test_writers_of_others_keep_their_place_and_mark_through_the_mixin(tmp_path):
    class Mine(image_writer.NibabelWriter):
        """A writer that a bundle brings along."""

    class Marked(MarkedWriter, Mine):
        """The same with marks."""

    made = synthetic(nifti(tmp_path / "s.nii.gz"))
    image_writer.register_writer("nii", Mine)
    try:
        with keep_marks():
            assert image_writer.resolve_writer("nii")[0] is Mine
            assert image_writer.resolve_writer("nii")[1].__name__ == "MarkedNibabelWriter"
            image = LoadImage(ensure_channel_first=True)(made)
            SaveImage(output_dir=tmp_path, separate_folder=False, print_log=False, writer=Marked)(image)
    finally:
        image_writer.SUPPORTED_WRITERS["nii"] = image_writer.SUPPORTED_WRITERS["nii"][1:]
    assert peek_marks(tmp_path / "s_trans.nii.gz").synthetic == "yes"


def test_a_reader_of_ones_own_gets_the_marks_through_the_mixin(tmp_path):
    class Mine(NibabelReader):
        """A reader that a bundle brings along."""

    class Marked(MarkedReader, Mine):
        """The same with marks."""

    assert LoadImage(reader=Marked())(synthetic(nifti(tmp_path / "s.nii.gz"))).meta["synthetic"] == "yes"


def test_blocks_nest_and_an_error_takes_everything_back(tmp_path):
    with keep_marks():
        with pytest.raises(FileNotFoundError), keep_marks():
            LoadImage()(tmp_path / "none.nii")
        assert LoadImage(image_only=False)(nifti(tmp_path / "a.nii"))[1]["synthetic"] == "unknown"


@pytest.mark.slow
def test_workers_that_are_forked_keep_marks(tmp_path):
    items = [{"image": str(synthetic(nifti(tmp_path / "s.nii.gz")))}, {"image": str(nifti(tmp_path / "r.nii.gz"))}]
    with keep_marks(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = DataLoader(Dataset(items, LoadImaged("image")), batch_size=2, num_workers=1)
        assert next(iter(loader))["image"].meta["synthetic"] == ["yes", "unknown"]
