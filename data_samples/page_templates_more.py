"""HTML frames of the sites, second part: forums, manuals, wikis, old table layouts, and spam."""

# ruff: noqa: E501 -- lines of HTML are as long as the page wants them

from __future__ import annotations

from page_text import block_html
from page_view import View, number


def posts(v: View, style: str, frame: str) -> str:
    """The posts of a thread in `frame`: {n} number, {name}, {member} line about the author, {text},
    {sig} a signature, in which strangers leave their links."""
    if v.content:
        return v.content
    entities = v.site.get("entities", False)
    rendered = []
    for place, post in enumerate(v.page.posts):
        year = 2004 + number(post.author, 20)
        member = v.t["member"].format(year=year, n=7 + number(post.author + "n", 4000))
        last = place == len(v.page.posts) - 2
        rendered.append(
            frame.format(
                n=place + 1,
                name=v.esc(post.author),
                member=v.esc(member),
                text="\n".join(block_html(block, style, entities) for block in post.blocks),
                sig=v.list(v.stray, "{}") if last else "",
                date=v.date(),
                quote=v.word("quote"),
                report=v.word("report"),
            )
        )
    return "\n".join(rendered) or v.body(style)


def phpbb(v: View) -> str:
    t = v.word
    frame = """<div id="p{n}" class="post bg{n}"><div class="inner">
<dl class="postprofile"><dt><a href="/member">{name}</a></dt><dd>{member}</dd></dl>
<div class="postbody"><p class="author">#{n} {date}</p><ul class="post-buttons"><li>{quote}</li><li>{report}</li></ul>
<div class="content">{text}</div><div class="signature">{sig}</div></div></div></div>
<hr class="divider">"""
    return f"""<!DOCTYPE html>
<html dir="ltr" lang="{v.lang_attr}">
<head>
{v.head_html()}
<link href="./styles/prosilver/theme/stylesheet.css" rel="stylesheet">
</head>
<body id="phpbb" class="section-viewtopic ltr">
<div id="wrap"><div id="page-header"><div class="headerbar"><h1><a href="/">{v.esc(v.site["name"])}</a></h1><p>{v.esc(v.site["about"])}</p></div>
<div class="navbar"><ul class="linklist">{v.list(v.menu, '<li class="icon-home">{}</li>')}<li><a href="/ucp.php?mode=login">{t("login")}</a></li><li><a href="/ucp.php?mode=register">{t("register")}</a></li></ul></div></div>
<div id="page-body"><h2 class="topic-title"><a href="{v.page.url}">{v.esc(v.page.title)}</a></h2>
{posts(v, "div", frame)}
<fieldset class="jumpbox"><ul>{v.list(v.related)}</ul></fieldset>
<div class="stat-block"><p>{t("online")}</p></div><div class="stat-block permissions"><p>{t("forumrules")}</p></div></div>
<div id="page-footer"><div class="copyright">{v.esc(v.site["footer"])}</div><p>{v.list(v.links, "{}", " &bull; ")}</p></div></div>
</body></html>
"""


