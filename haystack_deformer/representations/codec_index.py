"""Building and training the faiss index that stands behind a codec."""

from __future__ import annotations

import re
from typing import Any

import faiss
import numpy as np

EXAMPLES = "'SQfp16' (half precision), 'SQ8', 'SQ4', 'Flat' (exact) or 'OPQ96,PQ96' (if 96 divides the dimension)"
SQ_TRAINING_VECTORS = 1_000
MAX_SQ_TRAINING_VECTORS = 65_536
PQ_VECTORS_PER_CENTROID = 39  # faiss' own advice (ClusteringParameters::min_points_per_centroid)

_PRIOR_VECTORS = 8
_MOST_RECOMMENDED = 160_000
"""What 12 bits should have; a vector of a large model is 4 kB."""
_BITS = {
    faiss.ScalarQuantizer.QT_8bit: 8,
    faiss.ScalarQuantizer.QT_6bit: 6,
    faiss.ScalarQuantizer.QT_4bit: 4,
    faiss.ScalarQuantizer.QT_fp16: 16,
    faiss.ScalarQuantizer.QT_bf16: 16,
}
# the transforms that faiss can undo (of PCA that without whitening); of others (normalisation, ITQ) it would return
# something else than went in
_TRANSFORMS = (faiss.OPQMatrix, faiss.PCAMatrix, faiss.RandomRotationMatrix)


def build_index(factory_string: str, dimension: int) -> Any:
    """
    Make an untrained index that codes vectors one by one.

    :param factory_string: faiss' factory string.
    :param dimension: length of a vector.
    :raises ValueError: unknown string, wrong dimension, or an index that is no codec.
    """
    if not isinstance(factory_string, str) or dimension < 1:
        problem = "a codec is named by a string and codes vectors of at least one value"
    else:
        try:
            index = faiss.index_factory(dimension, factory_string)
        except RuntimeError as error:
            reason = re.search(r"could not parse|should be a multiple[^)]*\)?[^)]*\)?", str(error))
            problem = "faiss: " + (reason.group() if reason else str(error).rsplit(": ", 1)[-1]).strip()
        else:
            if _is_codec(index):
                return index
            problem = "faiss makes an index of it that cannot code vectors on their own and give them back"
    msg = f"The codec {factory_string!r} cannot be used for vectors of {dimension} values ({problem}). Take {EXAMPLES}"
    raise ValueError(msg)


def required_vectors(index: Any) -> int:
    """
    Count the vectors without which training is impossible.

    :param index: the index.
    """
    transforms, coder = _parts(index)
    if _by_product(coder):
        needed = int(coder.pq.ksub)
    elif any(isinstance(transform, faiss.OPQMatrix) for transform in transforms):
        needed = 256
    else:
        needed = int(_by_ranges(coder))
    # with fewer vectors than dimensions faiss 1.15's OPQ frees what it does not own and takes the process down
    return max([needed, *(t.d_in for t in transforms if isinstance(t, faiss.OPQMatrix | faiss.PCAMatrix))])


def recommended_vectors(index: Any) -> int:
    """
    Count the vectors that make a good training.

    :param index: the index.
    """
    _, coder = _parts(index)
    good = SQ_TRAINING_VECTORS if required_vectors(index) else 0
    if _by_product(coder):
        # with 16 bits faiss' advice would be gigabytes of states
        good = min(PQ_VECTORS_PER_CENTROID * int(coder.pq.ksub), _MOST_RECOMMENDED)
    return max(good, required_vectors(index))


def most_vectors(index: Any) -> int:
    """
    Count the vectors beyond which more make training slower and hardly better.

    :param index: the index.
    """
    transforms, coder = _parts(index)
    return (
        MAX_SQ_TRAINING_VECTORS
        if _by_ranges(coder) and not transforms
        else max(recommended_vectors(index), PQ_VECTORS_PER_CENTROID * 256)
    )


def train_index(index: Any, vectors: np.ndarray) -> None:
    """
    Train an index in place.

    :param index: what `build_index` made.
    :param vectors: float32 (n, dimension), at least `required_vectors(index)` of them.
    """
    transforms, coder = _parts(index)
    rotations = [transform for transform in transforms if isinstance(transform, faiss.OPQMatrix)]
    by_product = _by_product(coder)
    if by_product:
        # orders the centroids for a search by Hamming distance, which nobody makes here: 88 s of a training of 89 s
        coder.do_polysemous_training = False
        _quieten(coder.pq)
    for rotation in rotations:
        # else it would be fitted to codes of 8 bits, whatever the coder's
        bits = coder.pq.nbits if by_product else 8
        rotation.pq = _quieten(faiss.ProductQuantizer(rotation.d_out, rotation.M, bits))
    try:
        index.train(vectors)
    finally:
        for rotation in rotations:
            rotation.pq = None  # Python's to free
    if _by_ranges(coder):
        for transform in transforms:
            vectors = transform.apply(vectors)
        # two vectors at the corners tell faiss the ranges, through its own training by minimum and maximum
        coder.train(np.stack(value_ranges(vectors, _BITS[coder.sq.qtype])).astype(np.float32))


