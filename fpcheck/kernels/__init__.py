"""The only Numba code: plain functions on arrays; no input or output, no objects, no policy."""
