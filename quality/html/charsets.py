"""Charset labels as browsers read them: the WHATWG Encoding Standard's names, written by hand.

https://encoding.spec.whatwg.org/#names-and-labels. `iso-8859-1` means windows-1252, `gb2312` means
GBK; labels are compared without case and punctuation, which takes in all of the standard's
spellings and most of the mistaken ones.
"""

from __future__ import annotations

import re

_ALIASES = {
    "utf-8": "utf8 unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4",
    "ibm866": "866 cp866 csibm866 ibm866",
    "iso-8859-2": "csisolatin2 iso885921987 isoir101 l2 latin2",
    "iso-8859-3": "csisolatin3 iso885931988 isoir109 l3 latin3",
    "iso-8859-4": "csisolatin4 iso885941988 isoir110 l4 latin4",
    "iso-8859-5": "csisolatincyrillic cyrillic iso885951988 isoir144",
    "iso-8859-6": "arabic asmo708 csisolatinarabic ecma114 iso88596e iso88596i isoir127",
    "iso-8859-7": "csisolatingreek ecma118 elot928 greek greek8 iso885971987 isoir126 suneugreek",
    "iso-8859-8": "csisolatinhebrew hebrew iso88598e iso885981988 isoir138 visual",
    "iso-8859-8-i": "csiso88598i iso88598i logical",
    "iso-8859-10": "csisolatin6 isoir157 l6 latin6",
    "iso-8859-13": "",
    "iso-8859-14": "",
    "iso-8859-15": "csisolatin9 l9 latin9",
    "iso-8859-16": "",
    "koi8-r": "cskoi8r koi koi8 koi8r",
    "koi8-u": "koi8ru koi8u",
    "macintosh": "csmacintosh mac xmacroman macroman",
    "x-mac-cyrillic": "xmacukrainian maccyrillic",
    "windows-874": "dos874 iso885911 tis620",
    "windows-1252": "ansix341968 ascii usascii csisolatin1 ibm819 cp819 iso88591 iso885911987"
    " isoir100 l1 latin1 ansi",
    "windows-1254": "csisolatin5 iso88599 iso885991989 isoir148 l5 latin5",
    "gbk": "chinese csgb2312 csiso58gb231280 gb2312 gb231280 isoir58 xgbk cp936 windows936",
    "gb18030": "",
    "big5": "big5hkscs cnbig5 csbig5 xxbig5 cp950",
    "euc-jp": "cseucpkdfmtjapanese xeucjp",
    "iso-2022-jp": "csiso2022jp",
    "shift_jis": "csshiftjis ms932 mskanji sjis windows31j xsjis cp932",
    "euc-kr": "cseuckr csksc56011987 isoir149 korean ksc56011987 ksc56011989 ksc5601 windows949"
    " cp949 uhc",
    "utf-16le": "utf16 unicode csunicode iso10646ucs2 ucs2 unicodefeff",
    "utf-16be": "unicodefffe",
} | {f"windows-{n}": "" for n in (1250, 1251, 1253, 1255, 1256, 1257, 1258)}

# Python's codec where it has another name, or is a subset of what browsers read under the label
CODECS = {
    "ibm866": "cp866",
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "windows-874": "cp874",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
}


# charset browsers assume for a language, https://html.spec.whatwg.org/#determining-the-character-encoding
LANGUAGE_DEFAULTS = {
    lang: charset
    for charset, langs in {
        "windows-1250": "bs cs hr hu pl ro sk sl sq",
        "windows-1251": "be bg kk ky mk mn ru sr tg tt uk",
        "windows-1253": "el",
        "windows-1254": "az ku tr",
        "windows-1255": "he iw yi",
        "windows-1256": "ar fa ur",
        "windows-1257": "et lt lv",
        "windows-1258": "vi",
        "windows-874": "th",
        "big5": "zh-hant zh-hk zh-tw",
        "euc-kr": "ko",
        "gb18030": "zh",
        "shift_jis": "ja",
    }.items()
    for lang in langs.split()
}


def _bare(label: str) -> str:
    return re.sub(r"[^a-z0-9]", "", label.lower())


_LABELS = {_bare(name): name for name in _ALIASES}
_LABELS |= {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_LABELS |= {f"{p}{n}": f"windows-{n}" for n in range(1250, 1259) for p in ("cp", "xcp", "win")}


def charset_name(label: str | None) -> str | None:
    """WHATWG name of a charset label ('GB2312' -> 'gbk', 'latin1' -> 'windows-1252').

    Punctuation and case don't count; a few labels browsers refuse but pages use (`cp936`,
    `win-1251`, `uhc`) are known too. None for an unknown label.
    """
    return _LABELS.get(_bare(label)) if label else None
