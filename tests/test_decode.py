"""Bytes to text: real sentences in the charsets of the web, with true, false and no labels."""

from __future__ import annotations

import codecs
import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.encoding import map_encoding_to_html5

from quality.html.charsets import CODECS, charset_name
from quality.html.decode import decode, sniff
from tests.real import real_pages

CHINESE = "今天天气很好，我们一起去公园散步，看见许多孩子在湖边放风筝，老人们坐在树下聊天。"
TAIWAN = "今天天氣很好，我們一起去公園散步，看見許多孩子在湖邊放風箏，老人們坐在樹下聊天。"
JAPANESE = (
    "今日は天気がとても良いので、家族みんなで公園まで散歩に行きました。とても楽しかったです。"
)
KOREAN = "오늘은 날씨가 아주 좋아서 우리는 함께 공원으로 산책을 갔습니다. 아이들이 놀고 있었습니다."
RUSSIAN = "Сегодня очень хорошая погода, и мы вместе пошли гулять в парк, где дети запускали змеев."
UKRAINIAN = (
    "Сьогодні дуже гарна погода, і ми разом пішли гуляти в парк, де діти запускали зміїв. Її їжа."
)
GREEK = "Σήμερα ο καιρός είναι πολύ καλός και πήγαμε όλοι μαζί βόλτα στο πάρκο με τα παιδιά."
FRENCH = (
    "Aujourd’hui il fait très beau et nous sommes allés nous promener à la forêt, où des élèves…"
)
GERMAN = "Heute ist schönes Wetter, und wir gehen über die Brücke in den großen Garten der Königin."
POLISH = (
    "Dziś jest bardzo ładna pogoda, więc poszliśmy razem na spacer źródłem rzeki, gdzie są łąki."
)
TURKISH = (
    "Bugün hava çok güzel, çocuklarla birlikte parka yürüyüşe çıktık ve ağaçların altında ışık."
)
ARABIC = (
    "الطقس جميل جدا اليوم وذهبنا معا للتنزه في الحديقة حيث كان الأطفال يلعبون بالطائرات الورقية."
)
HEBREW = "היום מזג האוויר יפה מאוד והלכנו יחד לטייל בפארק שבו ילדים שיחקו ליד האגם הגדול."
THAI = "วันนี้อากาศดีมาก เราไปเดินเล่นที่สวนสาธารณะด้วยกัน เด็กๆ กำลังเล่นว่าวริมทะเลสาบ"

IN_CHARSETS = [
    (CHINESE, ["gbk", "gb18030"]),
    (TAIWAN, ["big5"]),
    (JAPANESE, ["shift_jis", "euc-jp", "iso-2022-jp"]),
    (KOREAN, ["euc-kr"]),
    (RUSSIAN, ["windows-1251", "koi8-r", "iso-8859-5", "ibm866", "x-mac-cyrillic"]),
    (UKRAINIAN, ["windows-1251", "koi8-u"]),
    (GREEK, ["windows-1253", "iso-8859-7"]),
    (FRENCH, ["windows-1252"]),
    (GERMAN, ["windows-1252", "iso-8859-15", "macintosh"]),
    (POLISH, ["windows-1250", "iso-8859-2"]),
    (TURKISH, ["windows-1254"]),
    (ARABIC, ["windows-1256"]),
    (HEBREW, ["windows-1255"]),
    (THAI, ["windows-874"]),
]
PAIRS = [(text, charset) for text, charsets in IN_CHARSETS for charset in charsets]


def page(text: str, head: str = "") -> str:
    return f"<!DOCTYPE html><html><head>{head}<title>x</title></head><body><p>{text}</p></body>"


def encoded(text: str, charset: str) -> bytes:
    return text.encode(CODECS.get(charset, charset))


# ---------------------------------------------------------------------------------------- decode


@pytest.mark.parametrize(("text", "charset"), PAIRS)
@pytest.mark.parametrize("where", ["header", "meta"])
def test_a_declared_charset_is_used(text: str, charset: str, where: str) -> None:
    html = page(text, f'<meta charset="{charset}">' if where == "meta" else "")
    header = f"text/html; charset={charset.upper()}" if where == "header" else "text/html"
    got = decode(encoded(html, charset), header)
    assert got.text == html
    assert got.replaced == 0
    if charset != "iso-2022-jp":  # told by its escapes, before any label
        assert (got.charset, got.source) == (charset, where)


DETECTED = [p for p in PAIRS if p[1] not in ("macintosh", "iso-8859-15")]


