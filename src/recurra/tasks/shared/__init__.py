"""What every task's folder stands on: models in memory and on disk, whole runs, commands, samples."""
