"""One package a task; all have the same files. `TASKS` is the one list of them."""

from typing import NamedTuple


class Task(NamedTuple):
    """What a task is for, in a line, and its verbs in the order they are needed, each with a line of help."""

    summary: str
    verbs: dict[str, str]


TASKS = {
    "text": Task(
        "Write text in the manner of a corpus.",
        {
            "train": "Train a model on text files, folders of them, or sample:pydocs.",
            "write": "Write text, shown as it is made.",
            "evaluate": "Measure how well a model predicts a text.",
            "explain": "Show what a model sees: its neurons, its effective context, its surprisal.",
            "agreement": "Measure number agreement: how often the right verb form is the more probable.",
        },
    ),
    "music": Task(
        "Compose music in the manner of a collection of pieces.",
        {
            "train": "Train a model on music files, folders of them, or sample:chorales.",
            "compose": "Compose a piece: sound, MIDI, score, piano roll.",
            "evaluate": "Measure how well a model predicts pieces.",
            "explain": "Show what a model hears: its neurons, its effective context, its surprisal.",
            "compare": "Compare pieces with what a model was trained on, and tell what is copied.",
        },
    ),
    "translation": Task(
        "Translate sentences, or turn any sequence into another.",
        {
            "train": "Train a model on a table of sentence pairs, two parallel files, or sample:dates.",
            "translate": "Translate a sentence, a file, or lines as they come.",
            "evaluate": "Measure translations: BLEU, chrF, exact match, by length too.",
            "explain": "Show how a sentence is translated: its attention map, its beam tree, its runners-up.",
        },
    ),
}
"""Every task by its name, in the order of the notes this project comes from."""
