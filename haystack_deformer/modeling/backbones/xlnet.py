"""XLNet: the passage first, positions and segments as relations between tokens, in every layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PretrainedConfig, PreTrainedTokenizerFast, XLNetForQuestionAnswering

from haystack_deformer.modeling.backbones.base import Backbone, Block, TokenContext
from haystack_deformer.modeling.backbones.packing import pack, unpack
from haystack_deformer.modeling.config import InputLayout
from haystack_deformer.modeling.masks import present_tokens


class XLNetBackbone(Backbone):
    """
    XLNet: `XLNetForQuestionAnsweringSimple`, and `XLNetForQuestionAnswering` as its beam of one would answer.

    Below the cut each block has relative positions of its own, above it they count through both. `<cls>` closes the
    question and is a segment by itself, as upstream's tokenizer has it.
    """

    model_types = ("xlnet",)
    passage_first = True
    null_first = False
    fingerprint_fields = ("d_model", "n_head", "d_inner", "ff_activation", "layer_norm_eps", "clamp_len")
    # one dropout for all that is dropped
    attention_dropout_field = None
    hidden_dropout_fields = ("dropout",)
    intermediate_size_field = "d_inner"

    @classmethod
    def check(cls, config: PretrainedConfig) -> None:
        """Refuse what reads in one direction, or each half of a batch in another."""
        super().check(config)
        for field, needed in (("attn_type", "bi"), ("bi_data", False)):
            value = getattr(config, field, needed)
            if value != needed:
                msg = f"An xlnet with {field}={value!r} cannot be decomposed: it must be {needed!r}."
                raise ValueError(msg)

    @classmethod
    def upstream_class(cls, config: PretrainedConfig) -> Any:
        """The beam search's head where the checkpoint has that one, else the simple one."""
        if XLNetForQuestionAnswering.__name__ in (config.architectures or ()):
            return XLNetForQuestionAnswering
        return super().upstream_class(config)

    @classmethod
    def position_flops(cls, config: PretrainedConfig, length: int) -> int:
        """Every distance, to both sides, is projected, and every token meets every one; then the two segments."""
        hidden, distances = int(config.hidden_size), 2 * length
        segments = 4 * length * hidden + 4 * length**2 * int(config.num_attention_heads)
        return 2 * distances * hidden**2 + 2 * length * distances * hidden + segments

    @staticmethod
    def layout(tokenizer: PreTrainedTokenizerFast) -> InputLayout:
        """`passage <sep>` and `question <sep> <cls>`."""
        return InputLayout(
            question_prefix=(),
            question_suffix=(tokenizer.sep_token_id, tokenizer.cls_token_id),
            passage_prefix=(),
            passage_suffix=(tokenizer.sep_token_id,),
        )

    @property
    def layers(self) -> nn.ModuleList:
        """The transformer's layers."""
        return self.model.transformer.layer

    @property
    def embeddings(self) -> nn.Module:
        """Words alone."""
        return self.model.transformer.word_embedding

    @property
    def head(self) -> nn.Module:
        """One linear map to two logits, or two maps, the end's of the start's states too."""
        if self._has_beam:
            return nn.ModuleList([self.model.start_logits, self.model.end_logits])
        return self.model.qa_outputs

    @property
    def _has_beam(self) -> bool:
        return isinstance(self.model, XLNetForQuestionAnswering)

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:  # noqa: ARG002  # blocks look alike
        """Words alone: positions and segments come in with every layer."""
        return self._dropped(self.embeddings(input_ids), self.embeddings)

    def _dropped(self, states: Tensor, part: nn.Module) -> Tensor:
        """Upstream has one dropout for all places; of frozen layers none is in training."""
        return F.dropout(states, self.model.transformer.dropout.p, training=part.training)

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """Upstream counts columns, so that padding must be out of the way."""
        states, context, order = pack(states, context)
        length = states.shape[1]
        transformer = self.model.transformer
        positions = transformer.relative_positional_encoding(length, length).to(states)
        arguments = {
            "attn_mask_h": _forbidden(context.attention, states.dtype),
            "r": self._dropped(positions, self.layers[start]) if start < stop else positions,
            "seg_mat": _segment_relations(context, states.dtype),
        }
        states = states.transpose(0, 1)
        for layer in self.layers[start:stop]:
            states = layer(states, None, attn_mask_g=None, **arguments)[0]
        return unpack(states.transpose(0, 1), order)

    def span_logits(self, states: Tensor, context: TokenContext) -> tuple[Tensor, Tensor]:
        """The beam's head gives an end's logits for a start: the passage's best, and `<cls>` for itself."""
        states = self.model.transformer.dropout(states)
        if not self._has_beam:
            start, end = self.model.qa_outputs(states).unbind(dim=-1)
            return start, end
        start = self.model.start_logits(states)
        passage = _tokens(context, Block.PASSAGE) & ~_closing(context, Block.PASSAGE)
        best = start.masked_fill(~passage, torch.finfo(start.dtype).min).argmax(dim=1)
        begin = states.gather(1, best[:, None, None].expand(-1, 1, states.shape[2]))
        begin = torch.where(_closing(context, Block.QUESTION)[:, :, None], states, begin)
        return start, self.model.end_logits(states, start_states=begin)


def _tokens(context: TokenContext, block: Block) -> Tensor:
    """Which tokens are a block's, padding aside: bool, (1 or batch, length)."""
    tokens = context.segments == block.value
    return tokens if context.attention is None else tokens & present_tokens(context.attention)


def _closing(context: TokenContext, block: Block) -> Tensor:
    """Which token is a block's last: the question's `<cls>`, the passage's `<sep>`."""
    tokens = _tokens(context, block)
    count = tokens.long().cumsum(dim=1)
    return tokens & (count == count[:, -1:])


def _segment_relations(context: TokenContext, dtype: torch.dtype) -> Tensor:
    """Whether two tokens are of the same segment, as upstream wants it: (length, length, 1 or batch, 2)."""
    segments = context.segments.masked_fill(_closing(context, Block.QUESTION), 2)
    differ = segments[:, :, None] != segments[:, None, :]
    return F.one_hot(differ.long(), num_classes=2).to(dtype).permute(1, 2, 0, 3)


def _forbidden(attention: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """1 where a token may not attend to another, as upstream wants it: (length, length, batch, 1)."""
    if attention is None:
        return None
    itself = torch.eye(attention.shape[-1], dtype=torch.bool, device=attention.device)
    return (~(attention | itself)).to(dtype).permute(2, 3, 0, 1)
