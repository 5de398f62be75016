"""What is chosen for a person who chooses nothing."""

from __future__ import annotations

from dataclasses import fields

import pytest

from recurra.tasks.text.config import Config, resolve

OPTIONAL = {"minutes"}


@pytest.mark.parametrize("length", [900, 50_000, 1_000_000, 100_000_000])
@pytest.mark.parametrize("vocabulary_size", [65, 6000])
@pytest.mark.parametrize("minutes", [None, 0.1, 1.0, 5.0, 30.0])
def test_everything_is_chosen_and_fits_the_data(length: int, vocabulary_size: int, minutes: float | None) -> None:
    config = resolve(Config(minutes=minutes), length, vocabulary_size)
    assert all(getattr(config, field.name) is not None for field in fields(config) if field.name not in OPTIONAL)
    assert config.batch_size * 2 * config.sequence_length < length
    assert resolve(config, length, vocabulary_size) == config


def test_more_time_takes_a_larger_model_and_less_text_more_dropout() -> None:
    sizes = [resolve(Config(minutes=minutes), 10**6, 65).hidden_size for minutes in (0.1, 1, 5, 30)]
    assert sizes == sorted(set(sizes))
    dropout = [resolve(Config(minutes=5), length, 65).dropout for length in (50_000, 10**6, 10**8)]
    assert dropout == sorted(set(dropout), reverse=True)


def test_what_was_given_stays() -> None:
    config = resolve(Config(hidden_size=7, dropout=0.0, steps=3, tied=True, preset="large"), 10**6, 65)
    assert (config.hidden_size, config.dropout, config.steps, config.tied) == (7, 0.0, 3, True)
    assert config.minutes is None


def test_a_short_text_is_not_read_forever() -> None:
    config = resolve(Config(minutes=60), 10_000, 65)
    assert config.steps is not None
    assert config.steps * config.batch_size * config.sequence_length < 100 * 10_000


def test_sequences_and_batches_fit_into_a_short_text() -> None:
    config = resolve(Config(sequence_length=900, batch_size=64), 1000, 65)
    assert (config.sequence_length, config.batch_size) == (250, 1)


@pytest.mark.parametrize(
    ("length", "vocabulary_size", "ngrams"), [(10**6, 65, 4), (10**6, 256, 4), (10**6, 6000, 0), (50_000, 65, 0)]
)
def test_n_grams_are_embedded_where_they_are_frequent(length: int, vocabulary_size: int, ngrams: int) -> None:
    config = resolve(Config(), length, vocabulary_size)
    assert (config.ngrams, config.ngram_rows, config.ngram_size) == (ngrams, 16_384, config.embedding_size)
    asked = resolve(Config(ngrams=2, ngram_rows=9, ngram_size=3), length, vocabulary_size).tables()
    assert asked == (2, 9, 3)
    assert resolve(Config(ngrams=1), length, vocabulary_size).tables() is None
    assert resolve(Config(minutes=30), length, vocabulary_size).ngrams == ngrams