def discuz(v: View) -> str:
    t = v.word
    frame = """<table id="pid{n}" cellspacing="0" cellpadding="0"><tr><td class="pls" rowspan="2"><div class="authi"><a href="space-uid.html">{name}</a></div><p>{member}</p></td>
<td class="plc"><div class="pi"><em>{date}</em> <a>{quote}</a> <a>{report}</a></div><div class="pct"><table><tr><td class="t_f">{text}</td></tr></table></div></td></tr>
<tr><td class="plc plm"><div class="sign">{sig}</div></td></tr></table>"""
    return f"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
{http_equiv(v)}{v.head_html(charset_meta=False)}
</head>
<body id="nv_forum" class="pg_viewthread">
<div id="toptb"><div class="wp"><a href="/member.php?mod=logging">{t("login")}</a> <a href="/member.php?mod=register">{t("register")}</a></div></div>
<div id="hd"><h2><a href="./">{v.esc(v.site["name"])}</a></h2><div id="nv"><ul>{v.list(v.menu)}</ul></div></div>
<div id="wp"><div id="pt" class="bm"><div class="z">{v.esc(v.site["about"])}</div></div>
<h1 class="ts"><span id="thread_subject">{v.esc(v.page.title)}</span></h1>
<div id="postlist" class="pl bm">
{posts(v, "br", frame)}
</div>
<div id="f_pst"><p>{t("forumrules")}</p></div><div class="bm">{t("related")}<ul>{v.list(v.related)}</ul></div></div>
<div id="ft"><p>{t("online")}</p><p>{v.list(v.links, "{}", " | ")}</p><p>{v.esc(v.site["footer"])}</p><p>Powered by Discuz! X3.4</p></div>
</body></html>
"""


def http_equiv(v: View) -> str:
    if not v.declares_meta:
        return ""
    charset = v.site.get("declared_charset", "utf-8")
    return f'<meta http-equiv="Content-Type" content="text/html; charset={charset}" />\n'


def docs(v: View) -> str:
    page, t = v.page, v.word
    tree = v.list(v.related, '<li class="toctree-l1">{}</li>')
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
<link rel="stylesheet" href="/_static/theme.css"><link rel="search" href="/search.html">
</head>
<body class="wy-body">
<nav class="side"><div class="brand"><a href="/">{v.esc(v.site["name"])}</a></div><form><input type="text" placeholder="{t("search")}"></form>
<ul class="toc">{v.list(v.menu)}</ul><ul>
{tree}
</ul></nav>
<section class="content-wrap"><div role="navigation" class="breadcrumbs"><a href="/">{t("home")}</a> &raquo; {v.esc(page.title)} <a class="edit" href="/edit">{t("edit")}</a></div>
<div role="main" class="document"><h1>{v.esc(page.title)}</h1>
{v.body()}
</div>
<footer><div class="rst-footer-buttons"><a href="#">{t("previous")}</a> <a href="#">{t("next")}</a></div>
<p>{v.esc(v.site["about"])}</p><p>{v.esc(v.site["footer"])}</p><p>{t("cookie")}</p><p>{v.list(v.links, "{}", ", ")}</p></footer></section>
</body></html>
"""


def wiki(v: View) -> str:
    page, t = v.page, v.word
    return f"""<!DOCTYPE html>
<html class="client-nojs" lang="{v.lang_attr}" dir="ltr">
<head>
{v.head_html()}
<meta name="generator" content="MediaWiki 1.42.3">
</head>
<body class="mediawiki ltr sitedir-ltr ns-0 skin-vector">
<div id="mw-page-base" class="noprint"></div>
<div id="content" class="mw-body" role="main"><h1 id="firstHeading" class="firstHeading">{v.esc(page.title)}</h1>
<div id="bodyContent"><div id="siteSub" class="noprint">{v.esc(v.site["about"])}</div>
<div id="mw-content-text" class="mw-content-ltr"><div class="mw-parser-output">
{v.body()}
</div><div class="printfooter">{t("more")}: <a href="{page.url}">{page.url}</a></div></div>
<div id="catlinks" class="catlinks">{t("tags")}: {v.list(v.related[:2], "{}", " | ")}</div></div></div>
<div id="mw-navigation"><ul id="p-personal"><li><a href="/wiki/Special:UserLogin">{t("login")}</a></li></ul><ul id="p-views"><li><a href="/edit">{t("edit")}</a></li></ul>
<ul id="p-nav">{v.list(v.menu)}{v.list(v.related)}</ul></div>
<div id="footer" role="contentinfo"><ul id="footer-info"><li>{v.esc(v.site["footer"])}</li><li>{t("cookie")}</li></ul><ul>{v.list(v.links)}</ul></div>
</body></html>
"""


