"""Bytes of a page -> Unicode text, and what kind of thing the bytes are in the first place.

A crawl's Content-Type lies in both halves: pictures, archives and JSON are sent as `text/html`, and
the charset is missing, wrong or half right. `sniff` looks at the bytes alone. `decode` asks the
witnesses in the order of how seldom they lie: a byte order mark, valid UTF-8, the header, the meta
element, and last a statistical guess. Labels are read as browsers read them (WHATWG Encoding
Standard, https://encoding.spec.whatwg.org/#names-and-labels), so `iso-8859-1` means windows-1252.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

from quality.html.charsets import CODECS, LANGUAGE_DEFAULTS, charset_name

# ---------------------------------------------------------------------------------------- sniff

_MAGIC = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x28\xb5\x2f\xfd", "binary"),  # zstd
    (b"BZh", "binary"),
    (b"\xfd7zXZ\x00", "binary"),
    (b"7z\xbc\xaf\x27\x1c", "binary"),
    (b"Rar!\x1a\x07", "binary"),
    (b"wOFF", "binary"),
    (b"wOF2", "binary"),
    (b"OggS", "binary"),
    (b"ID3", "binary"),
    (b"\x7fELF", "binary"),
    (b"\x00asm", "binary"),
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\x0b\x0c\r\x1b")  # ESC: ISO-2022-JP
_SNIFF_BYTES = 65_536
_PRELUDE = re.compile(r"(?:\s|<!--.*?-->|<\?.*?\?>|<!doctype(?! *html)[^<>]*>)*", re.I | re.S)
_PAGE_TAG = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.I)
# HTML fragments: what a page without <html> and <body> starts with
_FIRST_TAG = re.compile(
    r"<(?:title|meta|link|script|style|base|div|p|br|hr|a|b|i|u|em|strong|font|center|table|tr|td"
    r"|ul|ol|li|dl|h[1-6]|img|span|pre|form|iframe|frameset|section|article|main|header|nav|footer"
    r"|blockquote|noscript|input|button|body)[\s/>]",
    re.I,
)
_JSON_HEAD = re.compile(
    r'\s*(?:\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|\[\s*(?:[\[{"\]]|-?\d[\d.eE+-]*\s*[,\]]))'
)


def sniff(body: bytes) -> str:
    """What the bytes are, whatever the header says.

    One of: `empty` (nothing but white space), `html`, `xhtml`, `xml` (feeds and SVG too), `json`,
    `text` (readable, but neither markup nor JSON), `pdf`, `png`, `jpeg`, `gif`, `gzip`, `zip`, or
    `binary` (anything else that is not text). Looks at the first 64 KiB; a body of `text` that was
    sent as HTML may be taken for HTML by the caller, one of the other kinds may not.
    """
    head = body[:_SNIFF_BYTES]
    if not head.strip(b" \t\r\n\x0b\x0c\x00"):
        return "empty" if not body.strip(b" \t\r\n\x0b\x0c\x00") else "binary"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return "binary"
    if head[4:8] == b"ftyp":  # MP4, HEIC, AVIF
        return "binary"
    wide = _utf16_label(head)
    if not wide and _is_binary(head):
        return "binary"
    text = head.decode(wide or "latin-1", "replace").lstrip("\ufeff")
    return _kind_of_text(text.removeprefix("\xef\xbb\xbf"), whole=len(body) <= _SNIFF_BYTES)


def _kind_of_text(text: str, whole: bool) -> str:
    if not text.strip():
        return "empty" if whole else "text"
    prelude = _PRELUDE.match(text)
    start = prelude.end() if prelude else 0
    page = _PAGE_TAG.search(text)
    if text.lstrip()[:5].lower() == "<?xml" or "<!doctype" in text[:start].lower():
        if page and (page.start() == start or page.group()[1:].lower() == "html"):
            return "xhtml" if "xhtml" in text[: page.end() + 500].lower() else "html"
        if text[start : start + 1] == "<" and not _FIRST_TAG.match(text, start):
            return "xml"
    if page and page.start() == start:
        return "xhtml" if "w3.org/1999/xhtml" in text[start : start + 500] else "html"
    if re.match(r"<(?:rss|feed|svg|urlset|sitemapindex|rdf:rdf)[\s>]", text[start:][:20], re.I):
        return "xml"
    if _JSON_HEAD.match(text) and _is_json(text, whole):
        return "json"
    return "html" if page or _FIRST_TAG.match(text, start) else "text"


def _is_json(text: str, whole: bool) -> bool:
    # a body longer than the look, or a cut one, cannot be parsed: then its start decides
    if not whole or text.rstrip()[-1] not in "]}":
        return _PAGE_TAG.search(text) is None and text.lstrip()[0] == "{"
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_binary(head: bytes) -> bool:
    # some stray NULs don't unmake a page; compressed and image data show every control character
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls * 100 <= len(head):
        return False
    return controls * 10 > len(head) or sum(head.count(c) > 0 for c in _CONTROLS) >= 4


# --------------------------------------------------------------------------------------- decode

_META_BYTES = 16_384
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_META_CHARSET = re.compile(rb"<meta\b[^<>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"\s*<\?xml\b[^<>]{0,200}?encoding\s*=\s*[\"']([\w.:+-]{2,40})", re.I)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.I)
_HIGH_BYTES = bytes(range(128, 256))
_HIGH_RUN = re.compile(rb"[\x80-\xff]{4,}")
_LETTERS = re.compile(
    rb"(?<=[A-Za-z])[\x8a-\x9f\xa1-\xfd]|[\x8a-\x9f\xa1-\xfd](?=[A-Za-z])"
    rb"|(?<=\s)[\xc0\xc8\xe0\xe8\xe9\xf3](?=\s)"  # words of one letter
    rb"|[\x85\x91-\x97\x99\xa0\xa3\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb]|\x80(?=[ \d])|(?<=[ \d])\x80"
)
_HTML_LANG = re.compile(
    rb"<html\b[^<>]{0,500}?\blang\s*=\s*[\"']?([a-z]{2,3}(?:-[a-z]{2,4})?)", re.I
)
_C1_BYTES = re.compile(rb"[\x80-\x9f]")
_JIS_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\([IJ])")
_NO_GUESS = {None, "windows-1252", "iso-8859-15", "utf-8", "utf-16le", "utf-16be"}
_MULTI_BYTE = {"gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"}
_FEW_BYTES = 50  # in a page called UTF-8 without one good sequence: accidents, not a charset
_MAX_REPLACED = 0.001  # of all characters, in a charset that was declared


class Decoded(NamedTuple):
    """text: no byte order mark; charset: lower-case WHATWG name; source: the witness believed;
    replaced: bytes or sequences that could not be read (U+FFFD in the text)."""

    text: str
    charset: str
    source: str  # bom, utf-8, header, meta, detector, fallback
    replaced: int


def decode(body: bytes, content_type: str | None = None) -> Decoded:
    """Decode a page.

    Order: byte order mark; ISO-2022-JP escapes; UTF-16 seen by its NULs; valid UTF-8 (a character
    cut at the very end is let go: the page was truncated); UTF-8 with a few bad bytes among many
    good ones; the header's charset, then the meta's, if less than 0.1 % of the text fails and it
    is no Western label over a text that cannot be Western; the detector (uchardet by resiliparse);
    the charset browsers assume for the document's `lang`; windows-1252. Never raises.
    """
    for bom, charset in _BOMS:
        if body.startswith(bom):
            page = _decoded(body[len(bom) :], charset, "bom")
            if charset != "utf-8" or not page.replaced or _mostly_utf8(page):
                return page
            body = body[len(bom) :]
    if wide := _utf16_label(body[:_SNIFF_BYTES]):
        return _decoded(body, wide, "detector")
    if body.isascii():
        if _JIS_ESCAPE.search(body):
            japanese = _decoded(body, "iso-2022-jp", "detector")
            if _readable(japanese):
                return japanese
        return Decoded(body.decode("ascii"), "utf-8", "utf-8", 0)
    utf8 = _decoded(body, "utf-8", "utf-8")
    if not utf8.replaced or _mostly_utf8(utf8):
        return utf8
    declared = _declared(body, content_type)
    foreign = _cannot_be_western(body)
    for charset, source in declared:
        # UTF-8 was weighed above
        if charset != "utf-8" and not (foreign and charset == "windows-1252"):
            page = _decoded(body, charset, source)
            if _readable(page):
                return page
    guess = _guessed(body, foreign)
    # bytes that fit no charset at all, in a text of ASCII that is called UTF-8
    stray = utf8.replaced < _FEW_BYTES and not foreign and guess.charset not in _MULTI_BYTE
    for charset, source in declared:
        if charset == "utf-8" and stray and not _looks_latin(body):
            return utf8._replace(source=source)
    return guess


def _guessed(body: bytes, foreign: bool) -> Decoded:
    guess = charset_name(detect_encoding(body, html5_compatible=False))
    if guess == "koi8-r":
        guess = "koi8-u"  # the same but for Ukrainian letters in place of box drawings
    # a Western verdict is the detector's shrug, and so is a Chinese one on lone high bytes
    lone = guess in _MULTI_BYTE and not foreign
    if guess in _NO_GUESS or lone:
        lang = _HTML_LANG.search(body[:_META_BYTES])
        tag = lang.group(1).decode().lower() if lang else ""
        local = LANGUAGE_DEFAULTS.get(tag) or LANGUAGE_DEFAULTS.get(tag.partition("-")[0])
        if local and not (lone and local in _MULTI_BYTE):
            page = _decoded(body, _central_european(local, body), "fallback")
            if _readable(page):
                return page
    if guess and not guess.startswith("utf"):
        page = _decoded(body, _central_european(guess, body), "detector")
        if _readable(page) or not _looks_latin(body):
            return page
    return _decoded(body, "windows-1252", "fallback")


def _decoded(body: bytes, charset: str, source: str) -> Decoded:
    decoder = codecs.getincrementaldecoder(CODECS.get(charset, charset))("replace")
    text = decoder.decode(body)  # not final: a character cut at the end is dropped, not replaced
    replaced = text.count("\ufffd")
    if replaced and charset == "utf-8":
        replaced -= body.count(b"\xef\xbf\xbd")  # those the page itself has
    return Decoded(text.removeprefix("\ufeff"), charset, source, replaced)


def _readable(page: Decoded) -> bool:
    return page.replaced <= len(page.text) * _MAX_REPLACED


def _declared(body: bytes, content_type: str | None) -> list[tuple[str, str]]:
    """(charset, source) as the header and the document itself name them, known labels only."""
    found: list[tuple[str, str]] = []
    header = _HEADER_CHARSET.search(content_type or "")
    if header and (name := charset_name(header.group(1))):
        found.append((name, "header"))
    head = body[:_META_BYTES]
    meta = _META_CHARSET.search(_COMMENT.sub(b"", head)) or _XML_ENCODING.match(head)
    # what can be read as ASCII cannot be UTF-16
    if meta and (name := charset_name(meta.group(1).decode("ascii", "replace"))):
        found.append(("utf-8" if name.startswith("utf-16") else name, "meta"))
    return found


def _central_european(charset: str, body: bytes) -> str:
    # alike but for windows-1250's Š, Ž, Ś and quotation marks, where iso-8859-2 has no letters
    if charset == "windows-1250" and not _C1_BYTES.search(body):
        return "iso-8859-2"
    return charset


def _mostly_utf8(page: Decoded) -> bool:
    # multi-byte sequences hardly arise by chance in other charsets (GBK: one in ten), so many good
    # ones prove UTF-8, whatever a header says
    good = len(page.text) - len(page.text.encode("ascii", "ignore")) - page.replaced
    return good >= 4 * page.replaced


def _cannot_be_western(body: bytes) -> bool:
    # accented letters stand alone between ASCII letters; other alphabets are runs of high bytes
    high = len(body) - len(body.translate(None, _HIGH_BYTES))
    return 2 * sum(len(run) for run in _HIGH_RUN.findall(body)) > high


def _looks_latin(body: bytes) -> bool:
    # letters next to letters, and the usual punctuation; stray bytes fall anywhere, on any value
    high = len(body) - len(body.translate(None, _HIGH_BYTES))
    return len(_LETTERS.findall(body)) >= 0.8 * high


def _utf16_label(head: bytes) -> str | None:
    """UTF-16 by its NULs: markup in it has one in every second byte, all on the same side."""
    head = head[: min(len(head), 4096) // 2 * 2]
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half >= 8 and odd * 4 > half and even * 20 < odd:
        return "utf-16le"
    if half >= 8 and even * 4 > half and odd * 20 < even:
        return "utf-16be"
    return None
