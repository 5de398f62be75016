"""What all tests share: one thread, steady property tests, small corpora and tiny trained models."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["RECURRA_CACHE"] = "off"  # what one test reads is nothing to another, or to the user

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings
from singing import short_songs, songs, write_recordings

from recurra import captions, music, sentiment, speech, text, translation
from recurra.cli import main
from recurra.tasks.captions.config import Config as CaptionsConfig
from recurra.tasks.captions.shapes import shapes
from recurra.tasks.music.config import Config as MusicConfig
from recurra.tasks.music.io.midi import write_midi
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track
from recurra.tasks.sentiment.config import Config as SentimentConfig
from recurra.tasks.speech.config import Config as SpeechConfig
from recurra.tasks.text.config import Config
from recurra.tasks.translation.config import Config as TranslationConfig

pytest_plugins = ("browser", "explaining", "serving", "tried")

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

settings.register_profile("steady", deadline=None, max_examples=25, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=300, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

TINY: dict[str, Any] = {
    "steps": 3,
    "hidden_size": 8,
    "num_layers": 1,
    "embedding_size": 8,
    "evaluations": 1,
    "batch_size": 4,
    "sequence_length": 8,
    "dropout": 0.0,
    "ngrams": 3,
    "ngram_rows": 50,
}
"""Options of a run that takes a moment."""

WORDS = ("the", "cat", "which", "ate", "already", "was", "were", "full", "dogs", "not", "happy", "«oui»", "naïve")


def english(length: int, seed: int = 0) -> str:
    """At least `length` characters of made-up sentences, some words with letters beyond ASCII, lines of eight words."""
    rng = np.random.default_rng(seed)
    lines = []
    while sum(map(len, lines)) < length:
        words = [WORDS[int(number)] for number in rng.integers(len(WORDS), size=8)]
        lines.append(" ".join(words).capitalize() + ".\n")
    return "".join(lines)


def chinese(length: int, seed: int = 0) -> str:
    """Lines of seven characters and a mark, from a hundred characters."""
    rng = np.random.default_rng(seed)
    codes = 0x4E00 + rng.integers(100, size=(length // 9 + 1, 7))
    return "".join("".join(chr(int(code)) for code in line) + "。\n" for line in codes)


class Answer(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def recurra(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run one command in this process: `recurra("text", "write", folder, "--length", 5)`."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture
def refused(recurra: Callable[..., Answer]) -> Callable[..., str]:
    """Run a command that must fail as every command fails: one line, no traceback, nothing on standard output."""

    def run(*arguments: object, status: int = 1) -> str:
        answer = recurra(*arguments)
        assert answer.err.startswith("error: "), answer
        assert answer.err.count("\n") == 1, answer
        assert answer.err.endswith("\n")
        assert answer.out == ""
        assert answer.status == status, answer
        return answer.err

    return run


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The options of `TINY`, for a `Config`."""
    return dict(TINY)


