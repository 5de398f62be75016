"""What holds of text models whatever the text: across reading, training, scoring and writing."""

import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra import text
from recurra.data import text as text_files
from recurra.decoding.sampling import Sampling
from recurra.evaluation import language_model as next_token
from recurra.evaluation.language_model import log_probs, score_tokens
from recurra.tasks.text.config import Config
from recurra.tasks.text.model import Model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(trained_folder: Path) -> Model:
    return Model.load(trained_folder)


texts = st.text(st.sampled_from("the cat was full.\né春🙂"), min_size=2, max_size=80)


@given(characters=texts, chunk=st.integers(1, 90))
def test_a_score_does_not_depend_on_the_pieces_it_is_computed_in(model: Model, characters: str, chunk: int) -> None:
    tokens = model.tokenizer.encode(characters)
    whole = score_tokens(model.network, tokens, CPU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_token, "SCORING_LENGTH", chunk)
        pieces = score_tokens(model.network, tokens, CPU)
        each = log_probs(model.network, tokens, CPU)
    assert pieces.count == whole.count == len(characters) - 1 == len(each)
    assert pieces.total == pytest.approx(whole.total, rel=1e-5)
    assert -float(each.double().sum()) == pytest.approx(whole.total, rel=1e-5)


@given(characters=texts, place=st.integers(1, 79))
@torch.no_grad()
def test_no_prediction_depends_on_what_comes_later(model: Model, characters: str, place: int) -> None:
    place = min(place, len(characters) - 1)
    tokens = torch.from_numpy(model.tokenizer.encode(characters).astype("int64"))[None]
    changed = tokens.clone()
    changed[:, place:] = (changed[:, place:] + 1) % model.tokenizer.size
    before, after = model.network(tokens)[0][:, :place], model.network(changed)[0][:, :place]
    torch.testing.assert_close(before, after)


@given(prompt=st.text(st.sampled_from("the cat春"), min_size=1, max_size=10), seed=st.integers(0, 10**6))
def test_what_is_written_has_the_probabilities_with_which_it_would_be_scored(
    model: Model, prompt: str, seed: int
) -> None:
    pieces = list(islice(model.stream(prompt, sampling=Sampling(temperature=2.0, top_k=7, top_p=0.9, seed=seed)), 25))
    written = "".join(piece.text for piece in pieces)
    each = log_probs(model.network, model.tokenizer.encode(prompt + written), CPU)
    np.testing.assert_allclose([piece.log_prob for piece in pieces], each[len(prompt) - 1 :], atol=2e-5)


@given(cut=st.integers(1, 24), seed=st.integers(0, 10**6))
def test_what_was_written_is_a_prompt_like_any_other(model: Model, cut: int, seed: int) -> None:
    """The likeliest text goes on the same way from any place in it."""
    likeliest = Sampling(greedy=True, seed=seed)
    whole = model.write("The", length=25, sampling=likeliest)
    assert model.write(whole[: 3 + cut], length=25 - cut, sampling=likeliest) == whole


def test_how_the_text_is_packed_makes_no_difference(
    corpus_file: Path, tmp_path: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = corpus_file.read_text(encoding="utf-8")
    lines = content.splitlines(keepends=True)
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "1.txt").write_text("".join(lines[:10]), encoding="utf-8")
    (folder / "2.txt.gz").write_bytes(gzip.compress("".join(lines[10:]).encode()))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(content.encode()))
    (tmp_path / "dos.txt").write_bytes(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())
    (tmp_path / "wide.txt").write_text(content, encoding="utf-16")
    packings: dict[str, tuple[Any, dict[str, Any]]] = {
        "plain": (corpus_file, {}),
        "packed": (tmp_path / "c.txt.gz", {}),
        "folder": (folder, {"documents": "none"}),
        "several": ([folder / "1.txt", folder / "2.txt.gz"], {"documents": "none"}),
        "dos": (tmp_path / "dos.txt", {}),
        "wide": (tmp_path / "wide.txt", {"encoding": "utf-16"}),
    }
    weights = {}
    for name, (source, options) in packings.items():
        text.train(source, tmp_path / name, Config(**tiny, **options))
        weights[name] = (tmp_path / name / "model.safetensors").read_bytes()
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 11)
    text.train(corpus_file, tmp_path / "blocks", Config(**tiny))
    weights["blocks"] = (tmp_path / "blocks" / "model.safetensors").read_bytes()
    assert {name for name in weights if weights[name] != weights["plain"]} == set()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
def test_every_cell_learns_a_text_that_repeats_itself(tmp_path: Path, tiny: dict[str, Any], cell: str) -> None:
    (tmp_path / "c.txt").write_text("abcdefgh ijklm\n" * 200)
    # Long enough that guessing by frequency, 2.7 nats, is far behind.
    options = tiny | {"steps": 150, "hidden_size": 24, "learning_rate": 0.02, "sequence_length": 16}
    model = text.train(tmp_path / "c.txt", tmp_path / "m", Config(**options, cell=cell))
    assert model.record["nats"] < 0.3
    assert model.write("abc", length=12, sampling=Sampling(greedy=True)) == "abcdefgh ijklm\n"
