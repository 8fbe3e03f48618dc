# SPDX-License-Identifier: Apache-2.0
"""The XMP packet of a marked picture: the IPTC digital source type, and our own mark beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from monai_ethics.provenance.images.picture_marks import IPTC, OURS
from monai_ethics.provenance.marks.statement import source_type

__all__ = ["packet_with"]

_BLOCK = re.compile(rb'\n?<rdf:Description rdf:about="" xmlns:me="' + re.escape(OURS.encode()) + rb'"[^<>]*/>')
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet_with(mark: Mapping[str, str | None], old: bytes | None) -> bytes | None:
    """A packet that holds the mark, and what an earlier packet held.

    Args:
        mark: as `marks.statement.mark_of` makes it.
        old: the packet that the picture has, if any.

    Returns:
        The packet; ``None`` where the earlier one states a digital source type of its own or has another form, so
        that nothing can be added without a second value for one property.
    """
    said = {f"me:{name}": mark[name] for name in ("synthetic", "record", "voxel_v1") if mark.get(name)}
    said["Iptc4xmpExt:DigitalSourceType"] = source_type(mark["synthetic"])
    properties = " ".join(f"{name}={quoteattr(value)}" for name, value in said.items() if value)
    block = f'\n<rdf:Description rdf:about="" xmlns:me="{OURS}" xmlns:Iptc4xmpExt="{IPTC}" {properties}/>'.encode()
    if old is None:
        return (
            b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
            b'<rdf:RDF xmlns:rdf="' + _RDF.encode() + b'">' + block + b"\n</rdf:RDF></x:xmpmeta>\n"
            b'<?xpacket end="w"?>'
        )
    rest = _BLOCK.sub(b"", old)
    if rest.count(b"</rdf:RDF>") != 1 or b"DigitalSourceType" in rest or b"<!" in rest or _RDF.encode() not in rest:
        return None
    return rest.replace(b"</rdf:RDF>", block.lstrip(b"\n") + b"\n</rdf:RDF>")
