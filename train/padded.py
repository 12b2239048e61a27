"""Layouts of one padded example a row, for models and methods in which packed examples would see each other.

    lengths 5 3  ->  x x x x x        the mask says which places are real; what is padding is known by its place,
                     x x x . .        never by its id, so a tokenizer whose pad is its stop token loses no stop token

Examples of like length share a forward pass, so little is padded.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import TokenLogits, TokenNll, head_sees


@dataclass(frozen=True)
class _Tensors:
    """Tensors that move together."""

    def to(self, device: torch.device) -> Self:
        """Return the same on a device."""
        moved = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return type(self)(**{name: it.to(device) if isinstance(it, torch.Tensor) else it for name, it in moved.items()})


@dataclass(frozen=True)
class CausalRows(_Tensors):
    """What one forward pass of a causal model reads under a prompt method.

    Attributes:
        input_ids_BT: An example a row, padded on the right.
        mask_BT: 1 where there is a token.
        labels_BT: The token that each place must predict.
        weights_BT: How much that counts; 0 where there is no loss.
        owner_B: Place in the batch.
    """

    input_ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    labels_BT: torch.Tensor
    weights_BT: torch.Tensor
    owner_B: torch.Tensor

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says at the supervised places."""
        wanted_BT = self.weights_BT > 0
        with head_sees(model, wanted_BT):
            logits_1SV = model(input_ids=self.input_ids_BT, attention_mask=self.mask_BT).logits
        return _wanted(logits_1SV[0], self.labels_BT, self.weights_BT, self.owner_B)

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the supervised tokens."""
        return self.token_logits(model).nll()


@dataclass(frozen=True)
class PairRows(_Tensors):
    """What one forward pass of an encoder-decoder reads.

    Attributes:
        input_ids_BT: A prompt a row, padded on the right.
        mask_BT: 1 where there is a token.
        decoder_ids_BU: The target behind the token a decoder starts with, its last token left out.
        labels_BU: The target.
        weights_BU: How much each token of it counts; 0 where there is none.
        owner_B: Place in the batch.
    """

    input_ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    decoder_ids_BU: torch.Tensor
    labels_BU: torch.Tensor
    weights_BU: torch.Tensor
    owner_B: torch.Tensor

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says at the supervised places."""
        wanted_BU = self.weights_BU > 0
        with head_sees(model, wanted_BU):
            logits_1SV = model(
                input_ids=self.input_ids_BT, attention_mask=self.mask_BT, decoder_input_ids=self.decoder_ids_BU
            ).logits
        return _wanted(logits_1SV[0], self.labels_BU, self.weights_BU, self.owner_B)

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the supervised tokens."""
        return self.token_logits(model).nll()


@dataclass(frozen=True)
class ClassRows(_Tensors):
    """What one forward pass of a classifier reads.

    Attributes:
        input_ids_BT: A prompt a row, padded on the right.
        mask_BT: 1 where there is a token.
        classes_B: The class of each.
        weights_B: How much it counts.
        owner_B: Place in the batch.
        unseen_nll: Nats that a class costs which the head does not have.
    """

    input_ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    classes_B: torch.Tensor
    weights_B: torch.Tensor
    owner_B: torch.Tensor
    unseen_nll: float

    def logits(self, model: PreTrainedModel) -> torch.Tensor:
        """Return float32 (B, classes)."""
        with last_token_decides(model, self.mask_BT):
            logits_BC: torch.Tensor = model(input_ids=self.input_ids_BT, attention_mask=self.mask_BT).logits
        return logits_BC.float()

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says of the classes that its head has."""
        logits_BC = self.logits(model)
        wanted_B = (self.weights_B > 0) & (self.classes_B < logits_BC.shape[1])
        return TokenLogits(
            logits_BC[wanted_B], self.classes_B[wanted_B], self.weights_B[wanted_B], self.owner_B[wanted_B]
        )

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the classes; one that it cannot say costs `unseen_nll`, without gradient."""
        logits_BC = self.logits(model)
        known_B = self.classes_B < logits_BC.shape[1]
        nll_B = functional.cross_entropy(logits_BC, self.classes_B.where(known_B, 0), reduction="none")
        wanted_B = self.weights_B > 0
        return TokenNll(
            nll_B.where(known_B, self.unseen_nll)[wanted_B], self.weights_B[wanted_B], self.owner_B[wanted_B]
        )


@contextmanager
def last_token_decides(model: PreTrainedModel, mask_BT: torch.Tensor) -> Iterator[None]:
    """Let a decoder's classification head read the last real token of each row, wherever the padding is.

    transformers finds that token by the id of the padding, which may be that of a real one. A classifier with an
    encoder pools its first token, and is left alone.
    """

    def select(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_BTH, *rest = args
        # Learnt places before the prompt make a row longer.
        last_B = mask_BT.sum(1) - 1 + hidden_BTH.shape[1] - mask_BT.shape[1]
        rows_B = torch.arange(len(last_B), device=last_B.device)
        # The same at every place: whichever transformers takes, it is this one.
        return (hidden_BTH[rows_B, last_B].unsqueeze(1).expand_as(hidden_BTH), *rest)

    score = getattr(model, "score", None)
    if not isinstance(score, torch.nn.Module):
        yield
        return
    handle = score.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class PaddedCausal:
    """The layout of causal models under methods that ignore position ids."""

    why: str

    def micro_batches(
        self, encoded: Encoded, batch: Sequence[int], token_budget: int, together: int = 1
    ) -> Iterator[CausalRows]:
        """Yield a batch as forward passes; see `train.forward.Layout`."""
        for places in _groups(encoded.lengths, batch, token_budget, together):
            rows = [batch[place] for place in places]
            ids = _padded([encoded.example(i) for i in rows], np.int64)
            weights = _padded([encoded.weights_of(i) for i in rows], np.float32)
            # A place predicts the token after it; the last place of a row predicts nothing.
            yield CausalRows(
                ids,
                _mask([int(encoded.lengths[i]) for i in rows]),
                torch.roll(ids, -1, 1),
                functional.pad(weights[:, 1:], (0, 1)),
                torch.as_tensor(places),
            )


@dataclass(frozen=True)
class PaddedPairs:
    """The layout of encoder-decoders.

    Attributes:
        why: For the log.
        start: The token that a decoder starts with.
    """

    why: str
    start: int

    def micro_batches(
        self, encoded: Encoded, batch: Sequence[int], token_budget: int, together: int = 1
    ) -> Iterator[PairRows]:
        """Yield a batch as forward passes; see `train.forward.Layout`."""
        for places in _groups(encoded.lengths, batch, token_budget, together):
            rows = [batch[place] for place in places]
            targets = [encoded.target(i) for i in rows]
            yield PairRows(
                _padded([encoded.prompt(i) for i in rows], np.int64),
                _mask([int(encoded.n_prompt[i]) for i in rows]),
                _padded([np.concatenate(([self.start], target[:-1])) for target in targets], np.int64),
                _padded(targets, np.int64),
                _padded([encoded.weights_of(i)[encoded.n_prompt[i] :] for i in rows], np.float32),
                torch.as_tensor(places),
            )


@dataclass(frozen=True)
class PaddedClasses:
    """The layout of classifiers.

    Attributes:
        why: For the log.
        unseen_nll: Nats that a class costs which the head does not have.
    """

    why: str
    unseen_nll: float

    def micro_batches(
        self, encoded: Encoded, batch: Sequence[int], token_budget: int, together: int = 1
    ) -> Iterator[ClassRows]:
        """Yield a batch as forward passes; see `train.forward.Layout`."""
        for places in _groups(encoded.lengths, batch, token_budget, together):
            rows = [batch[place] for place in places]
            yield ClassRows(
                _padded([encoded.prompt(i) for i in rows], np.int64),
                _mask([int(encoded.n_prompt[i]) for i in rows]),
                torch.as_tensor([int(encoded.target(i)[-1]) for i in rows]),
                torch.as_tensor([float(encoded.weights_of(i)[-1]) for i in rows]),
                torch.as_tensor(places),
                self.unseen_nll,
            )


def _groups(lengths: np.ndarray, batch: Sequence[int], token_budget: int, together: int) -> Iterator[list[int]]:
    """Yield places of the batch that share a forward pass, the longest first, units whole."""
    sizes = lengths[np.asarray(batch, np.int64)].reshape(-1, together).max(axis=1).tolist()
    group: list[int] = []
    widest = 0
    for unit in sorted(range(len(sizes)), key=lambda unit: (-sizes[unit], unit)):
        if group and widest * (len(group) + together) > token_budget:
            yield group
            group = []
        widest = widest if group else sizes[unit]
        group += range(unit * together, (unit + 1) * together)
    yield group


def _padded(rows: Sequence[np.ndarray], dtype: type[np.generic]) -> torch.Tensor:
    table = np.zeros((len(rows), max(map(len, rows))), dtype)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)


def _mask(lengths: list[int]) -> torch.Tensor:
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def _wanted(logits_SV: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, owner_B: torch.Tensor) -> TokenLogits:
    wanted = weights > 0
    return TokenLogits(logits_SV, labels[wanted], weights[wanted], owner_B[:, None].expand_as(labels)[wanted])
