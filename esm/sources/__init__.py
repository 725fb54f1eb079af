"""Implementations of `Source`."""
