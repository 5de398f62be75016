"""One package a task; all have the same files. `TASKS` is the one list of them."""

from typing import NamedTuple


class Task(NamedTuple):
    """What a task is for, in a line; its verbs in the order they are needed, each with a line of help; and what the
    Hugging Face hub calls it, "" if nothing.
    """

    summary: str
    verbs: dict[str, str]
    hub: str = ""


TASKS = {
    "text": Task(
        "Write text in the manner of a corpus.",
        {
            "train": "Train a model on text files, folders of them, or sample:pydocs.",
            "write": "Write text, shown as it is made.",
            "evaluate": "Measure how well a model predicts a text.",
            "explain": "Show what a model sees: its neurons, its effective context, its surprisal.",
            "agreement": "Measure number agreement: how often the right verb form is the more probable.",
            "compare": "Say how much of a written text is copied from a corpus.",
        },
        "text-generation",
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
    "embeddings": Task(
        "Learn vectors of words from a corpus, compare and draw them.",
        {
            "train": "Learn vectors from text files, folders of them, or sample:pydocs.",
            "similar": "Find the words nearest to a word, or nearest among your own.",
            "analogy": "Find what is to a word as another is to a third.",
            "odd-one-out": "Find the word that fits the others worst.",
            "evaluate": "Measure vectors by analogies and by word similarity as people judge it.",
            "plot": "Draw words on a map: a picture, or a page to search and zoom.",
            "export": "Write vectors for other programs: word2vec, fastText, GloVe, NumPy.",
            "import": "Make a model of the vectors of another program.",
        },
    ),
    "sentiment": Task(
        "Read sentiment, or give texts any other labels.",
        {
            "train": "Train a model on tables of texts and labels, or sample:moods.",
            "classify": "Classify a text, a file, or lines as they come.",
            "evaluate": "Measure accuracy and calibration, class by class.",
            "explain": "Show why a text has its label: its words, its pairs of words, the mood after each.",
        },
        "text-classification",
    ),
    "translation": Task(
        "Translate sentences, or turn any sequence into another.",
        {
            "train": "Train a model on a table of sentence pairs, two parallel files, or sample:dates.",
            "translate": "Translate a sentence, a file, or lines as they come.",
            "evaluate": "Measure translations: BLEU, chrF, exact match, by length too.",
            "explain": "Show how a sentence is translated: its attention map, its beam tree, its runners-up.",
        },
        "translation",
    ),
    "captions": Task(
        "Say what is in a picture.",
        {
            "train": "Train a model on pictures with captions, or sample:shapes.",
            "describe": "Describe a picture, several, or a folder of them.",
            "explain": "Show where a model looked at each word of its captions.",
            "evaluate": "Measure captions: BLEU, ROUGE-L, CIDEr; on drawn scenes whether they are true.",
        },
        "image-to-text",
    ),
    "speech": Task(
        "Write down what is said in recordings, or keyed in Morse code.",
        {
            "train": "Train a model on recordings with transcripts, a folder for each word, or sample:morse.",
            "transcribe": "Write down what recordings say, or what a microphone hears.",
            "detect": "Find a word in recordings, or as a microphone hears it.",
            "evaluate": "Measure transcripts: word and character error rates, the worst of them.",
            "explain": "Show what was heard: spectrogram, probabilities of the symbols and text, to be played.",
        },
        "automatic-speech-recognition",
    ),
}
"""Every task by its name, in the order of the notes this project comes from."""
