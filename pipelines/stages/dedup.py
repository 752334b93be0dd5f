"""dedup: a MinHash signature of every text.

inputs      texts
plan        a unit a texts file
transform   row group by row group: shingles -> signatures (quality.minhash)
commit      signatures, row for row with texts

`dedup_pairs` goes on with the documents that share a band, `dedup_clusters` settles them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.errors import UserError
from pipelines.fingerprint import code_hash
from pipelines.recipe import Dedup
from pipelines.run_state import Run
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, TableWriter, read_groups
from quality.minhash import Signatures, signatures

NAME = "dedup"


def check(section: Dedup) -> None:
    """Find now what would only fail later. Raises UserError naming the key."""
    if section.bands > section.num_perm:
        raise UserError(
            f"key 'dedup.bands': {section.bands} bands need as many signature values; "
            f"lower it or raise dedup.num_perm ({section.num_perm})"
        )


def plan(run: Run) -> list[Unit]:
    section = run.recipe.dedup
    basis = [code_hash("pipelines.stages.dedup"), section.num_perm, section.seed]
    return [
        Unit(unit_key(NAME, basis, f.stem, f.logical), f.stem, f.bytes, f)
        for f in run.manifest.tables("refine", "texts")
    ]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, SignWork(run.dir, run.recipe.dedup), units)


@dataclass
class SignWork:
    run_dir: str
    section: Dedup
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        texts: TableFile = unit.payload
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        with TableWriter(self.run_dir, "dedup/signatures", unit.name, schemas.SIGNATURES) as writer:
            for group in read_groups(files.join(self.run_dir, texts.path), ["page_id", "text"]):
                found = [text or "" for text in group["text"].to_pylist()]
                signed = signatures(found, self.section.num_perm, self.section.seed)
                writer.write(to_table(group["page_id"], signed))
                result.count("documents", group.num_rows)
                result.count("wordless", int((signed.shingles == 0).sum()))
            result.tables["signatures"] = [writer.commit()]
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result


def to_table(page_ids: pa.ChunkedArray, signed: Signatures) -> pa.Table:
    """Rows of schema SIGNATURES, the values as little-endian bytes."""
    values = np.ascontiguousarray(signed.values, "<u4")
    rows, num_perm = values.shape
    width = pa.binary(4 * num_perm)
    packed = pa.Array.from_buffers(width, rows, [None, pa.py_buffer(values)])
    columns = [page_ids, pa.array(signed.shingles), packed.cast(pa.binary())]
    return pa.table(columns, schema=schemas.SIGNATURES)


def from_column(signature: pa.ChunkedArray, num_perm: int) -> NDArray[np.uint32]:
    """The values of a signature column, uint32[rows, num_perm]."""
    packed = signature.cast(pa.binary(4 * num_perm)).combine_chunks()
    data = np.frombuffer(packed.buffers()[1], "<u4") if len(packed) else np.zeros(0, "<u4")
    values = data.reshape(-1, num_perm)[packed.offset : packed.offset + len(packed)]
    return np.ascontiguousarray(values, np.uint32)
