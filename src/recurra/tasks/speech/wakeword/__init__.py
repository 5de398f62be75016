"""Detecting a word: a small network that reads from one end and marks when the word has just ended."""
