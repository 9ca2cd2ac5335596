"""Question and passage as one sequence: how the layers above the cut see them, and which of its columns can answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from haystack_deformer.modeling.backbones import Backbone, TokenContext
from haystack_deformer.modeling.masks import count_positions, full_mask


@dataclass(frozen=True)
class JoinedBlocks:
    """
    A batch of questions and passages, joined in the family's order.

    :param backbone: the family.
    :param question_length: columns of the question's block.
    :param passage_length: columns of the passage's block.
    :param question_mask: bool, (batch, question length), False for padding; None: no padding in either block.
    :param passage_mask: bool, (batch, passage length), False for padding; None: no padding in either block.
    """

    backbone: Backbone
    question_length: int
    passage_length: int
    question_mask: Tensor | None
    passage_mask: Tensor | None

    @classmethod
    def of(
        cls,
        backbone: Backbone,
        question: Tensor,
        passage: Tensor,
        question_mask: Tensor | None,
        passage_mask: Tensor | None,
    ) -> JoinedBlocks:
        """
        Of states, whose masks may be missing or of one row for the whole batch.

        :param backbone: the family.
        :param question: (batch, question length, hidden_size).
        :param passage: (batch, passage length, hidden_size).
        :param question_mask: (batch or 1, question length), 0 for padding; None: no padding.
        :param passage_mask: (batch or 1, passage length), 0 for padding; None: no padding.
        """
        if question_mask is not None or passage_mask is not None:
            question_mask, passage_mask = full_mask(question, question_mask), full_mask(passage, passage_mask)
        return cls(backbone, question.shape[1], passage.shape[1], question_mask, passage_mask)

    def join(self, question: Tensor, passage: Tensor) -> Tensor:
        """
        Both blocks one after the other.

        :param question: (batch, question length, ...).
        :param passage: (batch, passage length, ...).
        """
        return torch.cat([passage, question] if self.backbone.passage_first else [question, passage], dim=1)

    @property
    def present(self) -> Tensor | None:
        """Bool, (batch, length), False for padding; None: no padding."""
        if self.question_mask is None or self.passage_mask is None:
            return None
        return self.join(self.question_mask, self.passage_mask)

    def _segments(self, device: torch.device) -> Tensor:
        return self.join(
            torch.zeros((1, self.question_length), dtype=torch.int64, device=device),
            torch.ones((1, self.passage_length), dtype=torch.int64, device=device),
        )

    def apart(self, device: torch.device) -> TokenContext:
        """
        What layers below the cut know: each block sees itself alone, and counts its positions from 0.

        :param device: where the states are.
        """
        segments = self._segments(device)
        attention = segments[:, None, :, None] == segments[:, None, None, :]
        if self.question_mask is None or self.passage_mask is None:
            positions = self.join(
                torch.arange(self.question_length, device=device)[None],
                torch.arange(self.passage_length, device=device)[None],
            )
        else:
            attention = attention & self.join(self.question_mask, self.passage_mask)[:, None, None, :]
            positions = self.join(count_positions(self.question_mask), count_positions(self.passage_mask))
        return TokenContext(attention=attention, positions=positions, segments=segments)

    def together(self, device: torch.device) -> TokenContext:
        """
        What layers above the cut know: every token sees every other, and positions count through both blocks.

        :param device: where the states are.
        """
        present = self.present
        if present is None:
            attention = None
            positions = torch.arange(self.question_length + self.passage_length, device=device)[None]
        else:
            attention, positions = present[:, None, None, :], count_positions(present)
        return TokenContext(attention=attention, positions=positions, segments=self._segments(device))

    def answer_columns(self, values: Tensor) -> Tensor:
        """
        The null token's column and the passage's: those that can be answers.

        :param values: (batch, length, ...), of the joined sequence.
        :return: (batch, 1 + passage length, ...).
        """
        if self.backbone.passage_first:
            passage, question = values.split([self.passage_length, self.question_length], dim=1)
        else:
            question, passage = values.split([self.question_length, self.passage_length], dim=1)
        if self.backbone.null_first:
            null = question[:, :1]
        elif self.question_mask is None:
            null = question[:, -1:]
        else:
            rows = torch.arange(len(question), device=question.device)
            null = question[rows, self.question_mask.sum(dim=1) - 1][:, None]
        return torch.cat([null, passage], dim=1)

    def hide_padding(self, logits: Tensor) -> Tensor:
        """
        The least value in place of the logits of padding.

        :param logits: (batch, 1 + passage length), the null token's first.
        """
        if self.passage_mask is None:
            return logits
        present = F.pad(self.passage_mask, (1, 0), value=True)
        return logits.masked_fill(~present, torch.finfo(logits.dtype).min)
