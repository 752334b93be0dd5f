"""Paths of any kind (local, s3://, gs://, memory://) through fsspec, and files that appear whole.

A reader must never see half a file. Locally a file is written beside its final place and renamed;
on an object store it is written to local scratch and put in one request, which is atomic there.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipelines.errors import RunError, UserError

TMP_MARK = ".tmp-"


def filesystem(path: str) -> tuple[Any, str]:
    """The fsspec filesystem of a path and the path as that filesystem spells it."""
    try:
        fs, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        scheme = path.split("://")[0]
        raise UserError(
            f"{path}: cannot open {scheme}:// paths: {error} "
            f"(pip install 'gristmill[{scheme if scheme == 's3' else 'gcs'}]')"
        ) from None
    return fs, inner


def is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def join(folder: str, *names: str) -> str:
    return "/".join([folder.rstrip("/"), *names])


def open_read(path: str) -> BinaryIO:
    """A seekable binary file. Raises OSError as the filesystem does."""
    if is_local(path):
        return open(path.removeprefix("file://"), "rb")
    fs, inner = filesystem(path)
    return cast("BinaryIO", fs.open(inner, "rb"))


def exists(path: str) -> bool:
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def identity(path: str) -> tuple[int, str]:
    """Size in bytes and a mark that changes with the content: modification time or etag."""
    fs, inner = filesystem(path)
    info = fs.info(inner)
    mark = info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("LastModified")
    return int(info.get("size") or 0), str(mark or "")


def listing(pattern: str, hidden: bool = False) -> list[str]:
    """Files that a path, folder or glob names, sorted; empty when there are none.

    Names that begin with a dot are left out of folders unless `hidden`.
    """
    fs, inner = filesystem(pattern)
    if any(c in inner for c in "*?["):
        found = [p for p in fs.glob(inner) if not fs.isdir(p)]
    elif fs.isdir(inner):
        found = [p for p in fs.find(inner) if hidden or Path(p).name[0] != "."]
    else:
        found = [inner] if fs.exists(inner) else []
    if isinstance(fs, LocalFileSystem):
        if not os.path.isabs(pattern.removeprefix("file://")):
            found = [os.path.relpath(p) for p in found]
        return sorted(found)
    return sorted(str(fs.unstrip_protocol(p)) for p in found)


def make_folder(path: str) -> None:
    fs, inner = filesystem(path)
    try:
        fs.makedirs(inner, exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from None


def remove(path: str) -> None:
    fs, inner = filesystem(path)
    if fs.exists(inner):
        fs.rm_file(inner)


@contextmanager
def scratch(folder: str) -> Iterator[str]:
    """A local path to write to; gone afterwards unless `publish` moved it away.

    It lies inside `folder` when that is local, so that `publish` is one rename.
    """
    if is_local(folder):
        base = folder.removeprefix("file://")
        os.makedirs(base, exist_ok=True)
    else:
        base = tempfile.gettempdir()
    path = os.path.join(base, TMP_MARK + uuid.uuid4().hex)
    try:
        yield path
    finally:
        if os.path.exists(path):
            os.unlink(path)


def publish(scratch_path: str, final: str) -> None:
    """Give a finished scratch file its name, in one step that a crash cannot halve."""
    crash_point("before rename")
    if is_local(final):
        with open(scratch_path, "rb") as f:
            os.fsync(f.fileno())
        os.replace(scratch_path, final.removeprefix("file://"))
    else:
        fs, inner = filesystem(final)
        fs.put_file(scratch_path, inner)
    crash_point("after rename")


def write_json(path: str, value: Any, indent: int | None = None) -> None:
    """Write JSON that appears whole or not at all."""
    folder = path.rsplit("/", 1)[0] if "/" in path else "."
    with scratch(folder) as tmp:
        with open(tmp, "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=indent, sort_keys=indent is None)
            f.write("\n")
        publish(tmp, path)


def read_json(path: str) -> Any:
    """JSON of a file; None when there is no such file. Raises ValueError on broken JSON."""
    try:
        with open_read(path) as f:
            return json.loads(f.read())
    except (FileNotFoundError, NotADirectoryError):
        return None


def storage_error(path: str, error: OSError) -> RunError:
    """The one line that a full disk, a quota or a missing permission deserves."""
    fixes = {
        errno.ENOSPC: "no space left: free some and run the same command again",
        errno.EDQUOT: "disk quota reached: free some and run the same command again",
        errno.EFBIG: "file size limit reached: raise it (ulimit -f) and run the same command again",
        errno.EACCES: "no permission to write there: choose another --out",
        errno.EROFS: "the file system is read-only: choose another --out",
        errno.ENOTDIR: "a file stands where a folder is needed: choose another --out",
        errno.EEXIST: "a file stands where a folder is needed: choose another --out",
    }
    why = fixes.get(error.errno or 0, str(error.strerror or error))
    return RunError(f"{path}: {why}")


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Turn a failure to write at `path` into its one line."""
    try:
        yield
    except OSError as error:
        if not is_storage_error(error):
            raise
        raise storage_error(str(error.filename or path), error) from error


def is_storage_error(error: BaseException) -> bool:
    """True for errors of the place we write to, which no retry of a unit can mend."""
    return isinstance(error, OSError) and error.errno in {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EMFILE,
    }  # fmt: skip


def crash_point(name: str) -> None:
    """Die here, as `kill -9` would, when GRISTMILL_CRASH_AT says so: `name` or `name:N` (Nth time).

    For the tests of resume; costs one look-up in the environment otherwise.
    """
    wanted = os.environ.get("GRISTMILL_CRASH_AT")
    if not wanted:
        return
    at, _, count = wanted.partition(":")
    if at != name:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] >= int(count or 1):
        os.kill(os.getpid(), 9)


_passed: dict[str, int] = {}
