"""Make the sample files. Needs PyTorch and scikit-learn; the results are checked in.

python samples/make_samples.py
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
WIDTHS = (64, 48, 32, 48, 64)


def main() -> None:
    torch.set_num_threads(1)
    images, labels = digits()
    np.savez_compressed(HERE / "digits.npz", X=images.astype(np.float16), y=labels)
    save_everywhere(train_autoencoder(images))
    untrained("normal", np.random.default_rng(0).standard_normal, lambda n: 1.0 / np.sqrt(n))
    untrained("cauchy", np.random.default_rng(8).standard_cauchy, lambda n: 1.0 / n)
    classifier = train_classifier(images, labels)
    save(classifier.state_dict(), "classifier.safetensors")
    for cell, units, rounds in (("RNN", 16, 3000), ("GRU", 12, 3000)):
        model = train_flip_flop(cell, units, rounds)
        save(model.state_dict(), f"flip_flop_{cell.lower()}.safetensors")
    hopfield()
    signals()
    teacher()


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1797 digits of 8 x 8 pixels, brightness in [0, 1] (exact in half precision)."""
    data = load_digits()
    return data.data / 16.0, data.target.astype(np.uint8)


def train_autoencoder(images: np.ndarray) -> nn.Sequential:
    """64-48-32-48-64, tanh hidden layers, linear output; denoising, 600 epochs of Adam."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(WIDTHS):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    model = nn.Sequential(*layers[:-1])
    x = torch.tensor(images, dtype=torch.float32)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        for rows in torch.randperm(len(x)).split(128):
            noisy = x[rows] + 0.1 * torch.randn(len(rows), 64)
            loss = nn.functional.mse_loss(model(noisy), x[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    print(f"autoencoder: mean squared error {nn.functional.mse_loss(model(x), x).item():.5f}")
    return model


def train_classifier(images: np.ndarray, labels: np.ndarray) -> nn.Sequential:
    """64-48-48-10, ReLU, 60 epochs of Adam on the first 1347 digits."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10)
    )
    x, y = torch.tensor(images, dtype=torch.float32), torch.tensor(labels, dtype=torch.long)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(60):
        for rows in torch.randperm(1347).split(64):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    right = (model(x[1347:]).argmax(1) == y[1347:]).double().mean().item()
    print(f"classifier: accuracy {right:.4f} on the 450 digits that it did not see")
    return model


class FlipFlop(nn.Module):
    """A recurrent cell that is to remember the last pulse on each of three lines."""

    def __init__(self, cell: str, units: int) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell)(3, units, batch_first=True)
        self.readout = nn.Linear(units, 3)

    def forward(self, pulses: torch.Tensor) -> torch.Tensor:
        return self.readout(self.rnn(pulses)[0])


def train_flip_flop(cell: str, units: int, rounds: int) -> FlipFlop:
    """The 3-bit flip-flop task [Sussillo, Barak 2013]: Adam, 128 sequences of 50 steps a round."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = FlipFlop(cell, units)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, rounds)
    for _ in range(rounds):
        inputs, bits = pulses(128, 50, rng)
        loss = nn.functional.mse_loss(model(inputs), bits)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    inputs, bits = pulses(256, 200, rng)
    with torch.no_grad():
        right = ((model(inputs).sign() == bits) | (bits == 0)).double().mean().item()
    print(f"flip-flop {cell}: {right:.5f} of the bits right over 200 steps")
    return model


def pulses(rows: int, steps: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(pulses, bits), both (rows, steps, 3): a pulse of +1 or -1 with chance 1/10 each, the last
    one on its line is the bit; 0 before the first."""
    inputs = rng.choice([-1.0, 0.0, 1.0], (rows, steps, 3), p=[0.1, 0.8, 0.1])
    bits, state = np.zeros_like(inputs), np.zeros((rows, 3))
    for step in range(steps):
        state = np.where(inputs[:, step] != 0, inputs[:, step], state)
        bits[:, step] = state
    return torch.tensor(inputs, dtype=torch.float32), torch.tensor(bits, dtype=torch.float32)


