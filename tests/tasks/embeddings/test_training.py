"""Training from end to end: into a folder, stopped and gone on with, from a model, and what can go wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import arrayfile, modelfolder
from recurra.data.corpus import Texts
from recurra.errors import Interrupted, OptionError, RecurraError
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.model import Model
from recurra.tasks.embeddings.training import train
from recurra.training import run_folder
from recurra.training.history import Measurement

SMALL: dict[str, Any] = {"embedding_size": 8, "epochs": 4, "subsample": 0.0, "progress": False, "threads": 1}


def sentences(count: int = 300, seed: int = 0, words: int = 10) -> str:
    """Lines of words of one of four themes."""
    rng = np.random.default_rng(seed)
    lines = []
    for theme in rng.integers(0, 4, count):
        lines.append(" ".join(f"{'abcd'[theme]}{number}" for number in rng.integers(0, words, 12)))
    return "\n".join(lines) + "\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text(sentences())
    return path


def weights(folder: Path) -> bytes:
    return (folder / modelfolder.WEIGHTS).read_bytes()


def test_a_model_is_saved_and_opened_again(corpus: Path, tmp_path: Path) -> None:
    points: list[Measurement] = []
    made = train(corpus, tmp_path / "m", **SMALL | {"progress": points.append})
    opened = Model.load(tmp_path / "m")
    assert list(opened.vectors.words) == list(made.vectors.words)
    assert (opened.vectors.matrix == made.vectors.matrix).all()
    assert opened.vectors.counts.sum() == made.record["words"]
    assert opened.record == made.record
    assert opened.history == made.history == tuple(points)
    assert points[0].validation_loss == pytest.approx(made.record["guessing"])
    assert made.record["validation_loss"] == points[-1].validation_loss < points[0].validation_loss
    assert made.record["words_trained_on"] == 4 * made.record["words"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        *("README.md", "config.json", "loss.png", "metrics.jsonl", "model.safetensors", "training", "vocabulary.json")
    ]
    assert not (tmp_path / "m.training").exists()
    assert "nats a pair" in (tmp_path / "m" / "README.md").read_text()


def test_without_a_folder_a_model_stays_in_memory(corpus: Path, tmp_path: Path) -> None:
    made = train(corpus, **SMALL)
    train(corpus, tmp_path / "m", **SMALL)
    assert (made.vectors.matrix == Model.load(tmp_path / "m").vectors.matrix).all()
    made.save(tmp_path / "saved")
    assert (Model.load(tmp_path / "saved").vectors.matrix == made.vectors.matrix).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "m", "saved"]


CHILD = """
import sys
from recurra.tasks.embeddings.training import train
train(sys.argv[1], sys.argv[2], **eval(sys.argv[3]))
"""


def test_a_killed_run_that_is_resumed_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    options = SMALL | {"epochs": 100, "evaluations": 3}
    environment = os.environ | {"PYTHONHASHSEED": "17"}
    arguments = (str(corpus), str(tmp_path / "killed"), repr(options | {"threads": 2, "checkpoint_seconds": 0.0}))
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environment)
    checkpoint = tmp_path / "killed.training" / run_folder.CHECKPOINT
    begun = time.monotonic()
    while not checkpoint.exists() and child.poll() is None and time.monotonic() < begun + 60:
        time.sleep(0.01)
    child.kill()
    child.wait()
    train(corpus, tmp_path / "once", **options)
    part: int = arrayfile.read_figures(checkpoint)["state"]["part"]
    assert part > 0
    train(corpus, tmp_path / "killed", resume=True, **options)
    assert weights(tmp_path / "killed") == weights(tmp_path / "once")


def stopped(corpus: Path, folder: Path, at: int, **options: Any) -> None:
    """Train until a number of points are on the loss curve, and then stop by SIGTERM."""
    points: list[Measurement] = []

    def stop(point: Measurement) -> None:
        points.append(point)
        if len(points) == at:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="`resume`") as caught:
        train(corpus, folder, **SMALL | options | {"progress": stop})
    assert caught.value.status == 143


@pytest.mark.parametrize("options", [{}, {"method": "cbow", "characters": True, "buckets": 50}], ids=str)
def test_a_stopped_run_that_is_resumed_gives_the_same_bytes_on_any_threads(
    corpus: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    train(corpus, tmp_path / "once", **SMALL | options)
    stopped(corpus, tmp_path / "twice", 4, **options)
    assert not (tmp_path / "twice").exists()
    resumed = train(corpus, tmp_path / "twice", resume=True, **SMALL | options | {"threads": 2})
    assert weights(tmp_path / "twice") == weights(tmp_path / "once")
    assert len(resumed.history) == len(Model.load(tmp_path / "once").history)
    train(corpus, tmp_path / "four", **SMALL | options | {"threads": 4})
    assert weights(tmp_path / "four") == weights(tmp_path / "once")


def test_a_finished_run_goes_on_with_more_epochs(corpus: Path, tmp_path: Path) -> None:
    train(corpus, tmp_path / "m", **SMALL)
    before = weights(tmp_path / "m")
    same = train(corpus, tmp_path / "m", resume=True, **SMALL)
    assert weights(tmp_path / "m") == before
    assert same.record["epochs"] == 4
    more = train(corpus, tmp_path / "m", resume=True, **SMALL | {"epochs": 8})
    assert more.record["epochs"] == 8
    assert len(more.history) == len(same.history) + 5, "the second half is measured as often as it would have been"
    assert more.record["loss"] < same.record["loss"]
    assert weights(tmp_path / "m") != before
    assert Model.load(tmp_path / "m").config.epochs == 8


def test_a_resumed_run_must_have_the_same_text_and_options(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match="no checkpoint"):
        train(corpus, tmp_path / "m", resume=True, **SMALL)
    train(corpus, tmp_path / "m", **SMALL)
    with pytest.raises(RecurraError, match="exists already"):
        train(corpus, tmp_path / "m", **SMALL)
    with pytest.raises(RecurraError, match="`window` 5"):
        train(corpus, tmp_path / "m", resume=True, **SMALL | {"window": 3})
    with pytest.raises(RecurraError, match="began from nothing"):
        train(corpus, tmp_path / "m", resume=True, from_model=tmp_path / "m", **SMALL)
    corpus.write_text(sentences(seed=1))
    with pytest.raises(RecurraError, match="not those that the run"):
        train(corpus, tmp_path / "m", resume=True, **SMALL)
    before = weights(tmp_path / "m")
    train(corpus, tmp_path / "m", overwrite=True, **SMALL)
    assert weights(tmp_path / "m") != before


def test_a_run_may_be_given_a_time(corpus: Path) -> None:
    made = train(corpus, **SMALL | {"epochs": 100_000, "minutes": 0.005})
    assert made.record["ended_by"] == "time"
    assert made.record["seconds"] < 20


@pytest.mark.parametrize("ngrams", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_a_model_goes_on_with_more_text(corpus: Path, tmp_path: Path, bare: bool, ngrams: bool) -> None:
    corpus.write_text(sentences() + "rare rare rare a1 a2 a3\n" * 1)
    options = SMALL | {"validation": Texts([sentences(20, 7)])}
    first = train(corpus, tmp_path / "first", **options, characters=ngrams, buckets=60)
    if bare:
        for path in (tmp_path / "first" / modelfolder.FINISHED).iterdir():
            path.unlink()
    text = Texts([sentences(100, 3, words=11) + "rare rare rare b1 b2 b3\nbarely b1\n"])
    second = train(text, tmp_path / "second", from_model=tmp_path / "first", **options)
    assert second.config.characters == ngrams
    known, found = first.vectors.words.by_word, second.vectors.words.by_word
    assert set(known) < set(found)
    assert "a10" in found
    assert ("rare" in found) == (not bare), "six times in both, if the first model still knows of it"
    assert "barely" not in found
    before, after = first.vectors.counts[known["a1"]], second.vectors.counts[found["a1"]]
    assert after == before + text.texts[0].split().count("a1")
    assert second.record["begun_from"] == "first"
    assert second.history[0].loss < 0.95 * second.record["guessing"] or bare
    unmoved = train(text, from_model=tmp_path / "first", **options | {"learning_rate": 1e-9})
    rows = [unmoved.vectors.words.by_word[word] for word in known]
    np.testing.assert_allclose(unmoved.vectors.matrix[rows], first.vectors.matrix, atol=2e-5)


def test_what_makes_up_a_model_is_not_changed_when_it_goes_on(corpus: Path) -> None:
    first = train(corpus, **SMALL)
    with pytest.raises(OptionError, match="`embedding_size` is 9"):
        train(corpus, from_model=first, **SMALL | {"embedding_size": 9})


def test_n_grams_answer_for_words_that_were_never_seen(corpus: Path, tmp_path: Path) -> None:
    made = train(corpus, tmp_path / "m", **SMALL | {"epochs": 12}, characters=True, buckets=2000, shortest_ngram=2)
    vectors = Model.load(tmp_path / "m").vectors
    rows, found = vectors.of(["a77", "zzzz"])
    assert found.all()
    assert vectors.ngrams is not None
    assert made.vectors.ngram_rows is not None
    np.testing.assert_allclose(rows[0], made.vectors.ngram_rows[vectors.ngrams.rows("a77")].mean(axis=0), rtol=1e-5)
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    alike = {word: float(unit[index] @ rows[0]) for word, index in vectors.words.by_word.items()}
    nearest = sorted(alike, key=lambda word: -alike[word])[:5]
    assert [word[0] for word in nearest] == ["a"] * 5, "<a is what words of this theme begin with"
    with pytest.raises(OptionError, match="`characters` goes with"):
        train(corpus, **SMALL, characters=True, method="glove")


def test_vectors_that_come_to_nothing_end_the_run(corpus: Path, tmp_path: Path) -> None:
    with np.errstate(all="ignore"), pytest.raises(RecurraError, match="the loss was not finite after"):
        train(corpus, tmp_path / "m", **SMALL | {"learning_rate": 10.0, "epochs": 400, "method": "cbow"}, window=1)
    assert not (tmp_path / "m").exists()


def test_a_full_disk_loses_nothing(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(corpus, tmp_path / "m", **SMALL)
    before = weights(tmp_path / "m")

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # what every file ends with that is written all or nothing
    with pytest.raises(RecurraError, match="the disk is full"):
        train(corpus, tmp_path / "m", overwrite=True, **SMALL)
    with pytest.raises(RecurraError, match="the disk is full"):
        train(corpus, tmp_path / "other", **SMALL)
    assert weights(tmp_path / "m") == before
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "other.training").exists()


def test_too_many_noise_words_are_refused(corpus: Path) -> None:
    with pytest.raises(OptionError, match="only 40 words"):
        train(corpus, **SMALL, negative_samples=50)
    with pytest.raises(OptionError, match="no option `negatives`"):
        train(corpus, Config(), negatives=3)


def test_training_needs_no_torch() -> None:
    code = "import sys, recurra.tasks.embeddings.training as t, recurra.tasks.embeddings.learning.windows; "
    subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"], check=True)
