"""The pure part: state machines and rules. No IO, no clock, no chance, no logging, no threads.

Time comes in as an argument in milliseconds. This package imports the pure parts of the standard
library and itself, nothing else.
"""
