"""Makes this folder importable, so that every room's tests find `naive`."""
