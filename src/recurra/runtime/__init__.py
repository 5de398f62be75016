"""Trained models on NumPy and Numba alone: what is needed to use them and not to train them. No PyTorch here."""
