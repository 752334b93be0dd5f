"""What a stage is given: the run's folder, its recipe, the engine and what is committed so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.recipe import Recipe
from pipelines.store.manifest import Manifest

if TYPE_CHECKING:
    from pipelines.engine.runners import Engine


@dataclass
class Run:
    dir: str
    recipe: Recipe
    engine: Engine
    manifest: Manifest
