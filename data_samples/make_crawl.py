"""Write the sample crawl: crawl/*.warc.gz, truth.jsonl and sites.jsonl.

    python data_samples/make_crawl.py [--out DIR]

The input is the YAML beside this file, the output depends on nothing else: no clock, no chance, no
network. Needs PyYAML and brotli. Compressed bytes can differ between builds of zlib and brotli,
their content does not.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from page_cases import all_captures
from page_plan import World, read_world
from page_view import number
from warc_records import Capture, file_bytes, stamp

FILES = 6
GARBAGE = b"\x00\x17\x2a" + b"-- disk block lost --" * 31 + b"\xfe\xed\x00\x07"
LINK = re.compile(r'<a href="https?://([^"/]+)[^"]*"(?: rel="([^"]*)")?>')


def filename(place: int) -> str:
    return f"SAMPLE-2026-41-{place:05}.warc.gz"


def spread(captures: list[Capture]) -> list[list[Capture]]:
    """Captures over the files, by a hash of the address as crawlers do; those behind the garbage
    come last in the last file."""
    files: list[list[Capture]] = [[] for _ in range(FILES)]
    for capture in captures:
        files[FILES - 1 if capture.after_garbage else number(capture.url, FILES)].append(capture)
    return [sorted(file, key=lambda c: (c.after_garbage, c.date, c.url)) for file in files]


def truth_rows(files: list[list[Capture]]) -> list[dict]:
    return [
        {
            "warc_file": filename(place),
            "record_id": capture.id,
            "warc_date": stamp(capture.date),
            **capture.truth,
        }
        for place, captures in enumerate(files)
        for capture in captures
    ]


def site_rows(world: World, captures: list[Capture]) -> list[dict]:
    """A row a site: what it is, its languages, and whom its captured pages link to."""
    owners = {site["host"].removeprefix("www."): site["site"] for site in world.sites.values()}
    rows = []
    for site in sorted(world.sites.values(), key=lambda s: s["site"]):
        own = [c for c in captures if c.truth["site"] == site["site"]]
        good = [c for c in own if c.status == 200 and c.truth["language"]]
        followed: set[str] = set()
        nofollow: set[str] = set()
        for capture in good:
            for host, rel in LINK.findall(capture.html):
                target = owners[host.removeprefix("www.")]
                (nofollow if "nofollow" in rel else followed).add(target)
        roles = {"spam": "farm", "parked": "parked"}
        rows.append(
            {
                "site": site["site"],
                "hosts": sorted({c.truth["host"] for c in own}),
                "spam": site.get("spam", False),
                "role": roles.get(site["kind"], site.get("role", "original")),
                "languages": sorted({c.truth["language"] for c in good}),
                "pages": len(good),
                "robots": site.get("robots"),
                "links_to": sorted(followed - {site["site"]}),
                "nofollow_to": sorted(nofollow - followed - {site["site"]}),
            }
        )
    return rows


def write_jsonl(path: Path, rows: list[dict]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    world = read_world()
    captures = all_captures(world)
    files = spread(captures)
    (out / "crawl").mkdir(parents=True, exist_ok=True)
    for place, part in enumerate(files):
        (out / "crawl" / filename(place)).write_bytes(file_bytes(filename(place), part, GARBAGE))
    write_jsonl(out / "truth.jsonl", truth_rows(files))
    write_jsonl(out / "sites.jsonl", site_rows(world, captures))


if __name__ == "__main__":
    main()
