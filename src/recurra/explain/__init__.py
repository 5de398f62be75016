"""Pictures of what a model does: its units, how much context it makes use of, what surprises it."""
