"""The recipe: a typed YAML file that says what a run reads, asks, keeps and writes.

A key that is not known is an error that names the nearest one that is, so that a typo can never
be a silent no-op.
"""

from __future__ import annotations

import difflib
import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import UserError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """One input: a path, folder or glob, and the source name its documents carry."""

    path: str
    source: str = "crawl"


class Limits(_Section):
    """What a page may be; beyond it the page is a ledger row, not a wait."""

    body_bytes: int = Field(5_000_000, gt=0, description="decoded body, bytes")
    nodes: int = Field(30_000, gt=0, description="elements in the HTML tree")
    depth: int = Field(200, gt=0, description="nesting; trafilatura finds nothing at 255")
    cpu_seconds: float = Field(60, gt=0, description="backstop: one page's CPU time")
    memory_mb: int = Field(3000, gt=0, description="backstop: one page's memory")


class Gate(_Section):
    """Questions asked of a page before it is extracted, cheapest first. null: not asked."""

    status: list[int] | None = [200]
    url_blocklist: str | None = Field(None, description="file: one URL or URL prefix a line")
    domain_blocklist: str | None = Field(None, description="file: one site or host a line")
    domain_allowlist: str | None = Field(None, description="file: one site or host a line")
    opt_outs: Literal["honour", "record"] = "honour"
    sites: str | None = Field(None, description="a run folder or a sites Parquet file with ranks")
    tiers: list[str] = ["head", "middle", "fringe", "unknown"]
    min_visible_chars: int | None = Field(200, ge=0)
    languages: list[str] | None = Field(None, description="language codes to keep; null: all")


class Extract(_Section):
    extractor: str = Field("trafilatura", description="trafilatura, or package.module:function")
    links_only: bool = False
    agents: list[str] = Field(
        ["CCBot", "GPTBot", "Google-Extended", "ClaudeBot"],
        description="crawlers for training whose opt-outs are honoured",
    )
    gate: Gate = Gate()
    limits: Limits = Limits()


class Rank(_Section):
    trusted: str | None = Field(None, description="file: one trusted site a line, for TrustRank")
    nofollow: bool = Field(False, description="count links marked nofollow, ugc or sponsored")
    same_organisation: bool = Field(False, description="count links within one ICANN domain")
    damping: float = Field(0.85, gt=0, lt=1)
    harmonic_samples: int = Field(2048, gt=0, description="sources; fewer sites: all, exactly")
    tiers: dict[Literal["head", "middle"], float] = Field(
        {"head": 0.99, "middle": 0.8}, description="lowest harmonic percentile of each tier"
    )


class Classifier(_Section):
    """A fastText model for `quality`: one that is there, or rows (text, label) to train it on."""

    model: str | None = None
    train: str | None = Field(None, description="JSONL: text, label (good or bad)")
    dim: int = Field(64, gt=0)
    epoch: int = Field(5, gt=0)
    bucket: int = Field(200_000, gt=0, description="hashed word pairs; 4 * dim bytes each")
    seed: int = 17

    @model_validator(mode="after")
    def _one(self) -> Classifier:
        if (self.model is None) == (self.train is None):
            raise ValueError("give either model or train")
        return self


class Refine(_Section):
    rules: list[str] = Field(["starter"], description="rule sets: `starter` or YAML files")
    signals: dict[str, str] = Field({}, description="your own: name -> package.module:function")
    classifier: Classifier | None = None


class Dedup(_Section):
    threshold: float = Field(0.7, gt=0, le=1, description="exact Jaccard of a pair of copies")
    num_perm: int = Field(128, ge=16, le=1024)
    bands: int = Field(32, gt=0)
    seed: int = 1
    hot_group: int = Field(100, ge=2, description="larger band groups are compared to leaders")


class Threshold(_Section):
    min: float | None = None
    max: float | None = None


