"""The command line. Each command is a few lines over a function that does the work.

Beam is imported only by commands that run something: questions of a finished run start at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UserError, one_line

app = typer.Typer(
    name="gristmill",
    help="Turn web crawls into training-ready shards, and say of every page what became of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunDir = Annotated[str, typer.Argument(metavar="RUN", help="The --out folder of a run.")]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": False})
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe's name (web, demo) or a YAML file.")],
    out: Annotated[str, typer.Option(help="Folder for tables, shards and manifest.")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a recipe key: a.b=value.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
    sample: Annotated[
        str | None, typer.Option(help="Share of sites to keep, by hash: 1% or 0.01.")
    ] = None,
    links_only: Annotated[
        bool, typer.Option("--links-only", help="Only pages, links and site ranks: no texts.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan only.")] = False,
    runner: Annotated[str, typer.Option(help="local, portable, flink or dataflow.")] = "local",
    workers: Annotated[int, typer.Option(help="Worker processes; 0: one a core.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a recipe from crawl to shards. Options after -- go to Beam."""
    from pipelines import recipe as recipes
    from pipelines import run as runs
    from pipelines.engine.runners import Engine, check_profile
    from pipelines.inspect import progress, show

    settings = [*(settings or []), *([f"sample={_share(sample)}"] if sample else [])]
    settings += ["extract.links_only=true"] if links_only else []
    loaded = recipes.load(recipe, settings)
    out = out or f"runs/{Path(recipe).stem}"
    engine = Engine(check_profile(runner), workers, tuple(context.args))
    if dry_run:
        show.plan(runs.plan_only(loaded, out, engine), as_json)
        return
    quiet = as_json or not sys.stderr.isatty()
    with progress.display(quiet) as watch:
        manifest = runs.run(loaded, out, engine, until, watch, progress.say(as_json))
    show.summary(manifest, as_json)


@app.command()
def extract(
    pages: Annotated[str, typer.Argument(metavar="PAGES", help="WARC, or JSONL: id, url, html.")],
    out: Annotated[str, typer.Argument(metavar="OUT.parquet")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A recipe key: extract.gate.status=[200].")
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes; 0: one a core.")] = 0,
    as_json: Json = False,
) -> None:
    """Text of every page of a plain file: id, page_id, url, text, title, outcome, reason."""
    from pipelines.engine.runners import Engine
    from pipelines.plain.extract import extract as extract_pages

    rows = extract_pages(pages, out, Engine("local", workers), settings or [])
    print(json.dumps({"rows": rows, "out": out}) if as_json else f"{rows:,} rows in {out}")


@app.command()
def rank(
    edges: Annotated[str, typer.Argument(metavar="EDGES", help="Parquet: source, target; or TSV.")],
    out: Annotated[str, typer.Argument(metavar="OUT.parquet")],
    level: Annotated[str, typer.Option(help="host, site or domain.")] = "host",
    trusted: Annotated[str | None, typer.Option(help="File: one trusted name a line.")] = None,
    as_json: Json = False,
) -> None:
    """PageRank, harmonic centrality and trust of every name in a list of links."""
    from pipelines.plain.rank import rank as rank_edges

    done = rank_edges(edges, out, level, trusted)
    if as_json:
        print(json.dumps(done._asdict()))
    else:
        print(
            f"{done.sites:,} names and {done.edges:,} links from {done.rows:,} rows in {out}; "
            f"{done.dropped:,} rows had no valid name"
        )


@app.command()
def dedup(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="JSONL or Parquet: id, text.")],
    out: Annotated[str, typer.Argument(metavar="OUT.parquet")],
    threshold: Annotated[float, typer.Option(min=0.01, max=1, help="Exact Jaccard.")] = 0.7,
    workers: Annotated[int, typer.Option(help="Worker processes; 0: one a core.")] = 0,
    as_json: Json = False,
) -> None:
    """Mark near-duplicate texts: id, cluster_id, kept, similarity, partner."""
    from pipelines.engine.runners import Engine
    from pipelines.plain.dedup import dedup as mark
    from pipelines.recipe import Dedup

    done = mark(source, out, Dedup(threshold=threshold), Engine("local", workers))
    if as_json:
        print(json.dumps(done))
    else:
        print(f"{done['documents']:,} texts, {done['kept']:,} kept; which and why in {out}")


