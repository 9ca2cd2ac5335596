"""
The decomposed model: question and passage apart up to the cut, together above it.

Method: Cao, Trivedi, Balasubramanian, Balasubramanian, "DeFormer: Decomposing Pre-trained Transformers for Faster
Question Answering", ACL 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from haystack_deformer.modeling.backbones import Block, TokenContext
from haystack_deformer.modeling.joining import JoinedBlocks
from haystack_deformer.modeling.masks import full_mask
from haystack_deformer.modeling.outputs import SpanLogits, span_cross_entropy
from haystack_deformer.modeling.pretrained import DeFormerPreTrainedModel


class DeFormerForQuestionAnswering(DeFormerPreTrainedModel):
    """
    An extractive question-answering transformer, cut after layer k.

    The logits of `read` and `forward` have 1 + passage length columns: column 0 is the null answer, the logit of
    `[CLS]`, the others are the passage's tokens. The question's tokens are no candidates.

    :param model: transformers' question-answering model of a known family; its modules are used as they are.
    :param deformer_config: the cut and the lengths.
    :raises ValueError: where the cut is not below the last layer, or the family is not known.
    """

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
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        context = TokenContext(
            attention=None if attention_mask is None else attention_mask.bool()[:, None, None, :],
            positions=positions,
            segments=torch.full_like(positions, block.value),
        )
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._lower_frozen):
            return self.backbone.run_layers(self.backbone.embed(input_ids, block), 0, self.lower_layers, context)

    def read(
        self,
        question_states: Tensor,
        passage_states: Tensor,
        question_mask: Tensor | None = None,
        passage_mask: Tensor | None = None,
        *,
        output_hidden_states: bool = False,
    ) -> SpanLogits:
        """
        Run the upper layers over stored states and mark the answers.

        :param question_states: (batch or 1, question length, hidden_size); one question serves all passages.
        :param passage_states: (batch, passage length, hidden_size).
        :param question_mask: (batch or 1, question length), 0 for padding; None: no padding.
        :param passage_mask: (batch, passage length), 0 for padding; None: no padding.
        :param output_hidden_states: whether to return what comes out of each upper layer.
        :return: start and end logits, (batch, 1 + passage length), column 0 the null answer.
        """
        question_states = question_states.expand(passage_states.shape[0], -1, -1)
        blocks = JoinedBlocks.of(self.backbone, question_states, passage_states, question_mask, passage_mask)
        return self._upper(blocks.join(question_states, passage_states), blocks, output_hidden_states)

    def forward(
        self,
        question_ids: Tensor,
        passage_ids: Tensor,
        question_mask: Tensor | None = None,
        passage_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        *,
        passage_index: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> SpanLogits:
        """
        Read from token ids, as in training.

        With `passage_index` the blocks go through the lower layers apart, a passage once for all its questions. Without
        it both are in one sequence, kept apart below the cut by the attention mask: what the method is defined as, and
        what the shorter ways are tested against.

        :param question_ids: int64, (batch, question length).
        :param passage_ids: int64, (passages, passage length); as many as questions where there is no `passage_index`.
        :param question_mask: (batch, question length), 0 for padding; None: no padding.
        :param passage_mask: (passages, passage length), 0 for padding; None: no padding.
        :param start_positions: int64, (batch,), columns of the logits: 0 for no answer, else 1 + the passage's token,
            `IGNORE_INDEX` for a question without a label.
        :param end_positions: the same for the last token of the answer.
        :param passage_index: int64, (batch,), row of `passage_ids` that each question is asked of.
        :param output_hidden_states: whether to return what comes out of each upper layer.
        :return: loss, `(CE(start) + CE(end)) / 2`, where positions are given; start and end logits as from `read`.
        """
        if passage_index is not None:
            question = self.encode_question(question_ids, question_mask)
            passage = self.encode_passages(passage_ids, passage_mask)[passage_index]
            passage_mask = None if passage_mask is None else passage_mask[passage_index]
            output = self.read(
                question, passage, question_mask, passage_mask, output_hidden_states=output_hidden_states
            )
        else:
            output = self._forward_joined(question_ids, passage_ids, question_mask, passage_mask, output_hidden_states)
        if start_positions is not None and end_positions is not None:
            start_loss = span_cross_entropy(output.start_logits, start_positions)
            end_loss = span_cross_entropy(output.end_logits, end_positions)
            output = SpanLogits(**{**output, "loss": (start_loss + end_loss) / 2})
        return output

    def _forward_joined(
        self,
        question_ids: Tensor,
        passage_ids: Tensor,
        question_mask: Tensor | None,
        passage_mask: Tensor | None,
        output_hidden_states: bool,
    ) -> SpanLogits:
        """All layers over one sequence, the blocks apart by the attention mask below the cut."""
        self._check_length(question_ids, Block.QUESTION)
        self._check_length(passage_ids, Block.PASSAGE)
        question = self.backbone.embed(question_ids, Block.QUESTION)
        passage = self.backbone.embed(passage_ids, Block.PASSAGE)
        blocks = JoinedBlocks.of(self.backbone, question, passage, question_mask, passage_mask)
        joined = blocks.join(question, passage)
        states = self.backbone.run_layers(joined, 0, self.lower_layers, blocks.apart(joined.device))
        return self._upper(states, blocks, output_hidden_states)

    def _upper(self, states: Tensor, blocks: JoinedBlocks, output_hidden_states: bool) -> SpanLogits:
        """Run the layers above the cut over joined states and keep the columns that can be answers."""
        context = blocks.together(states.device)
        if not output_hidden_states:
            logits = self.backbone.answer_logits(states, self.lower_layers, context, blocks.answer_columns)
            start_logits, end_logits = map(blocks.hide_padding, logits)
            return SpanLogits(start_logits=start_logits, end_logits=end_logits)
        # a layer at a time only for who wants to see between them: a backbone prepares its masks once a call
        hidden_states = []
        for layer in range(self.lower_layers, self.num_layers):
            states = self.backbone.run_layers(states, layer, layer + 1, context)
            hidden_states.append(states)
        start_logits, end_logits = (
            blocks.hide_padding(blocks.answer_columns(logits)) for logits in self.backbone.span_logits(states, context)
        )
        return SpanLogits(None, start_logits, end_logits, tuple(hidden_states), full_mask(states, blocks.present))

    def _check_length(self, input_ids: Tensor, block: Block) -> None:
        longest = self.backbone.max_block_length
        if longest is not None and input_ids.shape[1] > longest:
            msg = (
                f"A {block.name.lower()} of {input_ids.shape[1]} tokens is longer than the {longest} positions of "
                "the model: cut it into windows (passages.PassageTokenizer does) or lower max_seq_len."
            )
            raise ValueError(msg)
