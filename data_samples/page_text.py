"""From the written texts to blocks, to plain main text and to HTML.

The texts are kept in a small markup: a line is a paragraph, "## " opens a heading, "- " a list
item, "| a | b |" a table row, three backticks a code listing, and "@name" a post of a forum
thread. Both the HTML of a page and the main text in the truth table come from the same blocks,
so the two cannot drift apart.
"""

from __future__ import annotations

import html
import re
from html.entities import codepoint2name
from typing import NamedTuple


class Block(NamedTuple):
    """kind: p, h, ul, table or code. lines: the text; for a table the cells of a row by tab."""

    kind: str
    lines: tuple[str, ...]
    note: str = ""


class Post(NamedTuple):
    author: str
    blocks: tuple[Block, ...]


def parse_posts(text: str) -> tuple[Post, ...]:
    """The posts of a thread; empty when the text does not start with "@name"."""
    parts = re.split(r"^@(.+)$", text, flags=re.M)
    return tuple(
        Post(name.strip(), parse_blocks(body))
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    )


def parse_blocks(text: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    code: list[str] | None = None
    note = ""
    for line in text.rstrip().split("\n"):
        if line.startswith("```"):
            if code is None:
                code, note = [], line[3:]
            else:
                blocks.append(Block("code", tuple(code), note))
                code = None
        elif code is not None:
            code.append(line)
        elif line.startswith("## "):
            blocks.append(Block("h", (line[3:],)))
        elif line.startswith("- "):
            extend(blocks, "ul", line[2:])
        elif line.startswith("| "):
            cells = (cell.strip() for cell in line.strip("| ").split(" | "))
            extend(blocks, "table", "\t".join(cells))
        elif line.strip():
            blocks.append(Block("p", (line.strip(),)))
    return tuple(blocks)


def extend(blocks: list[Block], kind: str, line: str) -> None:
    """Add a line to the list or table that is being built, or begin one."""
    if blocks and blocks[-1].kind == kind:
        blocks[-1] = Block(kind, (*blocks[-1].lines, line))
    else:
        blocks.append(Block(kind, (line,)))


def plain(text: str) -> str:
    """A line without its inline marks."""
    return text.replace("**", "").replace("`", "")


def main_text(blocks: tuple[Block, ...]) -> str:
    """What an extractor should find: a line a paragraph, heading, item, row or line of code."""
    return "\n".join(
        line if block.kind == "code" else plain(line) for block in blocks for line in block.lines
    )


def escape(text: str, entities: bool = False) -> str:
    """Text for HTML; with `entities`, named ones for accented letters, as old editors write."""
    text = html.escape(text, quote=False)
    if entities:
        text = "".join(
            f"&{codepoint2name[ord(c)]};" if ord(c) > 127 and ord(c) in codepoint2name else c
            for c in text
        )
    return text


def inline(text: str, entities: bool = False) -> str:
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, entities))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def link_phrase(text: str, href: str) -> str:
    """Turn the third to fifth word of a paragraph (HTML without tags so far) into a link."""
    words = text.split(" ")
    if len(words) < 8 or "<" in "".join(words[:6]):
        return text
    phrase = " ".join(words[2:5])
    return " ".join([*words[:2], f'<a href="{href}">{phrase}</a>', *words[5:]])


PARAGRAPHS = {
    "html5": "<p>{}</p>",
    "div": '<div class="para">{}</div>',
    "br": "{}<br><br>",
    "open": "<P>{}",
    "span": '<p class="p"><span style="font-size:medium">{}</span></p>',
}


def block_html(block: Block, style: str, entities: bool = False) -> str:
    """One block as HTML; `style` is a key of PARAGRAPHS."""
    lines = block.lines
    if block.kind == "p":
        return PARAGRAPHS[style].format(inline(lines[0], entities))
    if block.kind == "h":
        heading = "<b>{}</b><br>" if style == "br" else "<h2>{}</h2>"
        return heading.format(inline(lines[0], entities))
    if block.kind == "ul":
        return "<ul>" + "".join(f"<li>{inline(x, entities)}</li>" for x in lines) + "</ul>"
    if block.kind == "code":
        body = html.escape("\n".join(lines), quote=False)
        return f'<pre><code class="language-{block.note}">{body}</code></pre>'
    rows = []
    for number, line in enumerate(lines):
        tag = "th" if number == 0 else "td"
        cells = "".join(f"<{tag}>{inline(cell, entities)}</{tag}>" for cell in line.split("\t"))
        rows.append(f"<tr>{cells}</tr>")
    return '<table class="data">\n' + "\n".join(rows) + "\n</table>"


def edit(text: str, how: dict) -> str:
    """A near copy: leave paragraphs out, replace words, add a paragraph.

    Raises ValueError where a word to be replaced does not occur."""
    for old, new in how.get("replace", []):
        if old not in text:
            raise ValueError(f"cases.yaml: {how['page']}: {old!r} does not occur in the text")
        text = text.replace(old, new)
    paragraphs = [p for p in text.split("\n") if p.strip()]
    kept = [p for number, p in enumerate(paragraphs) if number not in how.get("cut", [])]
    if "append" in how:
        name = next((p for p in reversed(kept) if p.startswith("@")), None)
        kept += ([name] if name else []) + [how["append"]]
    return "\n".join(kept)
