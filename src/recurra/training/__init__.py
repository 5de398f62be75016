"""One trainer for every task, its checkpoints and its figures."""