@pytest.fixture
def tiny_options() -> list[str]:
    """The options of `TINY` as they are typed."""
    return [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small English corpus."""
    path = tmp_path_factory.mktemp("corpus") / "english.txt"
    path.write_text(english(4000), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_folder(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trained model of characters; not to be altered."""
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    text.train(corpus_file, folder, Config(**TINY, min_count=1))
    return folder


@pytest.fixture
def model_folder(trained_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny trained model, free to be altered."""
    folder = tmp_path / "model"
    shutil.copytree(trained_folder, folder)
    return folder


TUNE_TRACKS = (Track("Flute", 73), Track("Violin", 40), Track("Bass", 32), Track("Drums", drums=True))
"""Who plays in made-up pieces."""


def tune(seed: int, bars: int = 8, meter: tuple[int, int] = (4, 4), name: str = "tune") -> Piece:
    """A made-up piece: three voices in C major, each in its own octaves, and drums."""
    rng = np.random.default_rng(seed)
    length = bars * Meter(0, *meter).bar
    notes = []
    for track, (lowest, durations) in enumerate([(72, (3, 6, 12)), (60, (4, 8, 12)), (40, (12, 24)), (0, (6, 12))]):
        time = 0
        while time < length:
            duration = min(int(rng.choice(durations)), length - time)
            pitch = int(rng.choice((36, 38, 42))) if track == 3 else lowest + int(rng.choice((0, 2, 4, 5, 7, 9, 11)))
            if rng.random() < 0.85:
                notes.append(Note(time, duration, pitch, int(rng.choice((49, 80, 112))), track))
            time += duration
    notes.sort(key=lambda note: (note.onset, note.track, note.pitch))
    return Piece(name, TUNE_TRACKS, tuple(notes), length, (Meter(0, *meter),), (Tempo(0, 120.0),))


@pytest.fixture(scope="session")
def tunes() -> tuple[Piece, ...]:
    """Six made-up pieces, the last two in 3/4."""
    return tuple(tune(seed, 6, (4, 4) if seed < 4 else (3, 4), f"tune-{seed}") for seed in range(6))


@pytest.fixture(scope="session")
def music_folder(tunes: tuple[Piece, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up pieces as MIDI files; not to be altered."""
    folder = tmp_path_factory.mktemp("music") / "tunes"
    folder.mkdir()
    for piece in tunes:
        write_midi(piece, folder / f"{piece.name}.mid")
    return folder


@pytest.fixture(scope="session")
def trained_music(music_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trained model of music; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-music") / "band"
    music.train(music_folder, folder, MusicConfig(**TINY | {"steps": 30, "learning_rate": 0.02}))
    return folder


@pytest.fixture
def music_model(trained_music: Path, tmp_path: Path) -> Path:
    """A copy of the tiny trained model of music, free to be altered."""
    folder = tmp_path / "band"
    shutil.copytree(trained_music, folder)
    return folder


TINY_SENTIMENT: dict[str, Any] = {
    "steps": 4,
    "hidden_size": 8,
    "embedding_size": 8,
    "evaluations": 1,
    "batch_size": 256,
    "dropout": 0.0,
    "word_dropout": 0.0,
}
"""Options of a run of sentiment that takes a moment."""


def opinions(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Short texts, some of them with "not", and whether they praise."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        thing, negated, praised = (
            str(rng.choice(["film", "book", "meal", "song"])),
            rng.random() < 0.4,
            rng.random() < 0.5,
        )
        said = str(rng.choice(["good", "fine", "lovely"] if praised else ["bad", "dull", "awful"]))
        label = "positive" if praised != negated else "negative"
        texts.append((f"The {thing} number {rng.integers(30)} was {'not ' * negated}{said}.", label))
    return texts


@pytest.fixture
def tiny_sentiment() -> dict[str, Any]:
    """The options of `TINY_SENTIMENT`, for a `Config`."""
    return dict(TINY_SENTIMENT)


@pytest.fixture
def tiny_sentiment_options() -> list[str]:
    """The options of `TINY_SENTIMENT` as they are typed."""
    return [part for name, value in TINY_SENTIMENT.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="session")
def opinions_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of opinions."""
    path = tmp_path_factory.mktemp("opinions") / "opinions.tsv"
    path.write_text("".join(f"{text}\t{label}\n" for text, label in opinions(400)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_sentiment(opinions_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small LSTM that has learnt to read opinions; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-sentiment") / "mood"
    options = TINY_SENTIMENT | {"steps": 120, "learning_rate": 0.02, "hidden_size": 12, "evaluations": 4}
    sentiment.train(opinions_file, folder, SentimentConfig(**options))
    return folder


@pytest.fixture
def sentiment_model(trained_sentiment: Path, tmp_path: Path) -> Path:
    """A copy of the model that reads opinions, free to be altered."""
    folder = tmp_path / "mood"
    shutil.copytree(trained_sentiment, folder)
    return folder


TINY_TRANSLATION: dict[str, Any] = {
    "steps": 4,
    "hidden_size": 8,
    "num_layers": 1,
    "embedding_size": 8,
    "evaluations": 1,
    "batch_size": 200,
    "dropout": 0.0,
    "word_dropout": 0.0,
}
"""Options of a run of translation that takes a moment."""


def reversals(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Strings of two to five letters, and each from its end to its beginning."""
    rng = np.random.default_rng(seed)
    words = ("".join(rng.choice(list("abcdefgh"), size=rng.integers(2, 6))) for _ in range(count))
    return [(word, word[::-1]) for word in words]


@pytest.fixture
def tiny_translation() -> dict[str, Any]:
    """The options of `TINY_TRANSLATION`, for a `Config`."""
    return dict(TINY_TRANSLATION)


@pytest.fixture
def tiny_translation_options() -> list[str]:
    """The options of `TINY_TRANSLATION` as they are typed."""
    return [part for name, value in TINY_TRANSLATION.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of strings and their reversals."""
    path = tmp_path_factory.mktemp("pairs") / "reversals.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in reversals(1500)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_translation(pairs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has learnt to reverse strings, after some seconds; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-translation") / "reverser"
    sizes = {"hidden_size": 32, "embedding_size": 16, "batch_size": 400, "label_smoothing": 0.0}
    options = TINY_TRANSLATION | sizes | {"steps": 300, "learning_rate": 0.01}
    translation.train(pairs_file, folder, TranslationConfig(**options, tokens="characters"))
    return folder


@pytest.fixture
def translation_model(trained_translation: Path, tmp_path: Path) -> Path:
    """A copy of the model that reverses strings, free to be altered."""
    folder = tmp_path / "reverser"
    shutil.copytree(trained_translation, folder)
    return folder


TINY_SPEECH: dict[str, Any] = {
    "steps": 4,
    "hidden_size": 8,
    "num_layers": 1,
    "evaluations": 1,
    "batch_seconds": 8.0,
    "dropout": 0.0,
    "rate": 8000,
    "mel_bands": 10,
    "mask_bands": 0,
    "mask_ms": 0.0,
    "stack": 4,
    "speed": 0.0,
}
"""Options of a run of speech that takes a moment."""


@pytest.fixture
def tiny_speech() -> dict[str, Any]:
    """The options of `TINY_SPEECH`, for a `Config`."""
    return dict(TINY_SPEECH)


@pytest.fixture(scope="session")
def songs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of short texts that are sung; not to be altered."""
    return write_recordings(tmp_path_factory.mktemp("songs") / "sung", songs(60))


@pytest.fixture(scope="session")
def trained_speech(songs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, reading from one end, that has learnt the letters that are sung; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-speech") / "listener"
    options = TINY_SPEECH | {"steps": 150, "learning_rate": 0.02, "hidden_size": 24, "evaluations": 2}
    speech.train(songs_file, folder, SpeechConfig(**options, bidirectional=False))
    return folder


@pytest.fixture(scope="session")
def short_songs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of very short texts that are sung; not to be altered."""
    return write_recordings(tmp_path_factory.mktemp("short-songs") / "sung", short_songs(160))


@pytest.fixture(scope="session")
def trained_speller(short_songs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that attends and has learnt the letters that are sung; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-speller") / "speller"
    always_the_same = {"gain_db": 0.0, "noise_db": 100.0, "tokens": "characters"}
    options = TINY_SPEECH | always_the_same | {"steps": 200, "learning_rate": 0.01, "hidden_size": 32, "evaluations": 2}
    speech.train(short_songs_file, folder, SpeechConfig(**options, network="attention"))
    return folder


TINY_CAPTIONS: dict[str, Any] = {
    "steps": 4,
    "hidden_size": 8,
    "embedding_size": 8,
    "attention_size": 6,
    "channels": 8,
    "image_size": 32,
    "evaluations": 1,
    "batch_size": 8,
    "min_count": 1,
}
"""Options of a run of captions that takes a moment."""


@pytest.fixture
def tiny_captions() -> dict[str, Any]:
    """The options of `TINY_CAPTIONS`, for a `Config`."""
    return dict(TINY_CAPTIONS)


@pytest.fixture(scope="session")
def scenes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of drawn scenes, beside their pictures, with two captions of each; not to be altered."""
    path = tmp_path_factory.mktemp("scenes") / "captions.tsv"
    lines = ["file\tcaption\n"]
    for item in shapes(60):
        item.open().save(path.parent / item.name)
        lines += [f"{item.name}\t{caption}\n" for caption in item.captions[:2]]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_captions(scenes_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has seen drawn scenes and learnt how captions go; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-captions") / "eyes"
    options = TINY_CAPTIONS | {"steps": 60, "learning_rate": 0.02, "hidden_size": 16, "evaluations": 2}
    captions.train(scenes_file, folder, CaptionsConfig(**options))
    return folder