@app.command()
def why(
    run: RunDir,
    url_or_id: Annotated[str, typer.Argument(metavar="URL_OR_ID")],
    as_json: Json = False,
) -> None:
    """What became of a page, which rule decided, and the copy it was merged into."""
    from pipelines.inspect import show
    from pipelines.inspect.why import why as ask
    from pipelines.store.manifest import must_load

    show.why(ask(must_load(run), url_or_id), as_json)


@app.command()
def funnel(run: RunDir, as_json: Json = False) -> None:
    """Documents and tokens that each stage let through, and why not the rest."""
    from pipelines.inspect import funnel as funnels
    from pipelines.inspect import show
    from pipelines.store.manifest import must_load

    found = must_load(run)
    show.funnel(funnels.funnel(found), funnels.filters(found), funnels.unreadable(found), as_json)


@app.command()
def sample(
    run: RunDir,
    where: Annotated[
        str | None, typer.Option(help="SQL over documents and decisions: \"language = 'zh'\".")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 20,
    dropped: Annotated[bool, typer.Option(help="Those that decide took out.")] = False,
    chars: Annotated[int, typer.Option(min=0, help="Characters of text to show.")] = 400,
    as_json: Json = False,
) -> None:
    """Read documents: the same repeatable handful on every call."""
    from pipelines.inspect import show
    from pipelines.inspect.sample import sample as draw
    from pipelines.store.manifest import must_load

    show.sample(draw(must_load(run), where, count, dropped), chars, as_json)


@app.command()
def sql(
    run: RunDir, query: Annotated[str, typer.Argument(metavar="SELECT")], as_json: Json = False
) -> None:
    """Ask a run's tables with DuckDB. Views: pages, documents, decisions, ledger, shards ..."""
    from pipelines.inspect import show
    from pipelines.inspect.db import rows
    from pipelines.store.manifest import must_load

    show.rows(rows(must_load(run), query), as_json)


@app.command()
def views(run: RunDir, as_json: Json = False) -> None:
    """The tables that `sql` can ask, with their columns."""
    from pipelines.inspect import show
    from pipelines.inspect.db import VIEWS, rows
    from pipelines.store.manifest import must_load

    found = must_load(run)
    there = [v for v, (stage, table) in VIEWS.items() if found.paths(stage, table)]
    columns = {
        view: ", ".join(
            f"{r['column_name']} {r['column_type'].lower()}"
            for r in rows(found, f"DESCRIBE {view}")
        )
        for view in there
    }
    show.rows([{"view": view, "columns": columns[view]} for view in there], as_json)


@app.command()
def verify(run: RunDir, as_json: Json = False) -> None:
    """Check every committed file's hash, the shards' order and the ledger's balance."""
    from pipelines.inspect.verify import verify as check
    from pipelines.store.manifest import must_load

    found = must_load(run)
    problems = check(found)
    named = len(found.named())
    if as_json:
        print(json.dumps({"files": named, "problems": problems}))
    else:
        for problem in problems:
            print(problem)
        print(f"{named} files checked, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def clean(
    run: RunDir,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole run.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what the manifest does not name: leftovers of attempts and of earlier recipes."""
    from pipelines.run import clean as sweep

    removed, size = sweep(run, everything)
    if as_json:
        print(json.dumps({"files": removed, "bytes": size}))
    else:
        print(f"removed {removed} files, {size / 1e6:.1f} MB")


def _share(text: str) -> float:
    try:
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UserError(f"--sample {text}: write a share such as 1% or 0.01") from None
    if not 0 < share <= 1:
        raise UserError(f"--sample {text}: must be above 0 and at most 100%")
    return share


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors a user can mend are one line, `GRISTMILL_DEBUG=1` shows all."""
    _quiet_libraries()
    try:
        app(args=arguments, standalone_mode=True)
    except UserError as error:
        if os.environ.get("GRISTMILL_DEBUG"):
            raise
        print(f"gristmill: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("gristmill: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        if os.environ.get("GRISTMILL_DEBUG"):
            raise
        print(
            f"gristmill: {one_line(error)} (a bug; GRISTMILL_DEBUG=1 shows where)", file=sys.stderr
        )
        sys.exit(1)


def _quiet_libraries() -> None:
    import logging

    logging.basicConfig(level=logging.ERROR, format="%(message)s")


if __name__ == "__main__":
    main()
