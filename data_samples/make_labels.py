"""Writes labels.jsonl: texts of the sample crawl with a label, to train the demo's classifier on.

    python data_samples/make_labels.py

good: main texts of articles, documentation and forums. bad: texts of the link farm. Only pages
whose URL hashes even are taken, so that the other half is unseen.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent


def labels() -> list[dict[str, str]]:
    rows = []
    seen = set()
    for line in (HERE / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        page = json.loads(line)
        text = page["main_text"]
        if not text or text in seen or hashlib.sha256(page["url"].encode()).digest()[0] % 2:
            continue
        seen.add(text)
        if page["spam"]:
            rows.append({"text": text, "label": "bad"})
        elif page["kind"] in ("article", "docs", "forum") and not page["damage"]:
            rows.append({"text": text, "label": "good"})
    return rows


def main() -> None:
    with (HERE / "labels.jsonl").open("w", encoding="utf-8") as f:
        for row in labels():
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
