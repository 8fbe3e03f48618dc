# SPDX-License-Identifier: Apache-2.0
"""Random mutations of marked files: each changes a copy in place and says of what kind it is."""

from __future__ import annotations

import json
import shutil
import struct
import zlib

import nibabel as nib
import numpy as np
import PIL.Image
import pydicom
from observed import KEYWORDS

SIDE = ".prov.json"


def sidecar(path):
    return path.with_name(path.name + SIDE)


def flip(data, rng, *, start=0, end=None):
    """One byte changed to another value."""
    raw = bytearray(data)
    place = int(rng.integers(start, end or len(raw)))
    raw[place] ^= int(rng.integers(1, 256))
    return bytes(raw)


# any format


def byte_of_file(path, rng, _):
    path.write_bytes(flip(path.read_bytes(), rng))


def byte_of_sidecar(path, rng, _):
    sidecar(path).write_bytes(flip(sidecar(path).read_bytes(), rng))


def truncation(path, rng, _):
    data = path.read_bytes()
    path.write_bytes(data[: int(rng.integers(1, len(data)))])


def bytes_behind_the_end(path, rng, _):
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 40))))


def sidecar_of_another(path, rng, others):
    shutil.copy(sidecar(others[int(rng.integers(len(others)))]), sidecar(path))


def sidecar_removed(path, rng, _):
    sidecar(path).unlink()


def sidecar_spaced(path, rng, _):
    sidecar(path).write_text(json.dumps(json.loads(sidecar(path).read_bytes()), indent=int(rng.integers(0, 5))))


def sidecar_field(path, rng, _):
    data = json.loads(sidecar(path).read_bytes())
    name = str(rng.choice(sorted(data)))
    how = int(rng.integers(4))
    if how == 0:
        del data[name]
    elif how == 1:
        data[f"{name}_{rng.integers(100)}"] = "more"
    elif how == 2 and isinstance(data[name], dict):
        inner = data[name]
        part = str(rng.choice(sorted(inner)))
        inner[part] = {"changed": int(rng.integers(1000))}
    else:
        data[name] = [None, "no", "yes ", 3, [], {}][int(rng.integers(6))]
    sidecar(path).write_text(json.dumps(data))


# NIfTI


def _store(path, array, image, affine=None):
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    nib.save(type(image)(array, image.affine if affine is None else affine, header), path)


def nifti_header_byte(path, rng, _):
    path.write_bytes(flip(path.read_bytes(), rng, end=348))


def nifti_extension_byte(path, rng, _):
    data = path.read_bytes()
    offset = int(struct.unpack_from("<f", data, 108)[0])
    path.write_bytes(flip(data, rng, start=352, end=offset))


def nifti_voxel(path, rng, _):
    image = nib.load(path)
    array = image.get_fdata().astype(np.int16)
    array[tuple(rng.integers(0, array.shape))] += int(rng.integers(1, 50))
    _store(path, array, image)


def nifti_affine(path, rng, _):
    image = nib.load(path)
    affine = image.affine.copy()
    affine[int(rng.integers(3)), int(rng.integers(4))] += float(rng.choice([-1, 1]) * rng.uniform(0.001, 0.4))
    _store(path, image.get_fdata().astype(np.int16), image, affine)


def nifti_type(path, rng, _):
    image = nib.load(path)
    _store(path, image.get_fdata().astype([np.float32, np.float64, np.int32][int(rng.integers(3))]), image)


def nifti_two(path, rng, _):
    image = nib.load(path)
    again = nib.Nifti2Image(
        image.get_fdata().astype(np.int16), image.affine, nib.Nifti2Header.from_header(image.header)
    )
    again.header.extensions[:] = image.header.extensions
    again.header["descrip"] = image.header["descrip"]
    nib.save(again, path)


def nifti_orientation(path, rng, _):
    image = nib.load(path)
    turned = image.as_reoriented(
        np.c_[rng.permutation(3), rng.choice([-1, 1], size=3)]  # the same image, stored along other axes
    )
    _store(path, np.asarray(turned.dataobj).astype(np.int16).copy(), turned)


