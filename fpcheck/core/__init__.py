"""What every part shares and what needs no numerics: errors, findings, limits, settings, tables."""