def tables(v: View) -> str:
    page, t = v.page, v.word
    return f"""<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<HTML>
<HEAD>
{http_equiv(v)}{v.head_html(charset_meta=False)}
</HEAD>
<BODY BGCOLOR="#FFFFE0" LINK="#003399">
<TABLE WIDTH="780" BORDER="0" CELLPADDING="6" ALIGN="center">
<TR><TD COLSPAN="3" BGCOLOR="#336699"><FONT SIZE="5" COLOR="white">{v.esc(v.site["name"])}</FONT></TD></TR>
<TR><TD WIDTH="140" VALIGN="top" BGCOLOR="#EEEECC">{v.list(v.menu, '<FONT SIZE="2">{}</FONT><BR>')}<BR><FONT SIZE="1">{v.esc(v.site["about"])}</FONT></TD>
<TD VALIGN="top"><FONT SIZE="4"><B>{v.esc(page.title)}</B></FONT><BR><FONT SIZE="1">{v.esc(page.by)} {v.date()}</FONT>
{v.body("open")}
</TD>
<TD WIDTH="150" VALIGN="top"><FONT SIZE="2"><B>{t("recent")}</B><BR>{v.list(v.related, "&middot; {}<BR>")}<BR><B>Links</B><BR>{v.list(v.links, "&middot; {}<BR>")}</FONT></TD></TR>
<TR><TD COLSPAN="3" ALIGN="center"><FONT SIZE="1">{v.esc(v.site["footer"])}<BR>{t("newsletter")} {t("contact")} | {t("terms")}</FONT></TD></TR>
</TABLE>
</BODY>
</HTML>
"""


def xhtml(v: View) -> str:
    page, t = v.page, v.word
    charset = v.site.get("declared_charset", "utf-8")
    return f"""<?xml version="1.0" encoding="{charset}"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="{v.lang_attr}" lang="{v.lang_attr}">
<head>
{http_equiv(v)}{v.head_html(charset_meta=False)}
</head>
<body>
<div id="container"><div id="header"><p class="logo"><a href="/">{v.esc(v.site["name"])}</a></p><ul id="gnav">{v.list(v.menu)}</ul></div>
<div id="main"><div class="entry"><h2 class="title">{v.esc(page.title)}</h2><p class="info">{v.date()} {v.esc(page.by)}</p>
{v.body()}
</div><div class="sns">{t("share")}</div></div>
<div id="side"><dl><dt>{t("recent")}</dt>{v.list(v.related, "<dd>{}</dd>")}</dl><p>{v.esc(v.site["about"])}</p></div>
<div id="footer"><p>{v.list(v.links, "{}", " / ")}</p><address>{v.esc(v.site["footer"])}</address><p>{t("cookie")}</p></div></div>
</body>
</html>
"""


def heavy(v: View) -> str:
    """A short text in a frame that is longer than the text and the same on every page."""
    page, t = v.page, v.word
    frame = "\n".join(f"<p>{v.esc(text)}</p>" for text in v.site["frame"])
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
{v.json_ld("JobPosting")}
</head>
<body>
<div class="cookie-wall"><p>{t("cookie")}</p><button>{t("accept")}</button></div>
<header><a href="/">{v.esc(v.site["name"])}</a><nav>{v.list(v.menu, "{}", " ")}</nav><p>{v.esc(v.site["about"])}</p></header>
<div class="job"><h1>{v.esc(page.title)}</h1><p class="ref">{v.date()}</p><div class="job-description">
{v.body()}
</div><a class="apply" href="/apply">{t("register")}</a></div>
<div class="legal">
{frame}
</div>
<div class="similar"><h3>{t("related")}</h3><ul>{v.list(v.related)}</ul></div>
<footer><p>{t("newsletter")}</p><p>{v.esc(v.site["footer"])}</p><ul>{v.list(v.links)}</ul></footer>
</body></html>
"""


def spam(v: View) -> str:
    """Keyword text over a wall of links to the rest of the farm."""
    page = v.page
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
<meta name="keywords" content="{v.esc(", ".join(v.site["keywords"]))}">
</head>
<body>
<div class="top"><a href="/"><b>{v.esc(v.site["name"])}</b></a> {v.list(v.related, "{}", " - ")}</div>
<h1>{v.esc(page.title)}</h1>
<div class="post">
{v.body()}
</div>
<div class="partners">{v.list(v.links, "<b>{}</b>", " * ")}</div>
<div class="foot">{v.list(v.links, "{}", " | ")} {v.word("rights")}</div>
</body></html>
"""


def parked(v: View) -> str:
    return f"""<html><head><title>{v.esc(v.site["name"])}</title><meta name="robots" content="noarchive"><script src="/px.js?d={v.site["key"]}"></script></head>
<body><div id="d"><h1>{v.esc(v.site["name"])}</h1><p>{v.esc(v.site["for_sale"])}</p>
<ul class="rs">{v.list(v.related)}</ul>
<p class="f">{v.list(v.links, "{}", " ")} {v.word("privacy")}</p></div></body></html>
"""