def nifti_uncovered(path, rng, _):
    image = nib.load(path)
    name, value = [("intent_name", b"any"), ("aux_file", b"other"), ("cal_max", 7), ("toffset", 3), ("db_name", b"db")][
        int(rng.integers(5))
    ]
    image.header[name] = value
    _store(path, image.get_fdata().astype(np.int16), image)


def nifti_other_extension(path, rng, _):
    image = nib.load(path)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(44, rng.bytes(20)))
    _store(path, image.get_fdata().astype(np.int16), image)


def nifti_mark_removed(path, rng, _):
    image = nib.load(path)
    if rng.integers(2):
        image.header.extensions.clear()
    else:
        image.header["descrip"] = b""
    _store(path, image.get_fdata().astype(np.int16), image)


def nifti_mark_field(path, rng, _):
    image = nib.load(path)
    mark = json.loads(bytes(image.header.extensions[0].get_content()).rstrip(b"\0"))
    mark[str(rng.choice(["synthetic", "record", "voxel_v1"]))] = str(rng.choice(["no", "partial", "sha256:00", "x"]))
    image.header.extensions[:] = [nib.nifti1.Nifti1Extension(6, json.dumps(mark).encode())]
    _store(path, image.get_fdata().astype(np.int16), image)


# PNG


def _chunks(data):
    found, place = [], 8
    while place < len(data):
        (size,) = struct.unpack_from(">I", data, place)
        found.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    return found


def _write_chunks(path, chunks):
    parts = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def png_mark_byte(path, rng, _):
    """A byte of one of the marks, with the checksum made right."""
    chunks = _chunks(path.read_bytes())
    places = [i for i, (kind, _) in enumerate(chunks) if kind in (b"tEXt", b"iTXt")]
    at = places[int(rng.integers(len(places)))]
    chunks[at] = (chunks[at][0], flip(chunks[at][1], rng))
    _write_chunks(path, chunks)


def png_mark_removed(path, rng, _):
    gone = [b"tEXt", b"iTXt"][int(rng.integers(2))]
    _write_chunks(path, [chunk for chunk in _chunks(path.read_bytes()) if chunk[0] != gone])


def png_pixel(path, rng, _):
    chunks = _chunks(path.read_bytes())
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    with PIL.Image.open(path) as image:
        array = np.array(image)
    array[tuple(rng.integers(0, array.shape))] ^= int(rng.integers(1, 256))
    lines = b"".join(b"\0" + row.tobytes() for row in array)
    assert len(lines) == len(data)
    _write_chunks(path, _with_data(chunks, zlib.compress(lines)))


