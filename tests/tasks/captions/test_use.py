"""The captions task from outside: train, describe, evaluate, from the command line and from Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recurra as package
from recurra import captions, modelfile
from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions.accuracy import attention_inside, truthfulness
from recurra.tasks.captions.image_encoder import Places
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.shapes import Scene, Thing, scene_of, shapes
from recurra.tasks.captions.truth import information, is_true

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def model(trained_captions: Path) -> Model:
    return Model.load(trained_captions)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of scenes that no model has seen."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for item in shapes(5, seed=9):
        item.open().save(folder / item.name)
    return folder


def test_what_is_learned_is_how_captions_go(model: Model) -> None:
    assert model.record["pictures"] == 54
    assert model.record["captions"] == 108
    assert model.record["nats"] < 0.7 * model.record["guessing"]
    text = model.describe(shapes(1, seed=9)[0].open())
    assert set(text.split()) <= {word.strip() for word in model.vocabulary.tokenizer.words}  # type: ignore[attr-defined]


def test_one_command_trains_and_one_describes(
    scenes_file: Path, pictures: Path, tmp_path: Path, recurra: Command, tiny_captions: dict[str, Any]
) -> None:
    options = [part for name, value in tiny_captions.items() for part in (f"--{name.replace('_', '-')}", value)]
    answer = recurra("captions", "train", scenes_file, "--out", tmp_path / "m", *options)
    assert answer.status == 0, answer
    assert "54 pictures with 108 captions" in answer.err
    assert f"next: recurra captions describe {tmp_path / 'm'} PICTURE" in answer.err
    picture = pictures / "shapes-00000.png"
    answer = recurra("captions", "describe", tmp_path / "m", picture)
    assert answer.status == 0
    assert answer.out.strip().removesuffix(" ...") == package.load(tmp_path / "m").describe(picture)


def test_a_folder_is_described_file_by_file_and_several_captions_differ(
    trained_captions: Path, pictures: Path, recurra: Command
) -> None:
    lines = recurra("captions", "describe", trained_captions, pictures).out.splitlines()
    assert [Path(line.split("\t")[0]).name for line in lines] == [f"shapes-0000{number}.png" for number in range(5)]
    several = recurra("captions", "describe", trained_captions, pictures, "--n-best", 3).out.splitlines()
    rows = [line.split("\t") for line in several]
    assert len({(name, text) for name, _, text in rows}) == len(rows) > 5
    for number, line in enumerate(lines):
        name, text = line.split("\t")
        own = [row for row in rows if row[0] == name]
        assert own[0][2] == text, number
        scores = [float(score) for _, score, _ in own]
        assert scores == sorted(scores, reverse=True)


def test_json_has_names_and_log_probabilities(trained_captions: Path, pictures: Path, recurra: Command) -> None:
    answer = recurra("captions", "describe", trained_captions, pictures, "--json", "--n-best", 2)
    told = json.loads(answer.out)
    assert told["count"] == len(told["pictures"]) == 5
    assert told["text"] == told["pictures"][0]["text"] == told["pictures"][0]["n_best"][0]["text"]
    for each in told["pictures"]:
        assert Path(each["path"]).exists()
        for best in each["n_best"]:
            assert "".join(best["tokens"]).strip() == best["text"]
            assert len(best["log_probs"]) == len(best["tokens"]) + 1
            assert best["log_prob"] == pytest.approx(sum(best["log_probs"]), abs=1e-4)
            assert best["score"] == pytest.approx(best["log_prob"] / len(best["log_probs"]), abs=1e-4)


def test_captions_that_were_cut_off_are_marked(
    trained_captions: Path, pictures: Path, recurra: Command, tmp_path: Path
) -> None:
    out = tmp_path / "captions.tsv"
    answer = recurra("captions", "describe", trained_captions, pictures, "--max-length", 3, "--out", out)
    assert answer.status == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert any(line.endswith(" ...") for line in lines)
    told = json.loads(recurra("captions", "describe", trained_captions, pictures, "--max-length", 3, "--json").out)
    for line, each in zip(lines, told["pictures"], strict=True):
        best = each["n_best"][0]
        assert best["finished"] == (len(best["tokens"]) < 3) == (not line.endswith(" ..."))


def test_pictures_are_described_together_as_one_by_one(model: Model) -> None:
    pixels = [model.pixels(item.open()) for item in shapes(40, seed=9)]
    together = model.captions(pixels, captions.BeamSearch(beam_size=4, n_best=3))
    for pixel, several in zip(pixels, together, strict=True):
        (alone,) = model.captions([pixel], captions.BeamSearch(beam_size=4, n_best=3))
        assert [each.text for each in alone] == [each.text for each in several]
        np.testing.assert_allclose([each.score for each in alone], [each.score for each in several], atol=1e-5)
        np.testing.assert_allclose(alone[0].weights, several[0].weights, atol=1e-5)
    assert together[0][0].weights is not None
    assert together[0][0].weights.shape == (len(together[0][0].tokens) + 1, 8, 8)


def test_a_picture_may_be_given_in_any_form(model: Model, pictures: Path) -> None:
    path = pictures / "shapes-00002.png"
    text = model.describe(path)
    assert model.describe(str(path)) == model.describe(path.read_bytes()) == model.describe(Image.open(path)) == text
    assert model.describe([path, Image.open(path)]) == [text, text]
    assert model.describe([]) == []


def test_saved_and_loaded_it_is_the_same_to_the_bit(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "again")
    loaded = package.load(tmp_path / "again")
    ours, theirs = (modelfile.unique_tensors(each.network) for each in (model, loaded))
    assert ours.keys() == theirs.keys()
    assert "encoder.norms.0.mean" in ours
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(ours["encoder.norms.0.mean"], torch.zeros_like(ours["encoder.norms.0.mean"]))
    items = shapes(3, seed=9)
    assert loaded.describe([item.open() for item in items]) == model.describe([item.open() for item in items])


def test_a_resumed_run_is_one_that_was_not_stopped(scenes_file: Path, tmp_path: Path, tiny_captions: Any) -> None:
    options = tiny_captions | {"evaluations": 4, "steps": 8, "dropout": 0.2}
    whole = captions.train(scenes_file, tmp_path / "whole", progress=False, **options)

    def stop(point: Any) -> None:
        if point.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        captions.train(scenes_file, tmp_path / "m", progress=stop, **options | {"checkpoint_seconds": 0.0})
    resumed = captions.train(scenes_file, tmp_path / "m", progress=False, resume=True)
    ours, theirs = (modelfile.unique_tensors(each.network) for each in (whole, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert resumed.record["nats"] == whole.record["nats"]


def test_the_sample_is_measured_with_whether_captions_are_true(
    trained_captions: Path, recurra: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "__defaults__", (240, 1))
    answer = recurra("captions", "evaluate", trained_captions, "sample:shapes", "--split", "test", "--json")
    assert answer.status == 0, answer
    found = json.loads(answer.out)
    assert found["count"] == 10
    assert {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "exact_match", "tokenizer"} <= set(found)
    assert 0 <= found["true"] <= 1
    assert found["information_of_sample"] > 6
    table = recurra("captions", "evaluate", trained_captions, "sample:shapes", "--split", "test").out
    assert f"cider                  {found['cider']:.5g}" in table


def test_what_is_true_and_what_is_said_are_counted() -> None:
    items = shapes(6, seed=3)
    scenes = [scene_of(item) for item in items]
    heard = [item.captions[0] for item in items[:4]] + ["a hexagon", "four large blue crosses"]
    found = truthfulness(items, heard)
    assert found["true"] == pytest.approx(4 / 6)
    assert found["information"] == pytest.approx(np.mean([information(text) for text in heard[:4]]))
    counted = [(text, scene) for text, scene in zip(heard, scenes, strict=True) if text.split()[-1].endswith("s")]
    assert ("four large blue crosses", scenes[5]) in counted
    assert found["true_counts"] < 1
    assert scenes[5] is not None
    assert not is_true(heard[5], scenes[5])


def test_attention_inside_is_the_weight_in_the_squares_around_what_a_phrase_is_about() -> None:
    red = Thing("circle", "red", "small", 7, 15, 15, (200, 0, 0))  # from 8 to 22, of cells 1 and 2 but the last pixel
    blue = Thing("star", "blue", "large", 11, 48, 48, (0, 0, 200))
    scene = Scene((red, blue), 255)
    weights = np.zeros((7, 8, 8), np.float32)
    weights[:3, 1, 1] = 1  # a red circle
    weights[3, 7, 0] = 1  # above
    weights[4:, 1, 1] = 0.5  # a star, looked for in both places
    weights[4:, 6, 6] = 0.5
    one, other = attention_inside(scene, "a red circle above a star", np.concatenate([weights, weights[:1]])[:7])
    assert one == pytest.approx(1)
    assert other == pytest.approx(0.5)
    shifted = Places(64, 8, 2.0, 8.0)  # position 1 is nearest to pixels 6 to 13, position 6 to 46 to 53
    one, other = attention_inside(scene, "a red circle above a star", weights, shifted)
    assert one == pytest.approx((6 / 8) ** 2)
    assert other == pytest.approx(0.5)
    assert attention_inside(scene, "a red circle below a star", weights) == []
    assert attention_inside(scene, "something else", weights) == []


def test_exact_match_is_one_of_the_captions_that_are_given(model: Model, scenes_file: Path, tmp_path: Path) -> None:
    pictures = sorted(scenes_file.parent.glob("*.png"))[:3]
    said = model.describe(pictures)
    data = [(pictures[0], [said[0].upper(), "other"]), (pictures[1], ["other"]), (pictures[2], ["other", said[2]])]
    found = model.evaluate(data)
    assert found["exact_match"] == pytest.approx(2 / 3)
    assert "true" not in found
    assert model.evaluate(data[:1])["cider"] is None


def test_without_attention_it_is_one_vector_and_captions_have_no_weights(scenes_file: Path, tiny_captions: Any) -> None:
    model = captions.train(scenes_file, progress=False, attention="none", **tiny_captions)
    assert model.network.decoder.attention is None
    (best,) = model.captions([model.pixels(shapes(1)[0].open())])
    assert best[0].weights is None
    assert "no attention" in repr(model)


def test_broken_pictures_are_told_and_the_others_described(
    trained_captions: Path, pictures: Path, recurra: Command, refused: Command
) -> None:
    (pictures / "shapes-00001.png").write_bytes(b"\x89PNG nothing")
    (pictures / "notes.txt").write_text("not looked at")
    answer = recurra("captions", "describe", trained_captions, pictures)
    assert answer.status == 0
    assert len(answer.out.splitlines()) == 4
    assert "1 of 5 pictures were left out" in answer.err
    assert "1 of 6 files are left out, whose names do not end like a picture's" in answer.err
    assert "shapes-00001.png" in refused("captions", "describe", trained_captions, pictures / "shapes-00001.png")
    for path in pictures.glob("*.png"):
        path.write_bytes(b"no picture")
    assert "none of the 5 pictures can be read" in recurra("captions", "describe", trained_captions, pictures).err


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["describe", "MODEL"], "there is nothing to read; name a picture", 2),
        (["describe", "MODEL", "nowhere.png"], "nowhere.png", 1),
        (["describe", "MODEL", "EMPTY"], "holds no picture", 1),
        (["describe", "MODEL", "EMPTY", "--out", "EMPTY"], "is a folder; give the name of a file", 2),
        (["evaluate", "MODEL"], "there is nothing to read; name a captions file", 2),
        (["evaluate", "MODEL", "sample:moods"], "no sample of pictures called sample:moods", 1),
        (["train", "sample:shapes", "--out", "m", "--image-size", "9"], "--image-size is 9, but must be between", 2),
        (["train", "sample:shapes", "--out", "m", "--images", "nowhere"], "--images nowhere is not a folder", 2),
        (["train", "--out", "m"], "there is nothing to read; name a captions file", 2),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    arguments: list[str],
    message: str,
    status: int,
    trained_captions: Path,
    refused: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    named = {"MODEL": trained_captions, "EMPTY": tmp_path / "empty"}
    assert message in refused("captions", *(named.get(part, part) for part in arguments), status=status)
    assert not (tmp_path / "m").exists()


def test_a_model_of_a_changed_vocabulary_or_network_is_refused(trained_captions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(trained_captions, folder)
    (folder / "vocabulary.json").write_text("{}")
    with pytest.raises(RecurraError):
        package.load(folder)
    with pytest.raises(OptionError, match="`encoder` is 'large', but must be one of small"):
        captions.Config(encoder="large")  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_processes_train_one_model_with_the_running_means_of_both(
    scenes_file: Path, tmp_path: Path, tiny_captions: dict[str, Any]
) -> None:
    options = [part for name, value in tiny_captions.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    arguments = ["captions", "train", str(scenes_file), "--out", str(tmp_path / "m"), "--device", "cpu", *options]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--module"]
    subprocess.run([*command, "recurra", *arguments], check=True, capture_output=True)
    alone = captions.train(scenes_file, progress=False, device="cpu", **tiny_captions)
    both = Model.load(tmp_path / "m")
    assert both.record["nats"] == pytest.approx(alone.record["nats"], rel=0.01)
    for name, own in alone.network.named_buffers():
        # Each process normalises by its own pictures, so they are not quite the same.
        torch.testing.assert_close(dict(both.network.named_buffers())[name], own, rtol=0.3, atol=0.1)
        assert not torch.equal(own, torch.zeros_like(own))
        assert not torch.equal(own, torch.ones_like(own))
