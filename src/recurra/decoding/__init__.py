"""From distributions to symbols; knows nothing of a model but its `step`."""
