"""Implementations of `Invoker`."""
