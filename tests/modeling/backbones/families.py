"""A tiny random model of each family, and the upstream model run over both blocks as k = 0 runs over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering

VOCABULARY = 99
LAYERS = 3
TINY = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}

XLNET = {"vocab_size": VOCABULARY, "d_model": 32, "n_layer": LAYERS, "n_head": 4, "d_inner": 48}

Upstream = Callable[[PreTrainedModel, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Family:
    """
    A line of the conformance test.

    :param name: of transformers' classes, without `Config` and `ForQuestionAnswering`.
    :param upstream: logits of start and end by the upstream model's own `forward`, over the joined blocks.
    :param values: of the config, beside `TINY`.
    :param head: what the upstream class is called behind its name.
    """

    name: str
    upstream: Upstream
    values: dict[str, Any]
    head: str = "ForQuestionAnswering"

    @property
    def passage_first(self) -> bool:
        """Whether the passage stands first, and the null token last."""
        return self.name == "XLNet"

    def config(self) -> PretrainedConfig:
        return getattr(transformers, f"{self.name}Config")(**(XLNET if self.name == "XLNet" else TINY) | self.values)

    @property
    def upstream_class(self) -> type[PreTrainedModel]:
        return getattr(transformers, self.name + self.head)

    def model(self, seed: int = 0, config: PretrainedConfig | None = None) -> PreTrainedModel:
        """Weights wide enough for answers to depend on every part of the input."""
        torch.manual_seed(seed)
        model = self.upstream_class(config or self.config()).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.15 + (1.0 if is_scale(model, parameter) else 0.0))
        return model


def is_scale(model: PreTrainedModel, parameter: Tensor) -> bool:
    """Whether a parameter scales what was normalised."""
    return any(
        getattr(module, "weight", None) is parameter for module in model.modules() if "Norm" in type(module).__name__
    )


def restarted(question: Tensor, passage: Tensor, first: int = 0) -> Tensor:
    """Positions of both blocks, each from `first`."""
    return first + torch.cat([torch.arange(question.shape[1]), torch.arange(passage.shape[1])])[None]


def segments(question: Tensor, passage: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(question), torch.ones_like(passage)], dim=1)


def both(output: Any) -> tuple[Tensor, Tensor]:
    return output.start_logits, output.end_logits


def bert_like(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    joined = torch.cat([question, passage], dim=1)
    return both(model(joined, position_ids=restarted(question, passage), token_type_ids=segments(question, passage)))


def roberta_like(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    first = model.config.pad_token_id + 1
    return both(model(torch.cat([question, passage], dim=1), position_ids=restarted(question, passage, first)))


def distilbert(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    """Upstream takes no positions, but embeddings to which it adds those of the columns."""
    joined = torch.cat([question, passage], dim=1)
    words, positions = model.distilbert.embeddings.word_embeddings, model.distilbert.embeddings.position_embeddings
    columns = positions(torch.arange(joined.shape[1]))[None]
    return both(model(inputs_embeds=words(joined) + positions(restarted(question, passage)) - columns))


def as_joined(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    """Of families whose positions are distances alone, which no block restarts at k = 0."""
    return both(model(torch.cat([question, passage], dim=1)))


def with_segments(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    return both(model(torch.cat([question, passage], dim=1), token_type_ids=segments(question, passage)))


def xlnet_segments(question: Tensor, passage: Tensor) -> Tensor:
    """Those of upstream's tokenizer: the passage's, the question's, that of `<cls>`."""
    segments = torch.cat([torch.zeros_like(passage), torch.ones_like(question)], dim=1)
    # a question of no tokens leaves the passage alone
    segments[:, passage.shape[1] :][:, -1:] = 2
    return segments


def xlnet(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    joined = torch.cat([passage, question], dim=1)
    return both(model(joined, token_type_ids=xlnet_segments(question, passage)))


def xlnet_beam(model: PreTrainedModel, question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor]:
    """Ends are of the best start in the passage before its `<sep>`, that of `<cls>` is of itself."""
    joined = torch.cat([passage, question], dim=1)
    states = model.transformer(joined, token_type_ids=xlnet_segments(question, passage))[0]
    start = model.start_logits(states)
    end = model.end_logits(states, start_positions=start[:, : passage.shape[1] - 1].argmax(1))
    of_cls = model.end_logits(states, start_positions=torch.full((len(joined),), joined.shape[1] - 1))
    return start, torch.cat([end[:, :-1], of_cls[:, -1:]], dim=1)


RELATIVE = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
V3 = {**RELATIVE, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0}
CONVOLUTION = {"conv_kernel_size": 3, "conv_act": "gelu"}
# layers 1 and 2 look two tokens to each side; some public checkpoints ask for compilation, which CPUs are not to do
MODERN = {"local_attention": 4, "pad_token_id": 0, "reference_compile": True}
GROUPS = {"num_hidden_groups": 2, "inner_group_num": 2}

ALL = {
    "albert": Family("Albert", bert_like, {"embedding_size": 16}),
    "albert-groups": Family("Albert", bert_like, {"embedding_size": 16, "num_hidden_layers": 4, **GROUPS}),
    "bert": Family("Bert", bert_like, {}),
    "camembert": Family("Camembert", roberta_like, {"type_vocab_size": 1, "pad_token_id": 1}),
    "deberta": Family("Deberta", as_joined, {**RELATIVE, "type_vocab_size": 0}),
    "deberta-absolute": Family("Deberta", bert_like, {"relative_attention": False, "type_vocab_size": 2}),
    "deberta-v2": Family("DebertaV2", with_segments, {**RELATIVE, "type_vocab_size": 2}),
    "deberta-v2-convolution": Family("DebertaV2", with_segments, {**RELATIVE, "type_vocab_size": 2, **CONVOLUTION}),
    "deberta-v3": Family("DebertaV2", as_joined, V3),
    "distilbert": Family("DistilBert", distilbert, {"hidden_dim": 48}),
    "electra": Family("Electra", bert_like, {"embedding_size": 16}),
    "electra-wide": Family("Electra", bert_like, {"embedding_size": 32}),
    "modernbert": Family("ModernBert", as_joined, MODERN),
    "mpnet": Family("MPNet", roberta_like, {"pad_token_id": 1}),
    "roberta": Family("Roberta", roberta_like, {"type_vocab_size": 1, "pad_token_id": 1}),
    "xlnet": Family("XLNet", xlnet, {}, head="ForQuestionAnsweringSimple"),
    "xlnet-beam": Family("XLNet", xlnet_beam, {}),
    "xlnet-clamped": Family("XLNet", xlnet, {"clamp_len": 5}, head="ForQuestionAnsweringSimple"),
    "xlm-roberta": Family("XLMRoberta", roberta_like, {"type_vocab_size": 1, "pad_token_id": 1}),
}

# an older transformers does not know every family
FAMILIES = {name: family for name, family in ALL.items() if hasattr(transformers, family.name + family.head)}


def cut(model: PreTrainedModel, lower_layers: int) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering(model, DeFormerConfig(lower_layers)).eval()
