"""How good outputs are."""
