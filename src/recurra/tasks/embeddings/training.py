"""Training word embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra.arrayfile import Arrays
from recurra.config import dump_json, with_options
from recurra.data.corpus import Source
from recurra.data.sources import several
from recurra.data.vectors import Vectors
from recurra.data.word_index import WordIndex
from recurra.errors import OptionError, RecurraError
from recurra.progress import note
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.counted import NOTHING
from recurra.tasks.embeddings.data import Data, describe, read_data
from recurra.tasks.embeddings.learning.learner import Learner, Run
from recurra.tasks.embeddings.model import Model
from recurra.tasks.shared.begin import Progress, inherited, place_of
from recurra.tasks.shared.card import closing
from recurra.training import run_folder

FREE = frozenset(
    (
        *("epochs", "minutes", "learning_rate", "negative_samples", "subsample", "seed", "deterministic", "threads"),
        *("evaluations", "checkpoint_seconds", "memory", "min_count", "vocabulary_size", "encoding", "columns"),
    )
)
"""What a model that begins from another may have otherwise."""


def train(
    data: Source | Sequence[Source],
    out: str | Path | None = None,
    config: Config | None = None,
    *,
    validation: Source | Sequence[Source] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | Path | Model | None = None,
    progress: Progress = True,
    **options: Any,
) -> Model:
    """Learn vectors from a text and save them.

    Args:
        data: text files, folders of them, `Texts([...])`, or `sample:pydocs`.
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to measure the loss on; some lines are kept for it if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to go on from with more text: words keep their vectors, counts add
            up, and new words come in as soon as they were seen often enough in both texts together.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `embedding_size=50, method="glove"`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    config = with_options(config or Config(), options)
    start = Model.load(from_model) if isinstance(from_model, str | Path) else from_model
    if start and not resume:
        config = inherited(config, start.config, start.name, FREE)
    with place_of(out, resume, overwrite, progress) as folder, run_folder.opened(folder, resume, overwrite) as work:
        run = run_folder.saved(folder) if resume else None
        config = resolve(run_folder.resumed(run, config) if run else config)
        begun_from = start.name if start else None
        if run and run.begun_from != begun_from:
            began = f"from {run.begun_from}" if run.begun_from else "from nothing"
            raise RecurraError(f"this run began {began}; give the same model to begin from to go on with it")
        read = read_data(several(data), several(validation), config, work, start.counted() if start else NOTHING)
        if run:
            run_folder.require_same_data(run, read.digest, folder)
        learner = make_learner(config, read, work)
        if start:
            learner.restore(taken_over(learner.arrays(), read.words, start))
        note("\n".join(describe(read)))
        shape = Vectors(read.words, learner.vectors(), read.counts, config.splitter, config.ngrams)
        run_folder.begin(work, run, dump_json(shape.vocabulary()))
        about = {"config": asdict(config), "data": read.digest, "begun_from": begun_from}
        going = Run(learner, config, work, about, _rare(read), progress if callable(progress) else None)
        if run:
            going.restore()
        reason = going.run()
        model = _model(going, read, begun_from, reason)
        model.name = folder.name
        if out is not None:
            model.save_run(folder, work)
            note(closing(model, folder, reason))
    return model


def make_learner(config: Config, data: Data, folder: Path) -> Learner:
    """What learns by the method that is asked for.

    Args:
        config: resolved.
        data: what to learn from.
        folder: for files, such as counts that are more than the memory holds.
    """
    if config.characters and config.method not in ("negative-sampling", "cbow"):
        raise OptionError("`characters` goes with `method` negative-sampling or cbow")
    match config.method:
        case "softmax":
            from recurra.tasks.embeddings.learning.softmax import Softmax

            return Softmax(config, data)
        case "glove":
            from recurra.tasks.embeddings.learning.glove import Glove

            return Glove(config, data, folder)
        case _:
            from recurra.tasks.embeddings.learning.windows import Windows

            return Windows(config, data)


def taken_over(arrays: Arrays, words: WordIndex, start: Model) -> Arrays:
    """The state of a learner with what a model to begin from has learned of the same words.

    Args:
        arrays: of the new learner.
        words: it has rows for.
        start: the model; if it holds no training state, its vectors are the input vectors.
    """
    index = words.by_word
    known = [(index[word], row) for row, word in enumerate(start.vectors.words) if word in index]
    new, old = np.array(known, np.int64).reshape(-1, 2).T
    taken = dict(arrays)
    for name, values in start.learned().items():
        if name not in arrays or values.shape[1:] != arrays[name].shape[1:]:
            continue
        if name.startswith("word/"):
            taken[name] = arrays[name].copy()
            taken[name][new] = values[old]
        elif values.shape == arrays[name].shape:
            taken[name] = values
    return taken


def _rare(data: Data) -> Arrays:
    """What a checkpoint keeps of the words that were too rare: they count when training goes on with more text."""
    rare = WordIndex.of(list(data.rare.words))
    return {f"rare/{name}": array for name, array in rare.arrays().items()} | {"rare/counts": data.rare.counts}


def _model(going: Run, data: Data, begun_from: str | None, reason: str) -> Model:
    learner, config, state = going.learner, going.config, going.state
    vectors = Vectors(data.words, learner.vectors(), data.counts, config.splitter, config.ngrams, learner.ngram_rows())
    record = {
        "data": data.corpus.name,
        "words": data.seen,
        "validation": data.validation_name,
        "validation_loss": state.history[-1].validation_loss,
        "loss": state.history[-1].loss,
        "loss_unit": learner.unit,
        "guessing": learner.guessing,
        "epochs": round(state.part / learner.parts, 3),
        "words_trained_on": state.words,
        "seconds": round(state.seconds, 1),
        "core_seconds": round(state.core_seconds, 1),
        "ended_by": reason,
        "begun_from": begun_from,
        "recurra": recurra.__version__,
    }
    learned = learner.arrays() | _rare(data)
    return Model(vectors, config, record, history=state.history, state=learned)
