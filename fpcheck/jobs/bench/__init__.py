"""What this machine does with our kernels and with their peers: `run_bench`."""

from fpcheck.jobs.bench.race import BenchRow
from fpcheck.jobs.bench.run import BenchResult, run_bench

__all__ = ["BenchResult", "BenchRow", "run_bench"]
