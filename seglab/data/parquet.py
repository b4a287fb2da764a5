"""Images and masks in parquet files, as the library `datasets` writes them: taken out as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seglab.data.images import MOST_BYTES
from seglab.data.naming import meaning
from seglab.data.pairs import few
from seglab.errors import SeglabError

ROWS = 16  # that are in memory at a time
LETTERS = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"II", "tif"), (b"MM", "tif"),
           (b"BM", "bmp"), (b"GIF", "gif"))  # fmt: skip


def pyarrow() -> Any:
    """pyarrow.parquet; raises SeglabError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise SeglabError(
            'data sets of the hub need a package that is not installed here: pip install "seglab[hub]"'
        ) from None
    return pyarrow.parquet


def pairs(path: Path, name: str, image: str, mask: str) -> Iterator[tuple[bytes, bytes]]:
    """The files of an image and of its mask in each row of a parquet file, which is called `name`; their columns are
    found by their names where none are given. Raises SeglabError for what is not as it should be."""
    from pyarrow import ArrowException

    try:
        with pyarrow().ParquetFile(path) as file:
            columns = columns_of(name, file.schema_arrow, image, mask)
            for batch in file.iter_batches(ROWS, columns=list(dict.fromkeys(columns)), use_threads=False):
                yield from zip(*(contents(batch.column(column)) for column in columns), strict=True)
    except (ArrowException, OverflowError) as error:
        raise SeglabError("{file}: cannot be read ({reason})", file=name, reason=str(error)[:200]) from None


def columns_of(file: str, schema: Any, image: str, mask: str) -> tuple[str, str]:
    """The columns of images and of masks, given or found by their names."""
    pictures = [field.name for field in schema if holds_files(field.type)]
    for given in filter(None, (image, mask)):
        if given not in pictures:
            raise SeglabError(
                "{file}: {name} is no column of pictures; allowed: {names}", file=file, name=given, names=few(pictures)
            )
    kinds = {name: meaning(name).kind for name in pictures}
    images = [image] if image else [name for name in pictures if kinds[name] == "image"]
    masks = [mask] if mask else [name for name in pictures if kinds[name] == "mask"]
    if len(images) != 1 or len(masks) != 1:
        raise SeglabError(
            "{file}: which columns hold the images and the masks is not clear; name them with --data.image and "
            "--data.mask; it has the columns of pictures {names}",
            file=file,
            names=few(pictures) or "-",
        )
    return images[0], masks[0]


def holds_files(kind: Any) -> bool:
    """Whether a column's type is that of pictures: a struct with the bytes and the path of each."""
    from pyarrow import types

    fields = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)} if types.is_struct(kind) else {}
    return "bytes" in fields and (types.is_binary(fields["bytes"]) or types.is_large_binary(fields["bytes"]))


def contents(column: Any) -> list[bytes | None]:
    """The files in a column."""
    return [each and each["bytes"] for each in column.to_pylist()]


def ending_of(content: bytes | None, where: str) -> str:
    """The ending that a picture's file gets; raises SeglabError for what is none."""
    if content and len(content) <= MOST_BYTES:
        for start, ending in LETTERS:
            if content.startswith(start):
                return ending
    raise SeglabError("{file}: is not a picture", file=where)