@pytest.mark.parametrize(("text", "charset"), DETECTED)
@pytest.mark.parametrize("lie", [None, "text/html; charset=utf-8", "text/html; charset=nonsense"])
def test_without_a_true_label_the_bytes_tell(text: str, charset: str, lie: str | None) -> None:
    languages = {"windows-1250": "pl-PL", "iso-8859-2": "pl", "windows-1254": "tr"}
    html = page(text * 3).replace("<html", f'<html lang="{languages.get(charset, "")}"')
    got = decode(encoded(html, charset), lie)
    assert got.text == html
    assert got.source in ("detector", "fallback")


@pytest.mark.parametrize("text", [CHINESE, RUSSIAN, KOREAN, FRENCH, "plain"])
def test_valid_utf8_beats_any_label(text: str) -> None:
    html = page(text, '<meta charset="gb2312">')
    got = decode(html.encode(), "text/html; charset=iso-8859-1")
    assert (got.text, got.charset, got.source, got.replaced) == (html, "utf-8", "utf-8", 0)


def test_latin1_label_over_chinese_is_not_believed() -> None:
    html = page(CHINESE * 3, '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">')
    got = decode(encoded(html, "gbk"), "text/html; charset=ISO-8859-1")
    assert (got.text, got.charset, got.source) == (html, "gbk", "meta")


@pytest.mark.parametrize("cut", range(1, 8))
@pytest.mark.parametrize("charset", ["utf-8", "gbk", "shift_jis", "euc-kr"])
def test_a_truncated_page_keeps_its_charset(cut: int, charset: str) -> None:
    text = {"gbk": CHINESE, "shift_jis": JAPANESE, "euc-kr": KOREAN}.get(charset, CHINESE)
    html = page("") + text * 4
    got = decode(encoded(html, charset)[:-cut], f"text/html; charset={charset}")
    assert html.startswith(got.text)
    assert len(got.text) >= len(html) - cut
    assert (got.charset, got.replaced) == (charset, 0)


@pytest.mark.parametrize("header", [None, "text/html; charset=iso-8859-1"])
def test_a_few_bad_bytes_do_not_unmake_utf8(header: str | None) -> None:
    body = page(CHINESE * 5).encode().replace("孩".encode(), b"\xe5\xad")
    got = decode(body, header)
    assert (got.charset, got.replaced) == ("utf-8", 5)
    assert got.text.count("公园") == 5


def test_stray_bytes_in_an_english_page_called_utf8() -> None:
    text = page("It was a bright cold day in April, and the clocks were striking. " * 30)
    body = bytearray(text.encode())
    random.seed(5)
    for _ in range(20):
        body.insert(random.randrange(len(body)), random.choice(b"\x80\xc0\xf5\xfe\xff"))
    got = decode(bytes(body), "text/html; charset=utf-8")
    assert (got.charset, got.replaced) == ("utf-8", 20)
    assert got.text.replace("\ufffd", "") == text


def test_latin1_in_a_page_called_utf8_is_read_as_latin1() -> None:
    html = page(GERMAN, '<meta charset="utf-8">')
    assert decode(html.encode("latin-1"), "text/html; charset=utf-8").text == html


@pytest.mark.parametrize(
    ("codec", "mark", "charset"),
    [
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16le"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16be"),
    ],
)
def test_byte_order_marks(codec: str, mark: bytes, charset: str) -> None:
    html = page(RUSSIAN)
    got = decode(mark + html.encode(codec), "text/html; charset=windows-1251")
    assert (got.text, got.charset, got.source) == (html, charset, "bom")
    if charset != "utf-8":  # and without the mark, by the NULs
        assert decode(html.encode(codec), None)[:2] == (html, charset)
        assert sniff(html.encode(codec)) == "html"


def test_a_mark_of_utf8_before_other_bytes_is_not_believed() -> None:
    body = codecs.BOM_UTF8 + encoded(page(CHINESE * 4, '<meta charset="gbk">'), "gbk")
    assert CHINESE in decode(body, None).text


def test_what_declares_a_charset() -> None:
    body = encoded(page(POLISH), "iso-8859-2")
    xml = b'<?xml version="1.0" encoding="ISO-8859-2"?>' + body
    assert decode(xml, "text/html")[1:3] == ("iso-8859-2", "meta")
    commented = b"<!-- <meta charset=koi8-r> --><meta charset=iso-8859-2>" + body
    assert decode(commented, None)[1:3] == ("iso-8859-2", "meta")
    assert decode(body, "text/html;charset='iso-8859-2'; x=1")[1:3] == ("iso-8859-2", "header")


# Labels seen on the web; resiliparse has the same table by other hands
LABELS = """utf8 UTF-8 gb2312 GB_2312-80 gbk x-gbk gb18030 big5 big5-hkscs shift-jis sjis x-sjis
windows-31j euc-jp x-euc-jp iso-2022-jp euc-kr ks_c_5601-1987 iso-8859-1 ISO8859-1 latin1 us-ascii
cp1252 iso-8859-2 iso-8859-5 iso-8859-7 iso-8859-8 iso-8859-9 iso-8859-13 iso-8859-15 koi8-r koi8-u
windows-1250 windows-1251 cp1251 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257
windows-1258 windows-874 ibm866 macintosh utf-16 utf-16be"""
SAME = {"iso8859-11": "cp874", "shift_jis": "cp932", "euc_kr": "cp949", "gbk": "gb18030"}


