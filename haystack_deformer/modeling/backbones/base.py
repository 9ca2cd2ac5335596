"""What a family of transformers has to say of itself to be decomposed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from torch import Tensor, nn
from transformers import (
    AutoModelForQuestionAnswering,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from haystack_deformer.modeling.config import InputLayout


class Block(Enum):
    """The two blocks that the layers below the cut see apart."""

    QUESTION = 0
    PASSAGE = 1


@dataclass(frozen=True)
class TokenContext:
    """
    What layers know of a sequence beside its states.

    :param attention: bool, (batch, 1, 1 or length, length): which tokens each token may attend to. None: all.
    :param positions: int64, (1 or batch, length): each token's position, restarting at every block below the cut and
        counted through both above it; padding does not count. Families with absolute positions have them in the states
        already; those with relative positions read it in every layer, or `pack` the sequence: its columns say it then.
    :param segments: int64, (1 or batch, length): 0 for the question's tokens, 1 for the passage's. Families with
        relative segment encodings read it in every layer.
    """

    attention: Tensor | None
    positions: Tensor
    segments: Tensor


class Backbone(ABC):
    """
    Drives the modules of an upstream question-answering model layer by layer; owns no weights.

    :param model: transformers' question-answering model of this family.
    """

    model_types: ClassVar[tuple[str, ...]]
    """`config.model_type` of the checkpoints that this class drives."""

    passage_first: ClassVar[bool] = False
    """Whether the passage stands before the question above the cut, as in XLNet."""

    null_first: ClassVar[bool] = True
    """Whether the token whose logits stand for "no answer" opens the question's block or closes it."""

    trims_last_layer: ClassVar[bool] = False
    """Whether `answer_logits` leaves out what the last layer makes of tokens that cannot be answers."""

    fingerprint_fields: ClassVar[tuple[str, ...]]
    """Fields of the upstream config that change the states without changing the weights."""

    attention_dropout_field: ClassVar[str | None] = "attention_probs_dropout_prob"
    """Field of the upstream config that holds the dropout of the attention's weights in training; None: none does."""

    hidden_dropout_fields: ClassVar[tuple[str, ...]] = ("hidden_dropout_prob",)
    """Fields of the upstream config that hold the dropout of the states in training."""

    attention_implementation: ClassVar[str | None] = None
    """Which of upstream's implementations of attention to load; None: the one that upstream takes by itself."""

    intermediate_size_field: ClassVar[str] = "intermediate_size"
    """Field of the upstream config that holds the width of the feed-forward."""

    feed_forward_matrices: ClassVar[int] = 2
    """Matrices of that width and the states' that a token is multiplied with in a layer."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.check(model.config)

    @classmethod
    def check(cls, config: PretrainedConfig) -> None:
        """
        Refuse a variant of the family that cannot be decomposed.

        :raises ValueError: names the field of the config and what it must be.
        """
        if getattr(config, "is_decoder", False):
            msg = f"A {config.model_type} with is_decoder=True cannot be decomposed: an encoder is needed."
            raise ValueError(msg)
        implementation = getattr(config, "_attn_implementation", None)
        if implementation not in {None, "eager", "sdpa"}:
            msg = (
                f"A {config.model_type} with attn_implementation={implementation!r} cannot be decomposed: it must "
                "be 'sdpa' or 'eager', which take a mask that keeps the blocks apart."
            )
            raise ValueError(msg)

    @classmethod
    def upstream_class(cls, config: PretrainedConfig) -> Any:  # noqa: ARG003  # of the families with one head
        """
        Transformers' class to load a checkpoint with.

        :param config: of the checkpoint.
        """
        return AutoModelForQuestionAnswering

    @classmethod
    def set_attention_dropout(cls, config: PretrainedConfig, value: float) -> None:
        """
        Set the dropout of the attention's weights in training.

        :param config: of the upstream model, changed in place.
        :param value: the share to drop.
        :raises ValueError: for a family that has no field for it alone.
        """
        if cls.attention_dropout_field is None:
            msg = (
                f"attention_dropout={value} cannot be set for a model of type {config.model_type!r}, whose dropout is "
                "one for all: leave it out."
            )
            raise ValueError(msg)
        setattr(config, cls.attention_dropout_field, value)

    @classmethod
    def set_hidden_dropout(cls, config: PretrainedConfig, value: float) -> None:
        """
        Set the dropout of the states in training.

        :param config: of the upstream model, changed in place.
        :param value: the share to drop.
        """
        for field in cls.hidden_dropout_fields:
            setattr(config, field, value)

    @classmethod
    def position_flops(cls, config: PretrainedConfig, length: int) -> int:  # noqa: ARG003  # of absolute positions
        """
        Floating-point operations that a layer takes for relative positions and segments.

        :param config: of the upstream model.
        :param length: tokens of the sequence.
        """
        return 0

    @classmethod
    def convolution_flops(cls, config: PretrainedConfig, length: int) -> int:  # noqa: ARG003  # of those without one
        """
        Floating-point operations of a convolution over the first layer.

        :param config: of the upstream model.
        :param length: tokens of the sequence.
        """
        return 0

    @staticmethod
    @abstractmethod
    def layout(tokenizer: PreTrainedTokenizerFast) -> InputLayout:
        """The special tokens of the two blocks."""

    @property
    @abstractmethod
    def layers(self) -> nn.ModuleList:
        """The transformer's layers, from the bottom."""

    @property
    @abstractmethod
    def embeddings(self) -> nn.Module:
        """Everything below the first layer."""

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """What maps the last states to the logits of start and end."""

    @property
    def shared(self) -> nn.Module | None:
        """What every layer uses beside its own weights, such as relative positions; None: nothing."""
        return None

    @property
    def max_block_length(self) -> int | None:
        """Tokens of the longest block that has positions; None where positions have no end."""
        return None

    @property
    def hidden_size(self) -> int:
        """Width of the states."""
        return int(self.model.config.hidden_size)

    @abstractmethod
    def embed(self, input_ids: Tensor, block: Block) -> Tensor:
        """
        The states that enter the first layer.

        :param input_ids: int64, (batch, length), of one block; positions count from its first token.
        :param block: which block it is.
        :return: (batch, length, hidden_size).
        """

    @abstractmethod
    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """
        Run layers start + 1 to stop, that is `layers[start:stop]`.

        :param states: (batch, length, hidden_size).
        :return: the same shape.
        """

    @abstractmethod
    def span_logits(self, states: Tensor, context: TokenContext) -> tuple[Tensor, Tensor]:
        """
        The logits of a span's start and end.

        :param states: (batch, length, hidden_size), after the last layer.
        :param context: of the joined sequence, for heads that look at more than one token at a time.
        :return: two of (batch, length).
        """

    def answer_logits(
        self, states: Tensor, start: int, context: TokenContext, columns: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """
        Run layers start + 1 to the last and mark the answers.

        :param states: (batch, length, hidden_size), of the joined sequence.
        :param start: layers that are done.
        :param context: of the joined sequence.
        :param columns: picks from (batch, length, ...) the columns that can be answers. A family may leave out what its
            last layer makes of the others, and says so in `trims_last_layer`.
        :return: the logits of a span's start and end in these columns alone.
        """
        states = self.run_layers(states, start, len(self.layers), context)
        start_logits, end_logits = self.span_logits(states, context)
        return columns(start_logits), columns(end_logits)

    def lower_modules(self, lower_layers: int) -> Iterator[tuple[str, nn.Module]]:
        """The modules whose weights a passage's states depend on, named for the fingerprint."""
        yield "embeddings", self.embeddings
        if lower_layers and self.shared is not None:
            yield "shared", self.shared
        for number, layer in enumerate(self.layers[:lower_layers]):
            yield f"layer.{number}", layer

    def fingerprint_config(self) -> dict[str, Any]:
        """What of the upstream config a passage's states depend on."""
        return {name: getattr(self.model.config, name, None) for name in self.fingerprint_fields}
