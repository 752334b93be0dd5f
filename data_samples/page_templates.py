"""HTML frames of the sites, first part: papers, blogs, shops and hand-written pages.

Each function turns a View into a whole HTML page. They differ as real sites do: in tags, in
nesting, in where the menu, the cookie banner and the lists of links stand, in tidiness.
"""

# ruff: noqa: E501 -- lines of HTML are as long as the page wants them

from __future__ import annotations

import json

from page_text import escape
from page_view import View, number


def wordpress(v: View) -> str:
    page, t = v.page, v.word
    comments = "".join(
        f'<li class="comment even depth-1"><cite class="fn">{link.html()}</cite></li>'
        for link in v.stray
    )
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
<meta name="generator" content="WordPress 6.6.2">
<link rel="stylesheet" href="/wp-content/themes/fieldnotes/style.css?ver=3.1">
{v.json_ld("BlogPosting")}
</head>
<body class="post-template-default single single-post postid-{number(page.key, 9000)}">
<div id="page" class="site"><a class="skip-link" href="#content">{t("contents")}</a>
<header id="masthead" class="site-header"><p class="site-title"><a href="/" rel="home">{v.esc(v.site["name"])}</a></p>
<nav class="main-navigation"><ul id="primary-menu">{v.list(v.menu, '<li class="menu-item">{}</li>')}</ul></nav></header>
<div id="content" class="site-content"><main id="main"><article class="post type-post hentry">
<header class="entry-header"><h1 class="entry-title">{v.esc(page.title)}</h1>
<div class="entry-meta">{t("posted")} <time datetime="{page.published:%Y-%m-%d}">{v.date()}</time> {t("by")} <span class="author vcard">{v.esc(page.by)}</span></div></header>
<div class="entry-content">
{v.body()}
</div>
<footer class="entry-footer"><span class="tags-links">{t("tags")}: {v.list(v.menu[:2], "{}", ", ")}</span></footer></article>
<div class="sharedaddy"><h3 class="sd-title">{t("share")}</h3></div>
<div id="comments"><ol class="comment-list">{comments}</ol><p class="comment-notes">{t("comments")}</p>
<form action="/wp-comments-post.php" method="post"><textarea name="comment" cols="45" rows="8"></textarea><input type="submit"></form></div></main>
<aside id="secondary" class="widget-area"><section class="widget widget_search"><form role="search"><input type="search" placeholder="{t("search")}"></form></section>
<section class="widget widget_text"><p>{v.esc(v.site["about"])}</p></section>
<section class="widget widget_recent_entries"><h2>{t("recent")}</h2><ul>{v.list(v.related)}</ul></section>
<section class="widget widget_links"><h2>Blogroll</h2><ul class="xoxo blogroll">{v.list(v.links)}</ul></section></aside></div>
<footer id="colophon" class="site-footer"><p>{v.esc(v.site["footer"])}</p></footer></div>
<div class="cookie-notice"><p>{t("cookie")}</p><button>{t("accept")}</button></div>
</body></html>
"""


def news(v: View) -> str:
    page, t = v.page, v.word
    pieces = v.pieces("html5")
    related = f'<aside class="inline-related"><h4>{t("related")}</h4><ul>{v.list(v.related[:2])}</ul></aside>'
    advert = (
        f'<div class="ad-slot" data-slot="mid"><span>{t("ad")}</span>{v.list(v.stray, "{}")}</div>'
    )
    pieces[2:2] = [related]
    pieces[4:4] = [advert]
    return f"""<!doctype html>
