"""Training from Python, whatever the task: where a model begins, what it says, what it leaves as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra as package
from recurra import captions, modelfile, music, sentiment, speech, text, translation
from recurra.errors import Interrupted, OptionError, RecurraError
from recurra.tasks import TASKS
from recurra.training import run_folder
from recurra.training.history import Measurement

Command = Callable[..., Any]
CASES = ["text", "music", "sentiment", "translation", "captions", "speech"]


@pytest.fixture
def data(
    corpus_file: Path, music_folder: Path, opinions_file: Path, pairs_file: Path, scenes_file: Path, songs_file: Path
) -> dict[str, Path]:
    return {
        "text": corpus_file,
        "music": music_folder,
        "sentiment": opinions_file,
        "translation": pairs_file,
        "captions": scenes_file,
        "speech": songs_file,
    }


@pytest.fixture
def folders(
    trained_folder: Path,
    trained_music: Path,
    trained_sentiment: Path,
    trained_translation: Path,
    trained_captions: Path,
    trained_speech: Path,
) -> dict[str, Path]:
    return {
        "text": trained_folder,
        "music": trained_music,
        "sentiment": trained_sentiment,
        "translation": trained_translation,
        "captions": trained_captions,
        "speech": trained_speech,
    }


def weights(model: Any) -> dict[str, torch.Tensor]:
    return modelfile.unique_tensors(model.network)


def train(task: str, *arguments: Any, **options: Any) -> Any:
    return getattr(package, task).train(*arguments, progress=False, **options)


@pytest.mark.parametrize("task", CASES)
def test_a_model_begins_from_a_trained_one_and_keeps_what_makes_it_up(
    task: str, data: dict[str, Path], folders: dict[str, Path], tmp_path: Path
) -> None:
    start = package.load(folders[task])
    model = train(task, data[task], tmp_path / "m", from_model=folders[task], steps=1, learning_rate=1e-12)
    assert model.vocabulary.to_json() == start.vocabulary.to_json()
    assert model.config.hidden_size == start.config.hidden_size
    learned = dict(model.network.named_parameters())
    for name, parameter in start.network.named_parameters():
        torch.testing.assert_close(learned[name], parameter, rtol=0, atol=1e-6)
    assert model.record["begun_from"] == start.name
    assert f"begun from {start.name}" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(OptionError, match=r"`hidden_size` is 9, but .*, from which this model begins, has"):
        train(task, data[task], tmp_path / "n", from_model=start, steps=1, hidden_size=9)
    assert not (tmp_path / "n.training").exists()


def test_a_trained_model_learns_more_from_little(tmp_path: Path) -> None:
    def lines(words: list[str], count: int, seed: int) -> str:
        rng = np.random.default_rng(seed)
        return "".join(" ".join(rng.choice(words, size=6)) + ".\n" for _ in range(count))

    words = ["the", "cats", "which", "were", "full", "ate", "naively", "already"]
    (tmp_path / "much.txt").write_text(lines(words, 600, 0))
    (tmp_path / "little.txt").write_text(lines([*words[:4], "dogs"], 45, 1))
    (tmp_path / "kept.txt").write_text(lines([*words[:4], "dogs"], 60, 2))
    options: dict[str, Any] = dict(hidden_size=48, embedding_size=16, dropout=0.0, min_count=1)
    text.train(tmp_path / "much.txt", tmp_path / "start", steps=150, progress=False, **options)
    little = dict(validation=tmp_path / "kept.txt", steps=40)
    anew = train("text", tmp_path / "little.txt", **little, **options)
    tuned = train("text", tmp_path / "little.txt", from_model=tmp_path / "start", **little)
    assert tuned.record["nats"] < 0.85 * anew.record["nats"]


def test_a_run_that_began_from_a_model_goes_on_and_is_not_begun_again(
    corpus_file: Path, trained_folder: Path, tmp_path: Path, recurra: Command, refused: Command
) -> None:
    begin = ["text", "train", corpus_file, "--out", tmp_path / "m", "--from", trained_folder]
    assert recurra(*begin, "--steps", 2).status == 0
    assert recurra("text", "train", corpus_file, "--out", tmp_path / "m", "--resume", "--steps", 4).status == 0
    assert recurra(*begin, "--resume", "--steps", 5).status == 0
    assert package.load(tmp_path / "m").record["begun_from"] == "tiny"
    assert recurra("text", "train", corpus_file, "--out", tmp_path / "n", "--min-count", 1, "--steps", 1).status == 0
    message = refused("text", "train", corpus_file, "--out", tmp_path / "n", "--from", trained_folder, "--resume")
    assert "this run began from nothing, not from tiny" in message


def test_another_process_in_the_same_folder_is_kept_out(
    corpus_file: Path, tmp_path: Path, refused: Command, tiny_options: list[str]
) -> None:
    hold = "import sys; from pathlib import Path; from recurra.training import run_folder\n" + (
        "with run_folder.opened(Path(sys.argv[1]), False, False): print('in', flush=True); sys.stdin.read()"
    )
    arguments = ["text", "train", corpus_file, "--out", tmp_path / "m", *tiny_options]
    with subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path / "m"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"in\n"
        assert f"another process is training {tmp_path / 'm'}" in refused(*arguments)
        first.communicate(b"")
    assert text.train(corpus_file, tmp_path / "m", steps=1, progress=False, hidden_size=8).record["steps"] == 1
    assert not run_folder.of(tmp_path / "m").exists()


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), RecurraError("x")])
def test_whatever_stops_a_run_before_it_begins_leaves_nothing(
    corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def broken(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("recurra.tasks.text.training.read_data", broken)
        with pytest.raises(type(error)):
            text.train(corpus_file, tmp_path / "new" / "m", steps=1, progress=False)
    assert list(tmp_path.iterdir()) == []
    text.train(corpus_file, tmp_path / "new" / "m", steps=1, hidden_size=8, progress=False)


def test_resume_with_nothing_to_resume_is_refused_and_the_model_stays(
    corpus_file: Path, model_folder: Path, refused: Command, tmp_path: Path
) -> None:
    before = (model_folder / "model.safetensors").read_bytes()
    (model_folder / "training" / "checkpoint.safetensors").unlink()
    for out in (model_folder, tmp_path / "nothing"):
        message = refused("text", "train", corpus_file, "--out", out, "--resume", "--steps", 1)
        assert f"there is no checkpoint of {out} to go on from" in message
    assert (model_folder / "model.safetensors").read_bytes() == before
    assert not (tmp_path / "nothing").exists()


def test_a_model_that_is_worse_than_guessing_says_so(
    corpus_file: Path, tmp_path: Path, recurra: Command, tiny_options: list[str]
) -> None:
    answer = recurra("text", "train", corpus_file, "--out", tmp_path / "m", *tiny_options, "--learning-rate", 3)
    assert answer.status == 0
    assert "this is worse than guessing evenly" in answer.err
    assert "still getting better" not in answer.err


def test_progress_can_be_taken_over_or_turned_off_and_the_history_comes_along(
    corpus_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Measurement] = []
    options: dict[str, Any] = dict(steps=10, hidden_size=8, evaluations=2)
    model = text.train(corpus_file, tmp_path / "m", progress=seen.append, **options)
    assert tuple(seen) == model.history == package.load(tmp_path / "m").history
    assert [row.step for row in seen if row.validation_loss is not None] == [5, 10]
    text.train(corpus_file, progress=False, **options)
    assert capsys.readouterr() == ("", "")
    text.train(corpus_file, **options)
    assert "validation" in capsys.readouterr().err


def test_without_a_folder_a_model_is_in_memory_only(corpus_file: Path, tmp_path: Path) -> None:
    model = train("text", corpus_file, steps=1, hidden_size=8)
    model.save(str(tmp_path / "later"))
    assert package.load(tmp_path / "later").write("a", length=9, seed=1) == model.write("a", length=9, seed=1)
    assert package.load(tmp_path / "later").history == model.history != ()
    with pytest.raises(OptionError, match="give `out` too"):
        train("text", corpus_file, overwrite=True)


def test_a_run_that_is_stopped_says_what_is_kept_of_it(corpus_file: Path, tmp_path: Path) -> None:
    def stop(point: Measurement) -> None:
        signal.raise_signal(signal.SIGINT)

    for out, message in ((None, "nothing is kept, as there is no `out`"), (tmp_path / "m", "go on with the same")):
        with pytest.raises(Interrupted, match=message) as stopped:
            text.train(corpus_file, out, steps=200, hidden_size=8, progress=stop)
        assert stopped.value.status == 130
    assert train("text", corpus_file, tmp_path / "m", steps=200, resume=True).record["steps"] == 200


@pytest.mark.parametrize("task", CASES)
def test_all_names_after_validation_are_validated_on(
    task: str,
    data: dict[str, Path],
    tmp_path: Path,
    recurra: Command,
    music_folder: Path,
    scenes_file: Path,
    songs_file: Path,
) -> None:
    kept = {
        "text": sorted(tmp_path / name for name in ("a.txt", "b.txt")),
        "music": sorted(music_folder.iterdir())[:2],
        "sentiment": sorted(tmp_path / name for name in ("a.tsv", "b.tsv")),
        "translation": sorted(tmp_path / name for name in ("a.tsv", "b.tsv")),
        "captions": [scenes_file, scenes_file],
        "speech": [songs_file, songs_file],
    }[task]
    for path in kept:
        if task not in ("music", "captions", "speech"):
            path.write_text(("ab\tpositive\n" if task == "sentiment" else "ab\tba\n") * 40)
    options = ["--steps", 1, "--hidden-size", 8]
    assert recurra(task, "train", data[task], "--out", tmp_path / "m", "--validation", *kept, *options).status == 0
    record = package.load(tmp_path / "m").record
    assert record["data"] == data[task].name
    assert record["validation"] == f"{kept[0].name} and 1 more"


def test_a_model_does_not_begin_from_one_of_another_task(corpus_file: Path, trained_translation: Path) -> None:
    with pytest.raises(OptionError, match="is a translation model; a text model cannot begin from it"):
        train("text", corpus_file, from_model=package.load(trained_translation), steps=1)


def test_a_library_call_leaves_the_process_as_it_was(corpus_file: Path) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), signal.getsignal(signal.SIGINT)
    model = train("text", corpus_file, steps=2, hidden_size=8)
    model.write("a", length=5)
    model.evaluate(corpus_file)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert signal.getsignal(signal.SIGINT) is before[2]


@pytest.mark.parametrize("task", CASES)
def test_using_a_model_imports_no_trainer(task: str, folders: dict[str, Path]) -> None:
    code = f"import sys, recurra; recurra.load({str(folders[task])!r}); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'recurra.modelfile'" in loaded
    assert not [name for name in ("accelerate", "recurra.training.trainer") if repr(name) in loaded]


def test_the_tasks_that_may_not_import_each_other_are_all_of_them() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    (independent,) = (each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "independence")
    assert independent["modules"] == [f"recurra.tasks.{task}" for task in TASKS]


@pytest.mark.parametrize("task", CASES)
def test_a_task_shows_what_a_user_needs(task: str, folders: dict[str, Path]) -> None:
    module = {
        "text": text,
        "music": music,
        "sentiment": sentiment,
        "translation": translation,
        "captions": captions,
        "speech": speech,
    }[task]
    assert {"train", "Config", "Model"} <= set(dir(module)) == set(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)
    model = package.load(folders[task], "cpu")
    assert model.to("cpu") is model.to(torch.device("cpu")) is model
    for device in ("gpu", torch.device("cuda" if not torch.cuda.is_available() else "xla"), None):
        with pytest.raises(OptionError, match=r"`device` is .*; use cpu|must be one of"):
            model.to(device)
    assert repr(model).startswith(f"<{task} model '{folders[task].name}': lstm, 1 x ")
    assert set(package.__all__) == {"load", *TASKS}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp16"}, "`precision` is 'fp16', but must be one of float32, bfloat16"),
        ({"cell": "foo"}, "`cell` is 'foo', but must be one of lstm, gru, rnn, rnn-relu"),
        ({"tokens": "runes"}, "`tokens` is 'runes', but must be one of"),
        ({"steps": "3"}, "`steps` is '3', but must be a whole number or None"),
        ({"hidden_size": 16.5}, "`hidden_size` is 16.5, but must be a whole number or None"),
        ({"steps": True}, "`steps` is True, but must be a whole number or None"),
        ({"encoding": None}, "`encoding` is None, but must be text"),
        ({"device": torch.device("cuda", 99)}, "`device` is .*, but must be one of auto, cpu"),
        ({"hiden_size": 3}, "there is no option `hiden_size`; did you mean `hidden_size`?"),
    ],
)
def test_choices_are_checked_as_ranges_are(corpus_file: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        train("text", corpus_file, **options)


def test_weights_that_have_changed_change_what_is_written(trained_folder: Path) -> None:
    model = package.load(trained_folder, "cpu", task="text")
    first = model.write("The ", length=30, greedy=True)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.data.neg_()
    assert model.write("The ", length=30, greedy=True) != first


def test_several_prompts_in_one_call_are_independent(trained_folder: Path) -> None:
    model = package.load(trained_folder, "cpu", task="text")
    texts = model.write(["The ", "cat", "The "], length=20, seed=3)
    assert [made[:3] for made in texts] == ["The", "cat", "The"]
    assert texts[0] == model.write("The ", length=20, seed=3)
    assert texts[0] != texts[2]
    assert texts[:2] == model.write(["The ", "cat"], length=20, seed=3)
    assert model.write("The ", length=0) == "The "
    with pytest.raises(OptionError, match="`length` is -1, but must be between 0"):
        model.write("The ", length=-1)


def test_what_is_given_long_is_told_short(refused: Command, tmp_path: Path) -> None:
    message = refused("text", "train", "x" * 5000, "--out", tmp_path / "m")
    assert len(message) < 500


def test_values_may_begin_with_a_dash(recurra: Command, trained_folder: Path) -> None:
    answer = recurra("text", "write", trained_folder, "--prompt", "- Hello", "--stop", "---", "--length", 3)
    assert answer.status == 0, answer
    assert answer.out.startswith("- Hello")


def test_an_option_that_begins_like_another_is_suggested(refused: Command, trained_folder: Path) -> None:
    assert "did you mean --temperature?" in refused("text", "write", trained_folder, "--temp", 1, status=2)
