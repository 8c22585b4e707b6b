"""The XMP packet: facts as every program for pictures reads them, and all of ours as JSON in a field of its own.

A packet that is there is kept, and ours is put into it as one more `rdf:Description`. It is handled as text: no parser
of XML, with its entities, ever sees what a stranger wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, unescape

from flux2batch.pictures.description import caption, software, to_json

_SPACE = "urn:flux2batch:picture:1"
_OURS = re.compile(rf'<rdf:Description rdf:about="" xmlns:f2b="{_SPACE}".*?</rdf:Description>\n', re.DOTALL)
_OUR_PACKET = 'x:xmptk="flux2batch'
_RECORD = re.compile(r"<f2b:record>([^<]*)</f2b:record>")
_CLOSING = "</rdf:RDF>"
_TEXT_LIMIT = 8_000

# What IPTC calls a picture made by a trained model, and one that was drawn by rules.
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_MADE_BY_MODEL, _DRAWN = "trainedAlgorithmicMedia", "algorithmicMedia"

# All that XML 1.0 cannot say.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def packet(told: Mapping[str, Any]) -> str:
    """A packet of its own."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" {_OUR_PACKET}">\n'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f"{_description(told, beside='')}{_CLOSING}\n</x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    )


def merged(existing: str, told: Mapping[str, Any]) -> str | None:
    """The packet that is there with ours in it; None where it is written in a way that has no room for it."""
    before, closing, after = existing.rpartition(_CLOSING)
    return f"{before}{_description(told, beside=existing)}{closing}{after}" if closing else None


def undone(existing: str) -> str | None:
    """The packet without ours, None where nothing else was in it."""
    return None if _OUR_PACKET in existing else _OURS.sub("", existing)


def record(existing: str) -> str | None:
    """Our JSON."""
    found = _RECORD.search(existing)
    return unescape(found[1], {"&quot;": '"'}) if found else None


def _description(told: Mapping[str, Any], *, beside: str) -> str:
    # A property may stand in a packet once: what the service says about its picture goes first.
    source = _SOURCE + (_DRAWN if told.get("emulated") else _MADE_BY_MODEL)
    text = caption(told)
    fields = [
        ("xmp:CreatorTool", f"<xmp:CreatorTool>{_said(software(told))}</xmp:CreatorTool>"),
        (
            "DigitalSourceType",
            f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>",
        ),
    ]
    if text:
        alternatives = f'<rdf:Alt><rdf:li xml:lang="x-default">{_said(text[:_TEXT_LIMIT])}</rdf:li></rdf:Alt>'
        fields.append(("dc:description", f"<dc:description>{alternatives}</dc:description>"))
    fields.append(("f2b:record", f"<f2b:record>{_said(to_json(told))}</f2b:record>"))
    return (
        f'<rdf:Description rdf:about="" xmlns:f2b="{_SPACE}" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">\n'
        + "".join(f"{field}\n" for name, field in fields if name not in beside)
        + "</rdf:Description>\n"
    )


def _said(text: str) -> str:
    return escape(_UNSAYABLE.sub("\ufffd", text), {'"': "&quot;"})
