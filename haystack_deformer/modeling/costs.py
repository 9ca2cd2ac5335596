"""
What reading costs in multiplications and additions, from a model's config alone.

Counted are the matrix products of the layers: projections, attention and feed-forward, what relative positions need
included. The embeddings, normalisations and the head are left out; together they are below one part in a hundred. Of
whole readings every layer is counted in full, at every cut, also the last one that some families trim.
"""

from __future__ import annotations

from transformers import PretrainedConfig

_INTERMEDIATE = ("intermediate_size", "hidden_dim", "d_inner")


def layer_flops(config: PretrainedConfig, length: int, queries: int | None = None) -> int:
    """
    Floating-point operations of one layer over one sequence.

    :param config: of the upstream model.
    :param length: tokens of the sequence.
    :param queries: tokens of it that the layer is computed for, where it is a last layer that was trimmed; None: all.
    """
    queries = length if queries is None else queries
    hidden = int(config.hidden_size)
    intermediate = int(next(getattr(config, name) for name in _INTERMEDIATE if hasattr(config, name)))
    # ModernBERT's feed-forward has a gate
    maps = 3 if config.model_type == "modernbert" else 2
    # keys and values of all tokens; queries and what follows the attention of those that are computed
    projections = 4 * (length + queries) * hidden**2
    attention = 4 * queries * length * hidden
    feed_forward = 2 * maps * queries * hidden * intermediate
    layers = getattr(config, "inner_group_num", 1)
    return layers * (projections + attention + feed_forward + _relative_flops(config, length))


def convolution_flops(config: PretrainedConfig, length: int) -> int:
    """
    Floating-point operations of the convolution that some DeBERTa v2 have over their first layer.

    :param config: of the upstream model.
    :param length: tokens of the sequence.
    """
    groups = getattr(config, "conv_groups", 1)
    return 2 * length * getattr(config, "conv_kernel_size", 0) * int(config.hidden_size) ** 2 // groups


def _relative_flops(config: PretrainedConfig, length: int) -> int:
    """What a layer does more for relative positions and segments."""
    hidden = int(config.hidden_size)
    if config.model_type == "xlnet":
        # every distance, to both sides, is projected, and every token meets every one; then the two segments' relations
        distances = 2 * length
        segments = 4 * length * hidden + 4 * length**2 * int(config.num_attention_heads)
        return 2 * distances * hidden**2 + 2 * length * distances * hidden + segments
    if config.model_type in {"deberta", "deberta-v2"} and config.relative_attention:
        most = config.max_relative_positions
        most = config.max_position_embeddings if most < 1 else most
        buckets = getattr(config, "position_buckets", -1)
        span = min(length, most) if config.model_type == "deberta" else (buckets if buckets > 0 else most)
        kinds = len({"c2p", "p2c"} & set(config.pos_att_type or ()))
        return kinds * (2 * 2 * span * hidden**2 + 2 * length * 2 * span * hidden)
    return 0


def reading_flops(
    config: PretrainedConfig, lower_layers: int, *, question_length: int, passage_length: int, passages: int = 1
) -> int:
    """
    Floating-point operations of one question on passages whose states after layer k are stored.

    The question's lower layers run once, whatever the number of passages. At k = 0 this is plain reading.

    :param config: of the upstream model.
    :param lower_layers: the cut k.
    :param question_length: tokens of the question, special tokens included.
    :param passage_length: tokens of each passage, special tokens included.
    :param passages: how many.
    """
    upper_layers = int(config.num_hidden_layers) - lower_layers
    both = question_length + passage_length
    question = lower_layers * layer_flops(config, question_length)
    upper = passages * upper_layers * layer_flops(config, both)
    first = convolution_flops(config, question_length) if lower_layers else passages * convolution_flops(config, both)
    return question + upper + first


def compute_ratio(
    config: PretrainedConfig, lower_layers: int, *, question_length: int, passage_length: int, passages: int = 1
) -> float:
    """
    How many times less is computed for a question with stored states than with k = 0, where every layer reads both.

    :param config: of the upstream model.
    :param lower_layers: the cut k.
    :param question_length: tokens of the question, special tokens included.
    :param passage_length: tokens of each passage, special tokens included.
    :param passages: how many.
    """
    lengths = {"question_length": question_length, "passage_length": passage_length, "passages": passages}
    return reading_flops(config, 0, **lengths) / reading_flops(config, lower_layers, **lengths)
