"""Implementations of `Destination`."""