def value_ranges(vectors: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Choose, for each dimension, the range that a scalar quantiser divides into steps.

    The choice was measured on layer 4 of all-MiniLM-L6-v2 over 11,435 tokens of XQuAD (dimensions with ten times the
    median's magnitude among them), mean squared error on passages not trained on:

    - 8 bits: steps are fine and clipping is what hurts, so the range is that seen and a fifth more on either side, or
      five standard deviations, whichever is wider. 5.0e-5 when trained on 500 tokens, where faiss' bare minimum and
      maximum have 56e-5.
    - 4 bits: steps are coarse, so the rare values are clipped: the 0.5% at either end, 5.0e-3 where minimum and maximum
      have 8.8e-3. (faiss' RS_optim comes to the same, but took 40 s for 8,000 vectors and returned NaN for 2,000.)
      With too few tokens for such quantiles, three standard deviations: 6.4e-3 trained on 200 tokens.

    The variance is shrunk towards that of all dimensions together, as if eight more vectors had been seen: a training
    on five tokens is then 40 times more exact, and one on 200 no worse.

    :param vectors: float32 (n, dimension).
    :param bits: of a code.
    :returns: lower and upper ends, each (dimension,).
    """
    n = len(vectors)
    mean = vectors.mean(axis=0, dtype=np.float64)
    pooled = float(vectors.var(dtype=np.float64)) or 1.0
    deviation = np.sqrt((n * vectors.var(axis=0, dtype=np.float64) + _PRIOR_VECTORS * pooled) / (n + _PRIOR_VECTORS))
    if bits > 4:
        low, high = vectors.min(axis=0), vectors.max(axis=0)
        margin = 0.2 * (high - low)
        return np.minimum(low - margin, mean - 5 * deviation), np.maximum(high + margin, mean + 5 * deviation)
    if n < SQ_TRAINING_VECTORS:
        return mean - 3 * deviation, mean + 3 * deviation
    low, high = np.quantile(vectors, [0.005, 0.995], axis=0)
    # a dimension that hardly ever moved would get a range of no width, and with it one value for all that comes
    narrow = high - low < 0.1 * deviation
    return np.where(narrow, mean - 3 * deviation, low), np.where(narrow, mean + 3 * deviation, high)


def _by_product(coder: Any) -> bool:
    return isinstance(coder, faiss.IndexPQ)


def _by_ranges(coder: Any) -> bool:
    return isinstance(coder, faiss.IndexScalarQuantizer) and _BITS[coder.sq.qtype] < 16


def _quieten(quantizer: Any) -> Any:
    # the codec has warned already; faiss would, on stderr, once per sub-quantiser and round
    quantizer.cp.min_points_per_centroid = 1
    return quantizer


def _parts(index: Any) -> tuple[list[Any], Any]:
    transforms: list[Any] = []
    while isinstance(index, faiss.IndexPreTransform):
        chain: Any = index.chain
        transforms += [faiss.downcast_VectorTransform(chain.at(i)) for i in range(chain.size())]
        index = faiss.downcast_index(index.index)
    return transforms, index


def _is_codec(index: Any) -> bool:
    transforms, coder = _parts(index)
    if not all(isinstance(transform, _TRANSFORMS) for transform in transforms):
        return False
    if any(isinstance(t, faiss.PCAMatrix) and (t.eigen_power != 0 or t.d_out > t.d_in) for t in transforms):
        return False
    # one that keeps fewer dimensions loses what is in the others, whatever that is
    if any(isinstance(t, faiss.RandomRotationMatrix) and t.d_out < t.d_in for t in transforms):
        return False
    if any(t.d_out < 1 for t in transforms):
        return False
    if isinstance(coder, faiss.IndexScalarQuantizer):
        return coder.sq.qtype in _BITS  # not SQ8_direct, which keeps whole numbers only
    return isinstance(coder, faiss.IndexFlat | faiss.IndexPQ)
