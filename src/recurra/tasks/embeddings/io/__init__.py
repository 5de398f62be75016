"""Vectors of other programs, read and written."""