<html lang="{v.lang_attr}" class="no-js">
<head>
{v.head_html()}
<meta property="og:title" content="{escape(page.title)}"><meta property="og:type" content="article">
{v.json_ld("NewsArticle")}
<script>window.dataLayer=window.dataLayer||[];dataLayer.push({{"section":"local","id":{number(page.key, 99999)}}});</script>
<style>.ad-slot{{min-height:250px}}.ticker{{overflow:hidden}}</style>
</head>
<body>
<div id="consent" class="cmp" role="dialog"><p>{t("cookie")}</p><button>{t("accept")}</button><button>{t("settings")}</button></div>
<div class="ticker"><ul>{v.list(v.related)}</ul></div>
<header class="top"><a class="logo" href="/">{v.esc(v.site["name"])}</a><span class="claim">{v.esc(v.site["about"])}</span>
<nav aria-label="main"><ul>{v.list(v.menu)}</ul></nav></header>
<div class="grid"><main class="col-8"><article itemscope itemtype="https://schema.org/NewsArticle">
<p class="kicker">{v.list(v.menu[:1], "{}")}</p><h1 itemprop="headline">{v.esc(page.title)}</h1>
<p class="byline">{t("by")} <span itemprop="author">{v.esc(page.by)}</span>, <time datetime="{page.published:%Y-%m-%d}">{v.date()}</time></p>
<ul class="share-bar"><li>{t("share")}</li></ul>
<div class="article-body" itemprop="articleBody">
{chr(10).join(pieces)}
</div></article>
<section class="newsletter-box"><p>{t("newsletter")}</p><form><input type="email"><button>OK</button></form></section>
<section class="comments-teaser"><p>{t("comments")}</p></section></main>
<aside class="col-4"><h3>{t("related")}</h3><ol class="most-read">{v.list(v.related)}</ol><h3>Links</h3><ul>{v.list(v.links)}</ul></aside></div>
<footer class="bottom"><p>{v.esc(v.site["footer"])}</p><ul><li><a href="/privacy">{t("privacy")}</a></li><li><a href="/terms">{t("terms")}</a></li></ul><p>&copy; 2026 {t("rights")}</p></footer>
</body></html>
"""


def shop(v: View) -> str:
    page, t = v.page, v.word
    rows = "\n".join(
        f'<tr><th scope="row">{v.esc(name)}</th><td>{v.esc(value)}</td></tr>'
        for name, value in page.specs
    )
    table = f'<table class="specs"><tbody>\n{rows}\n</tbody></table>' if rows else ""
    cards = v.list(v.related, '<div class="card"><div class="thumb"></div>{}</div>')
    buy = (
        f'<p class="price"><span>{t("price")}</span> <strong>{v.esc(page.price)}</strong></p>'
        f'<form class="cart"><input type="number" value="1"><button>{t("cart")}</button></form>'
        if page.price
        else ""
    )
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
<meta property="og:type" content="product">
{v.json_ld("Product")}
</head>
<body class="product">
<div class="topbar"><span>{t("delivery")}</span><a href="/account">{t("login")}</a></div>
<header><a href="/"><img src="/logo.svg" alt="{v.esc(v.site["name"])}"></a><form class="s"><input placeholder="{t("search")}"></form>
<ul class="nav">{v.list(v.menu)}</ul></header>
<ol class="breadcrumb"><li><a href="/">{t("home")}</a></li>{v.list(v.menu[:1])}<li>{v.esc(page.title)}</li></ol>
<div class="product-main"><div class="gallery"><img src="/img/{number(page.key, 9999)}.jpg" alt=""></div>
<div class="summary"><h1>{v.esc(page.title)}</h1>{buy}</div></div>
<div class="tabs"><div class="tab" id="description">
{v.body()}
</div><div class="tab" id="details"><h2>{t("specs")}</h2>{table}</div></div>
<section class="upsell"><h2>{t("bought")}</h2>{cards}</section>
<section class="nl"><p>{t("newsletter")}</p></section>
<footer><div class="about">{v.esc(v.site["about"])}</div><p>{v.esc(v.site["footer"])}</p>
<ul>{v.list(v.links)}</ul><ul><li><a href="/terms">{t("terms")}</a></li><li><a href="/privacy">{t("privacy")}</a></li></ul></footer>
<div class="cookie"><p>{t("cookie")}</p><button>{t("accept")}</button></div>
</body></html>
"""


def divsoup(v: View) -> str:
    page, t = v.page, v.word
    teasers = v.list(v.related, '<div class="i3"><div class="i3a">{}</div></div>')
    return f"""<html>
<head>
{v.head_html()}
<script src="/js/a.js"></script><script>var _q=_q||[];_q.push(['view','{number(page.key, 99999)}']);</script>
</head>
<body>
<div class="w"><div class="w1"><div class="h"><div class="h1"><a href="/">{v.esc(v.site["name"])}</a></div>
<div class="h2">{v.list(v.menu, "<div>{}</div>", "")}</div></div>
<div class="c"><div class="c1"><div class="c2"><div class="tt">{v.esc(page.title)}</div>
<div class="mt">{v.esc(page.by)} {v.date()}</div>
<div class="tx">
{v.body("br" if number(v.site["key"], 2) else "div")}
</div>
<div class="sh">{t("share")}</div><div class="nx">{v.list(v.stray, "{}")}</div></div>
<div class="r"><div class="r1">{v.esc(v.site["about"])}</div><div class="r2">{t("related")}</div>{teasers}</div></div></div>
<div class="f"><div>{v.esc(v.site["footer"])}</div><div>{v.list(v.links, "{}", " | ")}</div><div>{t("cookie")} <b>{t("accept")}</b></div></div></div></div>
</body>
</html>
"""


