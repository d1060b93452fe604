"""What the weights alone tell: moments, norms, spectra, dead and duplicate units, NaN."""
