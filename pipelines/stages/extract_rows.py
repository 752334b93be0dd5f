"""The rows that extract writes for one unit: pages, links, robots, documents and ledger."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any

from graph_rank.sites import clean_host, site_of
from pipelines.engine.isolate import Fault
from pipelines.engine.units import UnitResult
from pipelines.store import files, schemas, wat
from pipelines.store.captures import Captured, hash_id
from pipelines.store.tables import ROW_GROUP, TableFile, TableWriter
from pipelines.store.warc import Damage, Record
from quality import urls
from quality.capture import Capture
from quality.html.decode import decode
from quality.optout import parse_robots

_SCHEMAS = {
    "pages": schemas.PAGES,
    "links": schemas.LINKS,
    "robots": schemas.ROBOTS,
    "documents": schemas.DOCUMENTS,
    "ledger": schemas.LEDGER,
}
_ROW_GROUPS = {"documents": 2048}  # texts are larger than other rows


class UnitTables:
    """All tables of one unit, open at once; `commit()` gives their files, leaving drops them."""

    def __init__(self, run_dir: str, name: str, path: str, source: str, result: UnitResult) -> None:
        self.path, self.source, self.result = path, source, result
        self._links: dict[tuple[str, str], list[int]] = {}
        self._stack = ExitStack()
        self._writers = {
            table: self._stack.enter_context(
                TableWriter(
                    run_dir, f"extract/{table}", name, schema, _ROW_GROUPS.get(table, ROW_GROUP)
                )
            )
            for table, schema in _SCHEMAS.items()
        }

    def __enter__(self) -> UnitTables:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def page_row(self, page: Captured, offset: int, length: int) -> dict[str, Any]:
        """The part of a page's row that its headers tell."""
        canonical = urls.canonical_url(page.url)
        host = urls.host_of(canonical)
        site = site_of(host)
        self.result.count(f"records_{page.record_type}")
        return {
            "page_id": page.page_id,
            "url": page.url,
            "canonical_url": canonical,
            "url_key": urls.url_key(page.url),
            "host": host,
            "site": site.site if site else host,
            "icann_domain": site.icann_domain if site else None,
            "captured_at": page.captured_at,
            "record_type": page.record_type,
            "http_status": page.status if page.status and 0 <= page.status < 1000 else None,
            "mime": (page.content_type or "").split(";")[0].strip().lower()[:100] or None,
            "content_bytes": len(page.body),
            "truncated": page.truncated,
            "payload_digest": page.payload_digest,
            "revisit_of": page.revisit_of,
            "problems": " ".join(page.problems) or None,
            "warc_path": self.path,
            "warc_offset": offset,
            "warc_length": length,
        }

    def add(self, page: Captured, row: dict[str, Any], found: Capture) -> None:
        """One page: its row, its links, and its document or the ledger row that says why not."""
        outs = [o for o in (row.pop("header_opt_out", None), found.opt_out) if o]
        row["opt_out"] = "; ".join(outs) or None
        self._writers["pages"].add(
            {
                **row,
                "rel_canonical": found.rel_canonical,
                "charset": found.charset,
                "charset_source": found.charset_source,
                "visible_chars": found.visible_chars,
                "nodes": found.nodes,
                "depth": found.depth,
                "language_guess": found.language,
                "script_guess": found.script,
                "licence_url": found.licence_url,
            }
        )
        self._count_links(row["site"], found.links)
        if found.drop:
            drop = found.drop
            outcome = {"revisit": "merged"}.get(drop.reason, "dropped")
            if drop.reason.startswith("failed_"):
                outcome = "failed"
            self._ledger(row, outcome, drop.reason, drop.value, drop.threshold, drop.detail)
        else:
            self._document(page, row, found)

    def _document(self, page: Captured, row: dict[str, Any], found: Capture) -> None:
        assert found.text is not None
        self.result.count("documents")
        given = page.given
        keys = ("page_id", "url", "canonical_url", "url_key", "site", "host", "captured_at",
                "warc_path", "warc_offset", "warc_length")  # fmt: skip
        self._writers["documents"].add(
            {
                **{key: row[key] for key in keys},
                "source": given.get("source") or self.source,
                "title": given.get("title") or found.title,
                "published_at": given.get("published_at") or found.published_at,
                "extractor": found.extractor,
                "language": given.get("language") or found.language,
                "script": found.script,
                "licence_url": found.licence_url,
                "text_bytes": len(found.text.encode("utf-8", "surrogatepass")),
                "text": found.text,
            }
        )

    def _ledger(
        self,
        row: dict[str, Any],
        outcome: str,
        reason: str,
        value: float | None = None,
        threshold: float | None = None,
        detail: str | None = None,
    ) -> None:
        what = f"{outcome}_{reason}" if "page_id" in row else f"stretch_{reason}"
        self.result.count(what)
        keys = ("url_key", "page_id", "url", "canonical_url", "warc_path", "warc_offset",
                "warc_length")  # fmt: skip
        self._writers["ledger"].add(
            {
                **{key: row.get(key) for key in keys},
                "stage": "extract",
                "outcome": outcome,
                "reason": reason,
                "value": value,
                "threshold": threshold,
                "detail": detail,
            }
        )

    def stretch(self, damage: Damage) -> None:
        """A part of the file that could not be read: one row with where and why."""
        self.result.count("stretches")
        place = {
            "url_key": int(hash_id(self.path)[:16], 16),
            "warc_path": self.path,
            "warc_offset": damage.offset,
            "warc_length": damage.length,
        }
        outcome = "dropped" if damage.reason.startswith("skipped_") else "failed"
        self._ledger(place, outcome, damage.reason, detail=damage.detail)

    def robots_txt(self, page: Captured, row: dict[str, Any]) -> None:
        """What a robots.txt of the crawl says, one row an agent."""
        text = decode(page.body, page.content_type).text
        groups = [(agent, g.rules) for g in parse_robots(text) for agent in g.agents]
        for agent, rules in groups or [("*", ())]:
            self._writers["robots"].add(
                {
                    "host": row["host"],
                    "captured_at": row["captured_at"],
                    "page_id": row["page_id"],
                    "agent": agent,
                    "rules": list(rules),
                }
            )

    def wat_links(self, record: Record) -> None:
        """Links that a WAT file lists for a page it does not hold."""
        found = wat.wat_links(record)
        if found is None:
            return
        self.result.count("records_wat")
        url, base, links = found
        site = site_of(urls.host_of(url))
        counts: dict[str, list[int]] = {}
        for href, rel in links:
            target = urls.resolve(base or url, href)
            host = urls.host_of(target) if target else ""
            if host:
                pair = counts.setdefault(host, [0, 0])
                pair[0] += 1
                pair[1] += any(word in rel for word in ("nofollow", "ugc", "sponsored"))
        self._count_links(
            site.site if site else urls.host_of(url),
            tuple((host, n, nofollow) for host, (n, nofollow) in counts.items()),
        )

    def _count_links(self, source: str, links: tuple[tuple[str, int, int], ...]) -> None:
        """Fold target hosts to sites; hosts without a site (IPs, unknown TLDs) are not linked."""
        for host, count, nofollow in links:
            clean = clean_host(host)
            target = site_of(clean) if clean else None
            if target and source and target.site != source:
                pair = self._links.setdefault((source, target.site), [0, 0])
                pair[0] += count
                pair[1] += nofollow

    def commit(self) -> dict[str, list[TableFile]]:
        for (source, target), (count, nofollow) in sorted(self._links.items()):
            self._writers["links"].add(
                {
                    "source_site": source,
                    "target_site": target,
                    "links": count,
                    "nofollow_links": nofollow,
                }
            )
        return {table: [writer.commit()] for table, writer in self._writers.items()}


class Faults:
    """Pages of a unit that killed their child twice, kept so that a resumed run decides the same.

    A small file a page, written at once: the unit may never finish.
    """

    def __init__(self, run_dir: str, unit_key: str) -> None:
        self.folder = files.join(run_dir, "journal", "extract.faults", unit_key)
        names = files.listing(self.folder) if files.exists(self.folder) else []
        self._seen = {}
        for name in names:
            entry = files.read_json(name)
            self._seen[entry["page_id"]] = Fault(entry["reason"], entry["detail"])

    def known(self, page_id: str) -> bool:
        return page_id in self._seen

    def replay(self, page_id: str) -> Fault:
        return self._seen[page_id]

    def record(self, page_id: str, fault: Fault) -> None:
        """Keep a kill. Exceptions need no keeping: the same page raises them again."""
        if fault.reason != "error" and page_id not in self._seen:
            self._seen[page_id] = fault
            entry = {"page_id": page_id, "reason": fault.reason, "detail": fault.detail}
            files.write_json(files.join(self.folder, page_id + ".json"), entry)
