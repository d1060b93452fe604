"""Makes this folder importable, so that every room's tests find `naive`; fixes hypothesis.

Workers that share the cores (pytest -n) get one BLAS thread each, before NumPy is loaded; fpcheck
itself takes no more.
"""

import os

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# The same examples in every run, so that a red test is a change's doing; to look for new ones:
# pytest --hypothesis-profile=explore
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("same")
