"""Makes this folder importable, so that the tests in the folders below find `small_maps`."""
