"""How fast a corpus is read in, against the bare lower layers."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from haystack_deformer.benchmark.readers import make_store
from haystack_deformer.benchmark.timing import take_turns
from haystack_deformer.benchmark.workload import Workload
from haystack_deformer.passages import load_encoder


def measure_indexing(
    workload: Workload,
    folder: Path,
    codec: str,
    *,
    backend: str = "torch",
    dtype: str = "float32",
    rounds: int = 3,
    progress_bar: bool = True,
) -> dict[str, Any]:
    """
    Passages a second of the whole way into a store, and of the lower layers alone over the same windows.

    :param workload: its documents are written.
    :param folder: for the states; removed before and after.
    :param codec: factory string of faiss.
    :param backend: what runs the lower layers.
    :param dtype: of their matrix products.
    :param rounds: how often both are done, in turn.
    :param progress_bar: whether to show one.
    """
    encoder = load_encoder(
        workload.model, lower_layers=workload.lower_layers, device="cpu", backend=backend, dtype=dtype
    )
    texts = [document.content for document in workload.documents]
    windows = [ids for passage in encoder.tokenizer.passages(texts) for ids in passage.window_ids]

    def bare(_: int) -> None:
        list(encoder.passage_runtime.encode_passages(windows, 32))

    # a folder of its own each time: files that are open in this process would be found again after they are removed
    places = count()

    with tempfile.TemporaryDirectory(dir=folder, prefix="indexing-") as made:

        def write(_: int) -> None:
            place = Path(made) / str(next(places))
            make_store(
                workload, place, codec, representation_backend=backend, representation_dtype=dtype, progress_bar=False
            )

        times = take_turns({"bare": bare, "write": write}, rounds, progress_bar=progress_bar)
    share = float(np.median(times["bare"].seconds / times["write"].seconds))
    return {
        "passages": len(texts),
        "backend": backend,
        "dtype": dtype,
        "codec": codec,
        "passages_per_second": round(len(texts) / times["write"].median, 2),
        "lower_layers_alone_per_second": round(len(texts) / times["bare"].median, 2),
        "share_of_the_bare_rate": round(share, 3),
    }