def _with_data(chunks, data):
    kept = [chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")]
    return [*kept, (b"IDAT", data), (b"IEND", b"")]


def png_compression(path, rng, _):
    chunks = _chunks(path.read_bytes())
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    _write_chunks(path, _with_data(chunks, zlib.compress(data, int(rng.integers(0, 10)))))


def png_other_chunk(path, rng, _):
    chunks = _chunks(path.read_bytes())
    extra = [(b"tEXt", b"Comment\0" + b"any"), (b"tIME", bytes((7, 234, 1, 2, 3, 4, 5))), (b"pHYs", bytes(9))]
    chunks.insert(1, extra[int(rng.integers(3))])
    _write_chunks(path, chunks)


# DICOM


def _dicom(path, change):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


NEW = {
    "SyntheticData": "NO",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
    "Modality": "MR",
    "RescaleSlope": "2",
    "RescaleIntercept": "5",
    "PixelSpacing": ["0.9", "0.7"],
    "SliceThickness": "9",
    "ImageOrientationPatient": [1, 0, 0, 0, 0, 1],
    "ImagePositionPatient": [1, 2, 3],
}


def dicom_flag_to_no(path, rng, _):
    _dicom(path, lambda dataset: setattr(dataset, "SyntheticData", "NO"))


def dicom_attribute(path, rng, _):
    name = str(rng.choice(KEYWORDS))
    _dicom(path, lambda dataset: setattr(dataset, name, NEW[name]))


def dicom_attribute_removed(path, rng, _):
    name = str(rng.choice(KEYWORDS))
    _dicom(path, lambda dataset: delattr(dataset, name))


def dicom_equipment(path, rng, _):
    how = int(rng.integers(4))

    def change(dataset):
        item = dataset.ContributingEquipmentSequence[-1]
        if how == 0:
            item.Manufacturer = "another"
        elif how == 1:
            item.SoftwareVersions = ["1", "me1:" + "0" * 60]
        elif how == 2:
            item.PurposeOfReferenceCodeSequence[0].CodeValue = "109101"
        else:
            del dataset.ContributingEquipmentSequence

    _dicom(path, change)


def dicom_pixel(path, rng, _):
    def change(dataset):
        dataset.PixelData = flip(dataset.PixelData, rng)

    _dicom(path, change)


def dicom_private(path, rng, _):
    element = int(rng.integers(1, 3))

    def change(dataset):
        block = dataset.private_block(0x0067, "MONAI_ETHICS 1.0")
        if rng.integers(3) == 0:
            del block[element]
            return
        value = block[element].value.rstrip()
        block[element].value = flip(value.encode(), rng).decode("latin-1").replace("\\", "/").replace("\0", "0")

    _dicom(path, change)


def dicom_transfer_syntax(path, rng, _):
    how = int(rng.integers(3))

    def change(dataset):
        if how == 0:
            dataset.compress(pydicom.uid.RLELossless)
        elif how == 1:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        else:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian

    dataset = pydicom.dcmread(path)
    change(dataset)
    implicit = how == 1
    dataset.save_as(path, implicit_vr=implicit, little_endian=True) if how else dataset.save_as(path)


def dicom_file_meta(path, rng, _):
    def change(dataset):
        dataset.file_meta.ImplementationVersionName = f"V{rng.integers(1000)}"
        dataset.file_meta.SourceApplicationEntityTitle = "ARCHIVE"

    _dicom(path, change)


def dicom_uncovered(path, rng, _):
    name, value = [
        ("StationName", "ROUTER"),
        ("InstanceNumber", "7"),
        ("WindowCenter", "40"),
        ("StudyDescription", "other"),
        ("SOPInstanceUID", "1.2.3.4"),
    ][int(rng.integers(5))]
    _dicom(path, lambda dataset: setattr(dataset, name, value))


def dicom_added_private(path, rng, _):
    def change(dataset):
        dataset.private_block(0x0009, "SOMEBODY", create=True).add_new(1, "LO", f"note {rng.integers(1000)}")

    _dicom(path, change)


def dicom_added_equipment(path, rng, _):
    def change(dataset):
        item = pydicom.Dataset()
        item.Manufacturer = "router"
        dataset.ContributingEquipmentSequence.append(item)

    _dicom(path, change)


EVERY = (byte_of_file, byte_of_sidecar, truncation, sidecar_of_another, sidecar_removed, sidecar_spaced, sidecar_field)
OF = {
    "nii": (
        nifti_header_byte,
        nifti_extension_byte,
        nifti_voxel,
        nifti_affine,
        nifti_type,
        nifti_two,
        nifti_orientation,
        nifti_uncovered,
        nifti_other_extension,
        nifti_mark_removed,
        nifti_mark_field,
        bytes_behind_the_end,
    ),
    "nii.gz": (nifti_voxel, nifti_affine, nifti_type, nifti_uncovered, nifti_mark_field),
    "png": (png_mark_byte, png_mark_removed, png_pixel, png_compression, png_other_chunk, bytes_behind_the_end),
    "dcm": (
        dicom_flag_to_no,
        dicom_attribute,
        dicom_attribute_removed,
        dicom_equipment,
        dicom_pixel,
        dicom_private,
        dicom_transfer_syntax,
        dicom_file_meta,
        dicom_uncovered,
        dicom_added_private,
        dicom_added_equipment,
    ),
}
