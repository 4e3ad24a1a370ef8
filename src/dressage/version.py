"""The version of dressage."""

__version__ = "0.1.0"
