"""What docs/extend.md shows: a user's signal and extractor."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCKS = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parent.parent / "docs/extend.md").read_text(encoding="utf-8"),
    re.S,
)
for _block in _BLOCKS:
    exec(compile(_block, "docs/extend.md", "exec"))
