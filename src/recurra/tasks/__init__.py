"""One task a task; all have the same things in the same order."""

TASKS = {
    "text": "Write text in the manner of a corpus.",
    "music": "Compose music in the manner of a collection of pieces.",
    "translation": "Translate sentences, or turn any sequence into another.",
}
"""Every task and what it does, in the order of the notes this project comes from."""
