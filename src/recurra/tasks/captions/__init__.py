"""Captions: pictures with captions become a model, which describes pictures and shows where it looked."""
