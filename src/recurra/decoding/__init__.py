"""From distributions to tokens; knows nothing of a model but its `step`."""
