"""Implementations of `CheckpointStore`."""
