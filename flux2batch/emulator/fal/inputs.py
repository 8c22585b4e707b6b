"""Inputs as they are kept for the listing: long texts, such as pictures as data URIs, are laid aside once."""

from __future__ import annotations

import hashlib

from flux2batch.emulator.books import Books

_UNFETCHABLE = 8 * 1024 * 1024  # longer values of an input are not kept for the listing


def kept(body: object, books: Books) -> object:
    """The input as a task remembers it."""
    if isinstance(body, dict):
        return {name: kept(value, books) for name, value in body.items()}
    if isinstance(body, list):
        return [kept(value, books) for value in body]
    if isinstance(body, str) and len(body) > 4096:
        encoded = body.encode("utf-8", "surrogatepass")
        sha256 = hashlib.sha256(encoded).hexdigest()
        if len(encoded) <= _UNFETCHABLE:
            books.keep(sha256, "text", "", encoded)
        return {"$kept": sha256}
    return body


def whole(remembered: object, books: Books) -> object:
    """The input as it was sent, of what a task remembers."""
    if isinstance(remembered, dict):
        if set(remembered) == {"$kept"}:
            blob = books.blob(remembered["$kept"], "text")
            return "(too long to be kept)" if blob is None else blob[1].decode("utf-8", "surrogatepass")
        return {name: whole(value, books) for name, value in remembered.items()}
    return [whole(value, books) for value in remembered] if isinstance(remembered, list) else remembered
