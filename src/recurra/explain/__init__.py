"""Pictures of what a model does: its units, how far back it reaches, what surprises it, whether verbs agree."""
