"""Readers of model files, one file a format."""