def spa(v: View) -> str:
    page, t = v.page, v.word
    state = {
        "props": {"slug": page.key.rsplit("/", 1)[-1], "menu": [link.anchor for link in v.menu]},
        "buildId": f"b{number(page.key, 10**9):x}",
        "notice": v.t["cookie"],
    }
    return f"""<!DOCTYPE html><html lang="{v.lang_attr}"><head>{v.head_html()}<link rel="preload" href="/_app/chunk-7f3a.js" as="script"></head><body><div id="__app"><div data-reactroot=""><header class="css-1x2y3z"><a href="/">{v.esc(v.site["name"])}</a><nav class="css-9k8j7h">{v.list(v.menu, "<span>{}</span>", "")}</nav></header><main class="css-4f5g6h"><h1 class="css-title">{v.esc(page.title)}</h1><div class="css-meta"><span>{v.esc(page.by)}</span><span>{v.date()}</span></div><div class="css-prose">{"".join(v.pieces("html5"))}</div><div class="css-share">{t("share")}</div></main><section class="css-more"><h2>{t("related")}</h2>{v.list(v.related, '<div class="css-card">{}</div>', "")}</section><section class="css-nl"><p>{t("newsletter")}</p></section><footer class="css-foot"><p>{v.esc(v.site["about"])}</p><p>{v.esc(v.site["footer"])}</p><div>{v.list(v.links, "<span>{}</span>", "")}</div></footer><div class="css-toast"><p>{t("cookie")}</p></div></div></div><script id="__STATE__" type="application/json">{json.dumps(state)}</script><script src="/_app/chunk-7f3a.js" async></script></body></html>
"""


def minimal(v: View) -> str:
    return f"""<!doctype html>
<meta charset=utf-8>
<title>{v.esc(v.page.title)}</title>
{v.head}<link rel=stylesheet href=/s.css>
<h1>{v.esc(v.page.title)}</h1>
<p class=date>{v.date()}
{v.body("open").replace("<P>", "<p>")}
<hr>
<p class=nav>{v.list(v.menu, "{}", " / ")}
<p><small>{v.esc(v.site["name"])}: {v.esc(v.site["about"])}</small>
<ul>
{v.list(v.related, "<li>{}")}
</ul>
<p>elsewhere: {v.list(v.links, "{}", ", ")}
<p><small>{v.esc(v.site["footer"])}</small>
"""


def semantic(v: View) -> str:
    page, t = v.page, v.word
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>
{v.head_html()}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{escape(v.site["about"])}">
</head>
<body>
<header role="banner"><p><a href="/">{v.esc(v.site["name"])}</a></p><nav aria-label="primary"><ul>
{v.list(v.menu)}
</ul></nav></header>
<main><article><header><h1>{v.esc(page.title)}</h1><address>{v.esc(page.by)}</address><time datetime="{page.published:%Y-%m-%d}">{v.date()}</time></header>
<section>
{v.body()}
</section>
<footer><p>{t("share")}</p></footer></article></main>
<aside><h2>{t("related")}</h2><ul>
{v.list(v.related)}
</ul><section aria-label="newsletter"><p>{t("newsletter")}</p><form><input type="email" name="m"></form></section></aside>
<footer role="contentinfo"><p>{v.esc(v.site["about"])}</p><p>{v.esc(v.site["footer"])}</p><ul>{v.list(v.links)}</ul><p><small>{t("rights")}</small></p></footer>
<dialog open id="cc"><p>{t("cookie")}</p><button>{t("accept")}</button><button>{t("settings")}</button></dialog>
</body>
</html>
"""


def bootstrap(v: View) -> str:
    page, t = v.page, v.word
    cards = v.list(
        v.related,
        '<div class="col-md-4"><div class="card"><div class="card-body">{}</div></div></div>',
    )
    return f"""<!DOCTYPE html>
<html lang="{v.lang_attr}">
<head>{v.head_html()}
<link href="/assets/css/bootstrap.min.css" rel="stylesheet"></head>
<body>
<nav class="navbar navbar-expand-lg bg-light"><div class="container-fluid"><a class="navbar-brand" href="/">{v.esc(v.site["name"])}</a>
<ul class="navbar-nav me-auto">{v.list(v.menu, '<li class="nav-item">{}</li>')}</ul><a class="btn btn-primary" href="/give">{t("register")}</a></div></nav>
<div class="p-5 mb-4 hero"><div class="container"><h1 class="display-5 fw-bold">{v.esc(page.title)}</h1><p class="lead">{v.esc(v.site["about"])}</p></div></div>
<div class="container"><div class="row"><div class="col-lg-8 offset-lg-2">
{v.body()}
</div></div>
<hr class="featurette-divider"><h2>{t("related")}</h2><div class="row">{cards}</div>
<div class="alert alert-info" role="alert">{t("newsletter")}</div></div>
<footer class="container py-5"><div class="row"><div class="col-6"><p>{v.esc(v.site["footer"])}</p></div><div class="col-6"><ul class="list-unstyled">{v.list(v.links)}</ul></div></div></footer>
<div class="toast fixed-bottom"><div class="toast-body">{t("cookie")}</div></div>
</body></html>
"""


def plain(v: View) -> str:
    return f"""<html><head>{v.head_html()}</head><body bgcolor="white">
<center><h3>{v.esc(v.site["name"])}</h3></center>
<h1>{v.esc(v.page.title)}</h1>
{v.body()}
<hr>
<p><i>{v.esc(v.site["about"])}</i></p>
<p>{v.list(v.menu, "[{}]", " ")} {v.list(v.related, "[{}]", " ")}</p>
<p>{v.list(v.links, "{}", ", ")}</p>
<address>{v.esc(v.site["footer"])}</address>
</body></html>
"""
