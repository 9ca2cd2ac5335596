"""
The decomposed model: question and passage apart up to the cut, together above it.

Method: Cao, Trivedi, Balasubramanian, Balasubramanian, "DeFormer: Decomposing Pre-trained Transformers for Faster
Question Answering", ACL 2020.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones import Block, TokenContext, backbone_class
from haystack_deformer.modeling.config import DeFormerConfig
from haystack_deformer.modeling.fingerprint import fingerprint_weights
from haystack_deformer.modeling.loading import load_upstream, resolve_config
from haystack_deformer.modeling.masks import count_positions, full_mask
from haystack_deformer.modeling.outputs import SpanLogits


class DeFormerForQuestionAnswering(nn.Module):
    """
    An extractive question-answering transformer, cut after layer k.

    The logits of `read` and `forward` have 1 + passage length columns: column 0 is the null answer, the logit of
    `[CLS]`, the others are the passage's tokens. The question's tokens are no candidates.

    :param model: transformers' question-answering model of a known family; its modules are used as they are.
    :param deformer_config: the cut and the lengths.
    :raises ValueError: where the cut is not below the last layer, or the family is not known.
    """

    def __init__(self, model: PreTrainedModel, deformer_config: DeFormerConfig) -> None:
        super().__init__()
        self.model = model
        self.backbone = backbone_class(model.config.model_type)(model)
        layers = len(self.backbone.layers)
        if not 0 <= deformer_config.lower_layers < layers:
            msg = (
                f"lower_layers={deformer_config.lower_layers} does not fit a model of {layers} layers: "
                f"give 0 (no cut) to {layers - 1}."
            )
            raise ValueError(msg)
        self.deformer_config = deformer_config

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike[str],
        lower_layers: int | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        attention_dropout: float | None = None,
        **deformer_values: Any,
    ) -> DeFormerForQuestionAnswering:
        """
        Load from any question-answering checkpoint of a known family, an encoder, or a folder of `save_pretrained`.

        ```python
        model = DeFormerForQuestionAnswering.from_pretrained("deepset/bert-base-cased-squad2", lower_layers=9)
        ```

        An encoder without a question-answering head gets a new one, with a warning: it has to be trained. Only
        safetensors are read, never a pickle.

        :param name_or_path: a name on the model hub or a folder.
        :param lower_layers: the cut k, 0 to layers - 1. None: what the folder records; where it records none, three
            quarters of the layers (9 of 12, the paper's choice), with a warning, since the weights know no cut.
        :param revision: branch, tag or commit on the model hub.
        :param token: for a private model of the hub.
        :param attention_dropout: of the attention's weights in training, under whatever name the family has for it;
            None: what the config says. At 0 a fused attention can be used.
        :param deformer_values: other fields of `DeFormerConfig` to set in place of the recorded ones.
        :raises ValueError: for a family that is not known or a cut that does not fit.
        :raises OSError: where there are no weights as safetensors.
        """
        config, deformer_config = resolve_config(name_or_path, lower_layers, revision=revision, token=token)
        deformer_config = replace(deformer_config, **deformer_values)
        if attention_dropout is not None:
            backbone_class(config.model_type).set_attention_dropout(config, attention_dropout)
        model = load_upstream(name_or_path, config, revision=revision, token=token)
        return cls(model, deformer_config).eval()

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        tokenizer: PreTrainedTokenizerFast | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """
        Write `config.json`, `model.safetensors` and the tokenizer's files.

        The folder is also a plain checkpoint of transformers (which then ignores the cut).

        :param folder: made where it does not exist.
        :param tokenizer: written beside the weights; without it the folder does not load by itself.
        :param dtype: of the written weights, `torch.float16` for half the bytes; None: as they are.
        :raises OSError: where the folder cannot be made.
        """
        # transformers meets a path that is a file with a line in the log, and writes nothing
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.model.config.deformer = self.deformer_config.to_dict()
        state_dict = self.model.state_dict()
        if dtype is not None:
            state_dict = {name: tensor.to(dtype) for name, tensor in state_dict.items()}
        self.model.save_pretrained(Path(folder), state_dict=state_dict, safe_serialization=True)
        if tokenizer is not None:
            tokenizer.save_pretrained(Path(folder))

    @property
    def config(self) -> PretrainedConfig:
        """The upstream config."""
        return self.model.config

    @property
    def lower_layers(self) -> int:
        """The cut k."""
        return self.deformer_config.lower_layers

    @property
    def num_layers(self) -> int:
        """Layers below and above the cut together."""
        return len(self.backbone.layers)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @cached_property
    def lower_fingerprint(self) -> str:
        """Digest of all that a block's states depend on in this model: read once, so set the weights before."""
        return fingerprint_weights(self.backbone, self.lower_layers)

    def encode_question(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """
        Run the lower layers over questions.

        :param input_ids: int64, (batch, question length), special tokens included.
        :param attention_mask: (batch, question length), 0 for padding on the right; None: no padding.
        :return: states after layer k, (batch, question length, hidden_size).
        """
        return self._encode(input_ids, attention_mask, Block.QUESTION)

    def encode_passages(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """
        Run the lower layers over windows of passages; what comes out is what is stored.

        :param input_ids: int64, (batch, passage length), special tokens included.
        :param attention_mask: (batch, passage length), 0 for padding on the right; None: no padding.
        :return: states after layer k, (batch, passage length, hidden_size).
        """
        return self._encode(input_ids, attention_mask, Block.PASSAGE)

    def _encode(self, input_ids: Tensor, attention_mask: Tensor | None, block: Block) -> Tensor:
        self._check_length(input_ids, block)
        states = self.backbone.embed(input_ids, block)
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        context = TokenContext(
            attention=None if attention_mask is None else attention_mask.bool()[:, None, None, :],
            positions=positions,
            segments=torch.full_like(positions, block.value),
        )
        return self.backbone.run_layers(states, 0, self.lower_layers, context)

    def read(
        self,
        question_states: Tensor,
        passage_states: Tensor,
        question_mask: Tensor | None = None,
        passage_mask: Tensor | None = None,
    ) -> SpanLogits:
        """
        Run the upper layers over stored states and mark the answers.

        :param question_states: (batch or 1, question length, hidden_size); one question serves all passages.
        :param passage_states: (batch, passage length, hidden_size).
        :param question_mask: (batch or 1, question length), 0 for padding; None: no padding.
        :param passage_mask: (batch, passage length), 0 for padding; None: no padding.
        :return: start and end logits, (batch, 1 + passage length), column 0 the null answer.
        """
        batch = passage_states.shape[0]
        question_states = question_states.expand(batch, -1, -1)
        attention = None
        if question_mask is not None or passage_mask is not None:
            question_mask = full_mask(question_states, question_mask)
            passage_mask = full_mask(passage_states, passage_mask)
            attention = self._join(question_mask, passage_mask)[:, None, None, :]
        states = self._join(question_states, passage_states)
        return self._upper(states, attention, question_mask, passage_mask, question_states.shape[1])

    def forward(
        self,
        question_ids: Tensor,
        passage_ids: Tensor,
        question_mask: Tensor | None = None,
        passage_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> SpanLogits:
        """
        Read in one go, as in training: both blocks in one sequence, kept apart below the cut by the attention mask.

        :param question_ids: int64, (batch, question length).
        :param passage_ids: int64, (batch, passage length).
        :param question_mask: (batch, question length), 0 for padding; None: no padding.
        :param passage_mask: (batch, passage length), 0 for padding; None: no padding.
        :param start_positions: int64, (batch,), columns of the logits: 0 for no answer, else 1 + the passage's token.
        :param end_positions: the same for the last token of the answer.
        :return: loss, `(CE(start) + CE(end)) / 2`, where positions are given; start and end logits as from `read`.
        """
        self._check_length(question_ids, Block.QUESTION)
        self._check_length(passage_ids, Block.PASSAGE)
        question = self.backbone.embed(question_ids, Block.QUESTION)
        passage = self.backbone.embed(passage_ids, Block.PASSAGE)
        question_mask, passage_mask = full_mask(question, question_mask), full_mask(passage, passage_mask)

        segments = self._join(torch.zeros_like(question_ids), torch.ones_like(passage_ids))
        present = self._join(question_mask, passage_mask)
        same_block = segments[:, None, :, None] == segments[:, None, None, :]
        lower = TokenContext(
            attention=same_block & present[:, None, None, :],
            positions=self._join(count_positions(question_mask), count_positions(passage_mask)),
            segments=segments,
        )
        states = self.backbone.run_layers(self._join(question, passage), 0, self.lower_layers, lower)
        output = self._upper(states, present[:, None, None, :], question_mask, passage_mask, question.shape[1])
        if start_positions is None or end_positions is None:
            return output
        start_loss = F.cross_entropy(output.start_logits, start_positions)
        end_loss = F.cross_entropy(output.end_logits, end_positions)
        return SpanLogits((start_loss + end_loss) / 2, output.start_logits, output.end_logits)

    def _upper(
        self,
        states: Tensor,
        attention: Tensor | None,
        question_mask: Tensor | None,
        passage_mask: Tensor | None,
        question_length: int,
    ) -> SpanLogits:
        """Run the layers above the cut over joined states and keep the columns that can be answers."""
        length = states.shape[1]
        passage_length = length - question_length
        segments = self._join(
            torch.zeros((1, question_length), dtype=torch.int64, device=states.device),
            torch.ones((1, passage_length), dtype=torch.int64, device=states.device),
        )
        if attention is None:
            positions = torch.arange(length, device=states.device)[None]
        else:
            positions = count_positions(attention[:, 0, 0, :])
        context = TokenContext(attention=attention, positions=positions, segments=segments)
        states = self.backbone.run_layers(states, self.lower_layers, self.num_layers, context)
        logits = [
            self._columns(logits, question_mask, passage_mask, question_length)
            for logits in self.backbone.span_logits(states, context)
        ]
        return SpanLogits(start_logits=logits[0], end_logits=logits[1])

    def _columns(
        self, logits: Tensor, question_mask: Tensor | None, passage_mask: Tensor | None, question_length: int
    ) -> Tensor:
        """Of the logits of a joined sequence, the null token's and the passage's, padding at the least value."""
        passage_length = logits.shape[1] - question_length
        if self.backbone.passage_first:
            passage, question = logits.split([passage_length, question_length], dim=1)
        else:
            question, passage = logits.split([question_length, passage_length], dim=1)
        if self.backbone.null_first:
            null = question[:, :1]
        elif question_mask is None:
            null = question[:, -1:]
        else:
            null = question.gather(1, question_mask.sum(dim=1, keepdim=True) - 1)
        if passage_mask is not None:
            passage = passage.masked_fill(~passage_mask, torch.finfo(passage.dtype).min)
        return torch.cat([null, passage], dim=1)

    def _join(self, question: Tensor, passage: Tensor) -> Tensor:
        """Both blocks one after the other, in the family's order."""
        return torch.cat([passage, question] if self.backbone.passage_first else [question, passage], dim=1)

    def _check_length(self, input_ids: Tensor, block: Block) -> None:
        longest = self.backbone.max_block_length
        if longest is not None and input_ids.shape[1] > longest:
            msg = (
                f"A {block.name.lower()} of {input_ids.shape[1]} tokens is longer than the {longest} positions of "
                "the model: cut it into windows (passages.PassageTokenizer does) or lower max_seq_len."
            )
            raise ValueError(msg)
