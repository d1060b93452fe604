"""The infinite-width limit: Gaussian expectations, variance and correlation maps, edge of chaos."""
