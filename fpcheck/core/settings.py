"""The settings of one analysis: what the flags and the configuration files come down to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The order in which questions are measured and shown; `weights` is always asked.
QUESTIONS = ("weights", "signal", "attractors", "readout", "simplicity", "escape")
# Those that are asked by name alone.
ON_REQUEST = ("simplicity", "escape")
# Along what the bits of the labels can be scanned.
LABEL_SCANS = ("width", "depth")
# What a slice can be laid through, beside three attractors: words, and files of directions.
PLANES = ("auto", "random", "principal")
PLANE_FILES = (".npy", ".npz", ".csv")
# How the training probe steps; "norm-adaptive": SGD at rate / |theta|^(depth - 2).
PROBE_OPTIMISERS = ("sgd", "norm-adaptive", "momentum", "adam")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the numbers of a report depend on, besides the model and the data.

    `threads` and nothing else may change without changing a number.
    """

    seed: int = 0
    questions: tuple[str, ...] = ()  # empty: all that apply
    starts: int = 1024  # iteration starts drawn from the law of inputs
    max_steps: int = 2000  # iterations before a start counts as unresolved
    max_period: int = 64  # the longest cycle that is looked for
    atol: float = 1e-12  # converged: max_i |dx_i| / (atol + rtol |x_i|) <= 1
    rtol: float = 1e-9
    effort: float = 1.0  # multiplies the work of the search for fixed points; 0 leaves it out
    spectrum: bool = False  # all Lyapunov exponents, not the largest alone
    continuation: bool = False  # follow the fixed points as the weights are scaled
    slice: tuple[str, ...] = ()  # the plane drawn: one of PLANES, a file, or ids of attractors
    draws: int = 1  # networks drawn from a spec
    samples: int = 512  # inputs on which the signal is measured
    short_run: bool = False  # try by the training probe whether the loss falls at all
    splits: int = 20  # random splits of the readout
    test_share: float = 0.25  # of the rows, held out in each split
    readout_draws: int = 5  # random networks whose last layer is fitted
    bias_share: float | None = None  # beta of the readout's bias correction; None leaves it out
    label_rows: int = 0  # training rows of the simplicity question; 0: as many as are affordable
    label_errors: int = 0  # wrong labels that are allowed
    label_law: str = ""  # of its random weights; "": the spec's
    label_tolerance: float = 0.5  # of numbers, in standard deviations of the target
    label_shuffles: int = 5  # random labellings of the same class balance
    label_scan: tuple[str, ...] = ()  # of "width", "depth": the bits at other sizes
    scaled_neurons: bool = False  # every hidden unit with a random scale of its own
    label_training: bool = True  # train the same architecture beside it
    probe_steps: int = 300  # of the training probe
    probe_optimiser: str = "sgd"  # one of PROBE_OPTIMISERS
    probe_rate: float = 0.0  # its learning rate; 0: chosen by the curvature
    probe_batch: int = 0  # rows of a step; 0: all of them
    escape_scan: bool = False  # probes of fresh draws over initialisation scale and depth
    self_map: bool | None = None  # None: where input and output shapes agree
    threads: int = 0  # 0: one a core
    limits: Mapping[str, float] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, str] = field(default_factory=dict)  # code -> error|warning|info|off
    fail_on: str = "error"


def asked_questions(named: tuple[str, ...]) -> tuple[str, ...]:
    """The questions that are asked where these are named: of no name all but ON_REQUEST."""
    return named or tuple(question for question in QUESTIONS if question not in ON_REQUEST)


def names_plane_file(plane: tuple[str, ...]) -> bool:
    """Whether the slice `plane` of Settings is a file of directions."""
    return len(plane) == 1 and plane[0].lower().endswith(PLANE_FILES)
