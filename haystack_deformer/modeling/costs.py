"""
What reading costs in multiplications and additions, from a model's config alone.

Counted are the matrix products of the layers: projections, attention and feed-forward, what relative positions need
included. The embeddings, normalisations and the head are left out; together they are below one part in a hundred. Of
whole readings every layer is counted in full, at every cut, also the last one that some families trim.
"""

from __future__ import annotations

from transformers import PretrainedConfig

from haystack_deformer.modeling.backbones import backbone_class


def layer_flops(config: PretrainedConfig, length: int, queries: int | None = None) -> int:
    """
    Floating-point operations of one layer over one sequence.

    :param config: of the upstream model.
    :param length: tokens of the sequence.
    :param queries: tokens of it that the layer is computed for, where it is a last layer that was trimmed; None: all.
    """
    queries = length if queries is None else queries
    backbone = backbone_class(config.model_type)
    hidden = int(config.hidden_size)
    intermediate = int(getattr(config, backbone.intermediate_size_field))
    # keys and values of all tokens; queries and what follows the attention of those that are computed
    projections = 4 * (length + queries) * hidden**2
    attention = 4 * queries * length * hidden
    feed_forward = 2 * backbone.feed_forward_matrices * queries * hidden * intermediate
    # what ALBERT calls a layer may be several
    layers = getattr(config, "inner_group_num", 1)
    return layers * (projections + attention + feed_forward + backbone.position_flops(config, length))


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
    convolution = backbone_class(config.model_type).convolution_flops
    first = convolution(config, question_length) if lower_layers else passages * convolution(config, both)
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