class Decide(_Section):
    robots: Literal["honour", "record"] = "honour"
    filters: str | None = Field("default", description="`default`, a YAML file, or null")
    thresholds: dict[str, Threshold] = Field({}, description="filter name -> other limits")
    min_quality: float | None = Field(None, description="lowest quality; null: no question")
    tiers: list[str] | None = Field(None, description="authority tiers to keep; null: all")
    captures: Literal["latest", "all"] = Field("latest", description="of one canonical URL")
    copies: Literal["merge", "keep"] = "merge"


class PackSource(_Section):
    where: str = Field("true", description="SQL predicate over document columns")


class Pack(_Section):
    shard_text_mb: float = Field(128, gt=0, description="text a shard, megabytes")
    seed: int = 17
    sources: dict[str, PackSource] = {"web": PackSource()}

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: dict[str, PackSource]) -> dict[str, PackSource]:
        for name in sources:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
                raise ValueError(
                    f"source name {name!r} must be lower-case letters, digits, - and _"
                )
        return sources


class Recipe(_Section):
    input: str | list[str | Source]
    sample: float = Field(1.0, gt=0, le=1, description="share of sites to keep, by hash")
    tokenizer: str = "o200k_base"
    extract: Extract = Extract()
    rank: Rank = Rank()
    refine: Refine = Refine()
    dedup: Dedup = Dedup()
    decide: Decide = Decide()
    pack: Pack = Pack()

    def sources(self) -> list[Source]:
        items = self.input if isinstance(self.input, list) else [self.input]
        return [i if isinstance(i, Source) else Source(path=i) for i in items]


def load(name_or_path: str, settings: list[str] | None = None) -> Recipe:
    """A recipe by name (`web`) or path, with `--set a.b=value` applied. Raises UserError."""
    text, where = _text(name_or_path)
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UserError(f"{where}: a recipe is a mapping whose first key is 'input'")
    return build(data, settings or [], where)


def build(data: dict[str, Any], settings: list[str], where: str) -> Recipe:
    """A recipe from its keys, with settings applied; `where` is named in errors."""
    for setting in settings:
        _apply(data, setting)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error)}") from None


def names() -> list[str]:
    """The recipes that come with Gristmill."""
    folder = resources.files("pipelines") / "recipes"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))


def _text(name_or_path: str) -> tuple[str, str]:
    if name_or_path in names():
        file = resources.files("pipelines") / "recipes" / f"{name_or_path}.yaml"
        return file.read_text(encoding="utf-8"), f"recipe {name_or_path}"
    path = Path(name_or_path)
    if not path.is_file():
        near = difflib.get_close_matches(name_or_path, names(), 1)
        hint = f"did you mean '{near[0]}'?" if near else f"recipes: {', '.join(names())}"
        raise UserError(f"{name_or_path}: no such recipe or file; {hint}")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _apply(data: dict[str, Any], setting: str) -> None:
    key, eq, value = setting.partition("=")
    if not eq:
        raise UserError(f"--set {setting}: write key=value, for example pack.seed=3")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"--set {setting}: the value is not YAML") from None
    if parsed is None and value.strip() not in ("null", "~"):
        parsed = value
    at = data
    *folders, last = key.strip().split(".")
    for folder in folders:
        inner = at.setdefault(folder, {})
        if not isinstance(inner, dict):
            raise UserError(f"--set {setting}: '{folder}' is a value, not a section")
        at = inner
    at[last] = parsed


def _explain(error: ValidationError) -> str:
    """The first problem of a recipe, as one line with the key and the fix."""
    first = error.errors()[0]
    path = [str(p) for p in first["loc"] if p not in ("str", "Source") and "[" not in str(p)]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _keys(path[:-1]), 1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_keys(path[:-1]))}"
        return f"unknown key '{key}'; {hint}"
    if first["type"] == "missing":
        return f"key '{key}' is missing; write it in the recipe or give --set {key}=..."
    given = first.get("input")
    return f"key '{key}': {first['msg'].lower()} (got {given!r})"


def _keys(path: list[str]) -> list[str]:
    """The keys a section may have; path: section names from the top."""
    model: Any = Recipe
    for name in path:
        field = cast("dict[str, Any]", model.model_fields).get(name)
        if field is None:
            return list(PackSource.model_fields)
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            model = PackSource
    return list(model.model_fields)
