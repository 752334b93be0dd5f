"""A handler for `isolate` that does what hostile pages make native parsers do."""

from __future__ import annotations

import ctypes
import os
import sys


def factory(config):
    def handle(request):
        deed, value = request
        if deed == "scale":
            return value * config["scale"]
        if deed == "raise":
            raise ValueError(value)
        if deed == "segfault":
            ctypes.string_at(0)
        if deed == "exit":
            os._exit(3)
        if deed == "spin":
            while True:
                pass
        if deed == "eat":
            return len(bytearray(1 << 30))
        if deed == "modules":
            return sorted(sys.modules)
        if deed == "print":
            print("a library that talks")
            return None
        raise AssertionError(deed)

    return handle


def extractor(page, url):
    """An extractor of a user's own that takes the process down on one page."""
    from quality.html.trafilatura import extract_main

    if url.endswith("/3"):
        os._exit(9)
    return extract_main(page, url)
