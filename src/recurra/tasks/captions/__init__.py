"""Captions: telling what is in a picture, and where the model looked."""
