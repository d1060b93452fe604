"""The initialisers that have a name: what each draws for a layer of given fans."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fpcheck.weights.entry_laws import KEPT_VARIANCE, EntryLaw

# Relative; laws this near to each other are one law, drawn under two names.
SAME = 1e-6
GAINS = {"orthogonal": 1.0, "orthogonal_gain_sqrt2": math.sqrt(2.0), "orthogonal_gain_5/3": 5 / 3}


@dataclass(frozen=True, slots=True)
class Initialiser:
    """A named initialiser's law of the entries of one matrix."""

    name: str
    law: EntryLaw


def named_initialisers(fan_in: int, fan_out: int, hidden: int = 0) -> tuple[Initialiser, ...]:
    """The named laws of a matrix with these fans.

    he: variance 2 / fan_in [He et al. 2015], `_fan_out` with fan_out instead (torchvision's
    convolutions); glorot: 2 / (fan_in + fan_out) [Glorot, Bengio 2010]; lecun: 1 / fan_in. Of
    the normal ones PyTorch's are not cut; Keras's and JAX's are cut at two standard deviations
    and widened to the same variance (`_truncated`). torch_default: U(-1, 1) / sqrt(fan_in), of
    nn.Linear and nn.Conv. normal_0.02: transformers; its truncated form is cut and not widened
    (BERT in TensorFlow). normal_0.05, uniform_0.05: Keras's RandomNormal, RandomUniform and
    embeddings. standard_normal: nn.Embedding. torch_rnn_default: U(-1, 1) / sqrt(hidden), of the
    input weights of nn.RNN, nn.GRU and nn.LSTM, where `hidden` units are given.
    """
    variances = {
        "he": 2.0 / fan_in,
        "glorot": 2.0 / (fan_in + fan_out),
        "lecun": 1.0 / fan_in,
        "he_fan_out": 2.0 / fan_out,
    }
    found = []
    for scheme, variance in variances.items():
        name, _, mode = scheme.partition("_")
        ending = f"_{mode}" if mode else ""
        deviation = math.sqrt(variance)
        cut = math.sqrt(variance / KEPT_VARIANCE)
        found += [
            Initialiser(f"{name}_normal{ending}", EntryLaw("normal", deviation)),
            Initialiser(f"{name}_normal_truncated{ending}", EntryLaw("truncated_normal", cut)),
            Initialiser(f"{name}_uniform{ending}", EntryLaw("uniform", math.sqrt(3.0 * variance))),
        ]
    found += [
        Initialiser("torch_default", EntryLaw("uniform", 1.0 / math.sqrt(fan_in))),
        Initialiser("normal_0.02", EntryLaw("normal", 0.02)),
        Initialiser("normal_0.02_truncated", EntryLaw("truncated_normal", 0.02)),
        Initialiser("normal_0.05", EntryLaw("normal", 0.05)),
        Initialiser("uniform_0.05", EntryLaw("uniform", 0.05)),
        Initialiser("standard_normal", EntryLaw("normal", 1.0)),
    ]
    if hidden and hidden != fan_in:
        found.append(Initialiser("torch_rnn_default", EntryLaw("uniform", 1.0 / math.sqrt(hidden))))
    plain = [item for item in found if not item.name.endswith("_fan_out")]
    # The mode makes no difference where the fans agree: then it is not another initialiser.
    return tuple(plain) + tuple(
        item
        for item in found
        if item.name.endswith("_fan_out") and not any(same_law(item, other) for other in plain)
    )


def same_law(one: Initialiser, other: Initialiser) -> bool:
    """Whether two initialisers draw from one law."""
    return (
        one.law.family == other.law.family
        and abs(one.law.width / other.law.width - 1.0) <= SAME
        and one.law.index == other.law.index
    )