LETTERS = (
    "######.. #....... #....... #####... #....... #....... #....... #.......",
    "######.. #.....#. #.....#. ######.. #....... #....... #....... #.......",
    "..#####. .#...... #....... #....... #....... #....... .#...... ..#####.",
)
STEEPNESS = 3.0


def hopfield() -> None:
    """x <- tanh(3 P x), P the projection on three letters: each letter times m = tanh(3 m) rests.

    [Personnaz, Guyon, Dreyfus 1985]
    """
    letters = np.array([[1.0 if c == "#" else -1.0 for c in text.replace(" ", "")]
                        for text in LETTERS])  # fmt: skip
    projection = letters.T @ np.linalg.solve(letters @ letters.T, letters)
    np.savez_compressed(HERE / "hopfield.npz", weight=STEEPNESS * projection, bias=np.zeros(64))
    np.savez_compressed(HERE / "letters.npz", X=letters.astype(np.int8))


RISE = 8  # samples of the slow flank of a tooth
NOISE = 0.35  # its standard deviation; the tooth is at most 1


def signals() -> None:
    """400 noisy signals of 64 samples: somewhere a tooth falls sharply (class 1) or rises so (0).

    The two are each other's mirror image and stand at random places, so that no single sample
    tells the classes apart, and no weighted sum of samples either.
    """
    rng = np.random.default_rng(0)
    tooth = np.append(np.linspace(0.0, 1.0, RISE + 1)[1:], 0.0)
    tooth = (tooth - tooth.mean()) / np.abs(tooth - tooth.mean()).max()
    labels = np.arange(400) % 2
    rows = NOISE * rng.standard_normal((400, 64))
    for row, label in zip(rows, labels, strict=True):
        place = rng.integers(0, 64 - len(tooth) + 1)
        row[place : place + len(tooth)] += tooth if label else tooth[::-1]
    np.savez_compressed(HERE / "signals.npz", X=rows.astype(np.float16), y=labels.astype(np.uint8))


FLIPPED = 24  # of the teacher's 480 labels, wrong in the target `flipped`


def teacher() -> None:
    """480 rows of 10 normal numbers, labelled by a random tanh network with two hidden units.

    y: its labels, as many of each class; flipped: the same, 24 of them turned; shuffled: in random
    order, so that there is nothing to learn.
    """
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((480, 10)).astype(np.float16)
    hidden = np.tanh(rows.astype(np.float64) @ rng.standard_normal((10, 2)) / np.sqrt(10))
    out = hidden @ rng.standard_normal(2)
    labels = (out > np.median(out)).astype(np.uint8)
    flipped = labels.copy()
    flipped[rng.choice(480, FLIPPED, replace=False)] ^= 1
    np.savez_compressed(
        HERE / "teacher.npz", X=rows, y=labels, flipped=flipped, shuffled=rng.permutation(labels)
    )


def save(state: dict[str, torch.Tensor], name: str) -> None:
    """A .safetensors file that everybody may read."""
    save_file(state, HERE / name)
    (HERE / name).chmod(0o644)


def save_everywhere(model: nn.Sequential) -> None:
    """One network in three formats."""
    state = model.state_dict()
    torch.save(state, HERE / "autoencoder.pt")
    save(state, "autoencoder.safetensors")
    np.savez_compressed(
        HERE / "autoencoder.npz", **{name: value.numpy() for name, value in state.items()}
    )


def untrained(law: str, draw: Callable[..., np.ndarray], scale: Callable[[int], float]) -> None:
    """The autoencoder's shapes with weights and biases drawn from one law, 1/sqrt(n) or 1/n."""
    arrays = {}
    for index, (n_in, n_out) in enumerate(itertools.pairwise(WIDTHS)):
        arrays[f"{2 * index}.weight"] = (scale(n_in) * draw((n_out, n_in))).astype(np.float32)
        arrays[f"{2 * index}.bias"] = (scale(n_in) * draw(n_out)).astype(np.float32)
    np.savez_compressed(HERE / f"untrained_{law}.npz", **arrays)


if __name__ == "__main__":
    main()