@pytest.mark.parametrize("label", LABELS.split())
def test_labels_mean_what_browsers_make_of_them(label: str) -> None:
    theirs = map_encoding_to_html5(label, False)
    theirs = {**SAME, "big5": "big5hkscs"}.get(theirs or "", theirs)
    ours = charset_name(label)
    assert ours and theirs
    assert codecs.lookup(CODECS.get(ours, ours)).name == codecs.lookup(theirs).name


@given(st.binary(max_size=300), st.sampled_from([None, "text/html; charset=gbk", "charset=utf-8"]))
def test_any_bytes_decode(body: bytes, header: str | None) -> None:
    got = decode(body, header)
    assert 0 <= got.replaced <= got.text.count("\ufffd")
    assert got.source in ("bom", "utf-8", "header", "meta", "detector", "fallback")
    assert charset_name(got.charset) == got.charset


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")))
def test_utf8_round_trip(text: str) -> None:
    got = decode(text.encode(), "text/html; charset=shift_jis")
    assert (got.text, got.replaced) == (text, 0)


def test_a_replacement_character_of_the_pages_own_is_no_error() -> None:
    html = page("Someone else lost a character: \ufffd.")
    assert decode(html.encode(), "text/html; charset=gbk") == (html, "utf-8", "utf-8", 0)


# ----------------------------------------------------------------------------------------- sniff

random.seed(1)
NOISE = random.randbytes(3000)
FEED = b'<?xml version="1.0"?>\n<rss version="2.0"><channel><title>t</title></channel></rss>'
XHTML = (
    b'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 '
    b'Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
    b'<html xmlns="http://www.w3.org/1999/xhtml"><body>x</body></html>'
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj <html>"),
        ("png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR<html><body>"),
        ("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
        ("gif", b"GIF89a\x01\x00\x01\x00"),
        ("gzip", gzip.compress(page(FRENCH).encode())),
        ("zip", b"PK\x03\x04\x14\x00\x00\x00"),
        ("binary", b"RIFF\x24\x00\x00\x00WEBPVP8 "),
        ("binary", zlib.compress(page(FRENCH * 30).encode())),
        ("binary", NOISE),
        ("binary", b"<html>" + NOISE),
        ("json", b'{"html": "<p>x</p>", "n": [1, 2]}'),
        ("json", b'\xef\xbb\xbf [{"a": 1}, {"a": "<html>"}]'),
        ("json", b'{"cut": ["off", '),
        ("text", b"[1] See the note below, he said. {sic}"),
        ("text", b"User-agent: *\nDisallow: /"),
        ("text", "Ein Satz ohne Auszeichnung, aber größer als nichts.".encode()),
        ("xml", FEED),
        ("xml", b'<svg xmlns="http://www.w3.org/2000/svg"><path d=""/></svg>'),
        ("xml", b'<?xml version="1.0"?><urlset><url><loc>http://a/</loc></url></urlset>'),
        ("xhtml", XHTML),
        ("html", page("x").encode()),
        ("html", b"\xef\xbb\xbf\r\n <!-- a > comment --> <!DOCTYPE HTML><p>x"),
        ("html", b"<HTML><BODY>x"),
        ("html", b"<p>A fragment, as some servers send."),
        ("html", b"Warning: mysql_connect() failed\n<html><body>x</body></html>"),
        ("html", b"<html><body>" + b"\x00" * 64 + b"text with NULs in it " * 99 + b"</body>"),
        ("html", page(TAIWAN).encode("big5")),
        ("html", page(JAPANESE).encode("iso-2022-jp")),
        ("empty", b""),
        ("empty", b" \r\n\t" * 50),
    ],
)
def test_sniff(kind: str, body: bytes) -> None:
    assert sniff(body) == kind


@given(st.binary(max_size=200))
def test_sniff_never_raises(body: bytes) -> None:
    assert sniff(body)


# ------------------------------------------------------------------------------------- real pages


@pytest.mark.crawl_dev
def test_real_pages_in_legacy_charsets() -> None:
    """Of 139 pages re-encoded with and without labels, at least 137 decode as they should."""
    right = total = 0
    for truth, header, body in real_pages():
        if (truth["injected"] or "").startswith("legacy:"):
            charset = charset_name(truth["encoding"])
            assert charset
            text = body.decode(CODECS.get(charset, charset), "replace").removeprefix("\ufeff")
            total += 1
            right += decode(body, header).text == text
    assert total >= 100
    assert right >= total - 2
