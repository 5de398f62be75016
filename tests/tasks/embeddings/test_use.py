"""The embeddings task in use: from Python, as commands, and with what it does not import."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vectoring import ROYAL, model_of, royal

import recurra as package
from recurra.data.vectors import CharacterNgrams
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings import Model

Command = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model of `ROYAL` on disk."""
    royal().save(tmp_path / "vec")
    return tmp_path / "vec"


def cosine(first: str, second: str) -> float:
    a, b = np.array(ROYAL[first]), np.array(ROYAL[second])
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def by_cosine(word: str, among: list[str]) -> list[str]:
    return sorted((other for other in among if other not in (word, "zero")), key=lambda other: -cosine(word, other))


class TestModel:
    def test_neighbours_of_one_word_and_of_several(self, folder: Path) -> None:
        model = package.load(folder, task="embeddings")
        for word in ("king", "spoon"):
            found = model.similar(word, count=4)
            assert [neighbour.word for neighbour in found] == by_cosine(word, list(ROYAL))[:4]
            assert found[0].similarity == pytest.approx(cosine(word, found[0].word), abs=1e-6)
        assert model.similar(["king", "spoon", "King"], count=4) == [
            model.similar(word, count=4) for word in ("king", "spoon", "king")
        ]
        assert len(model.similar("king", count=100)) == len(ROYAL) - 2

    def test_neighbours_among_my_own_words(self, capsys: pytest.CaptureFixture[str]) -> None:
        own = ["spoon", "queen", "king", "nobody", "man", "queen"]
        found = royal().similar("king", among=own)
        assert [neighbour.word for neighbour in found] == by_cosine("king", ["spoon", "queen", "man"])
        assert "1 of the words to search among have no vector: 'nobody'" in capsys.readouterr().err
        assert [each.word for each in royal().similar("King", among=["KING", "man", "king"])] == ["man"]
        with pytest.raises(RecurraError, match="vec has none of the 2 words to search among; give others"):
            royal().similar("king", among=["nobody", "nothing"])

    @pytest.mark.parametrize("method", ["add", "multiply"])
    def test_an_analogy(self, method: Any) -> None:
        found = royal().analogy("man", "king", "Woman", count=3, method=method)
        assert found[0].word == "queen"
        assert not {"man", "king", "woman", "zero"} & {neighbour.word for neighbour in found}

    def test_the_odd_one_out(self) -> None:
        assert royal().odd_one_out(["king", "queen", "spoon", "prince"]) == "spoon"
        fitting = royal().fitting(["king", "queen", "spoon"])
        assert [item.similarity for item in fitting] == sorted(item.similarity for item in fitting)
        with pytest.raises(OptionError, match="of fewer than three words none is the odd one; give more"):
            royal().odd_one_out(["king", "queen"])

    def test_vectors_by_word(self) -> None:
        model = royal()
        assert model["KING"].tolist() == np.float32(ROYAL["king"]).tolist()
        assert "KING" in model
        assert "kong" not in model
        assert 3 not in model

    def test_a_word_that_is_not_there_has_its_near_spellings_named(self) -> None:
        with pytest.raises(RecurraError, match=r"vec has no word 'kink'; did you mean king\?"):
            royal()["kink"]
        with pytest.raises(RecurraError, match=r"'Womxn'; did you mean woman\?"):
            royal().similar("Womxn")
        with pytest.raises(RecurraError, match="'xyzzyx'; check its spelling, or ask for another"):
            royal().analogy("man", "king", "xyzzyx")
        with pytest.raises(RecurraError) as raised:
            royal()["x" * 10_000]
        assert len(str(raised.value)) < 150

    def test_a_zero_vector_is_near_nothing(self) -> None:
        with pytest.raises(RecurraError, match="'zero' has a zero vector in vec, which is near nothing; ask"):
            royal().similar("zero")

    def test_any_word_is_made_of_its_parts_if_the_model_has_them(self) -> None:
        model = model_of(["cat", "cats", "dog"], np.eye(3), ngrams=CharacterNgrams(3, 4, 500))
        assert "catz" in model
        expected = sorted(
            model.vectors.words,
            key=lambda word: -model["catz"] @ model[word] / np.linalg.norm(model[word]),
        )
        assert [neighbour.word for neighbour in model.similar("catz")] == expected
        assert {each.word for each in model.similar("catz", among=["dog", "catz", "catx"])} == {"dog", "catx"}

    @pytest.mark.parametrize("count", [0, -1, 10**9])
    def test_a_count_is_a_number_of_words(self, count: int) -> None:
        with pytest.raises(OptionError, match="`count` is"):
            royal().similar("king", count=count)
        with pytest.raises(OptionError, match="`count` is"):
            royal().analogy("man", "king", "woman", count=count)


class TestCommands:
    def test_similar(self, recurra: Command, folder: Path) -> None:
        answer = recurra("embeddings", "similar", folder, "king", "--count", 2)
        first, second = by_cosine("king", list(ROYAL))[:2]
        assert answer == (0, f"{cosine('king', first):8.4f}  {first}\n{cosine('king', second):8.4f}  {second}\n", "")
        both = recurra("embeddings", "similar", folder, "king", "spoon", "--count", 1).out.split("\n")
        assert [both[0], both[3]] == ["king", "spoon"]
        told = json.loads(recurra("embeddings", "similar", folder, "king", "spoon", "--count", 1, "--json").out)
        assert told["count"] == 2
        assert [item["word"] for item in told["similar"]] == ["king", "spoon"]
        assert told["similar"][0]["neighbours"] == [
            {"word": first, "similarity": pytest.approx(cosine("king", first), abs=1e-6)}
        ]

    def test_words_as_lines_of_standard_input(
        self, recurra: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def typed(text: bytes) -> None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

        typed(b"king\r\n\nkink\nspoon")
        answer = recurra("embeddings", "similar", folder, "--json")
        told = json.loads(answer.out)
        assert [item["word"] for item in told["similar"]] == ["king", "kink", "spoon"]
        assert told["similar"][1]["neighbours"] == []
        assert "has no word 'kink'; did you mean king?" in answer.err
        typed(b"kink\n" * 15 + b"king")
        answer = recurra("embeddings", "similar", folder)
        assert answer.status == 0
        assert answer.err.count("did you mean") == 10
        assert "so it is with 5 more words" in answer.err
        typed(b"kink\nkonk\n")
        answer = recurra("embeddings", "similar", folder)
        assert (answer.status, answer.out) == (1, "")
        typed(b"")
        answer = recurra("embeddings", "similar", folder)
        assert (answer.status, answer.err) == (
            2,
            "error: there is no word to look for: standard input is empty; name one\n",
        )

    def test_a_list_of_my_own(self, recurra: Command, refused: Refused, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "own.txt").write_text("queen\n\n  man \nspoon\n")
        answer = recurra("embeddings", "similar", folder, "king", "--among", tmp_path / "own.txt")
        assert [line.split()[1] for line in answer.out.splitlines()] == by_cosine("king", ["queen", "man", "spoon"])
        (tmp_path / "none.txt").write_text("\n \n")
        assert "none.txt is empty; give a file with text in it" in refused(
            "embeddings", "similar", folder, "king", "--among", tmp_path / "none.txt"
        )

    @pytest.mark.parametrize("method", ["add", "multiply"])
    def test_analogy(self, recurra: Command, folder: Path, method: str) -> None:
        given = ("embeddings", "analogy", folder, "man", "king", "woman", "--method", method, "--count", 2)
        assert recurra(*given).out.split()[1] == "queen"
        told = json.loads(recurra(*given, "--json").out)
        assert (told["text"], told["count"], len(told["answers"])) == ("queen", 2, 2)

    def test_odd_one_out(self, recurra: Command, refused: Refused, folder: Path) -> None:
        given = ("embeddings", "odd-one-out", folder, "king", "queen", "spoon")
        assert recurra(*given).out.split()[1] == "spoon"
        told = json.loads(recurra(*given, "--json").out)
        assert (told["text"], told["words"][0]["word"]) == ("spoon", "spoon")
        assert "give more" in refused(*given[:-1], status=2)

    def test_evaluate(self, recurra: Command, refused: Refused, folder: Path, tmp_path: Path) -> None:
        analogies, pairs = tmp_path / "analogies.txt", tmp_path / "pairs.txt"
        analogies.write_text(": family\nman king woman queen\nman king aunt queen\n: none\n")
        pairs.write_text("king queen 9\nking spoon 1\nking man 5\n")
        told = json.loads(recurra("embeddings", "evaluate", folder, analogies, pairs, "--json").out)
        family = {"score": 1.0, "coverage": 0.5, "count": 1}
        none = {"score": None, "coverage": 0.0, "count": 0}
        assert told[str(analogies)] == {"kind": "analogies", **family, "sections": {"family": family, "none": none}}
        assert told[str(pairs)]["kind"] == "similarity"
        assert recurra("embeddings", "evaluate", folder, analogies, pairs).out.splitlines() == [
            "test           kind         score  coverage    count",
            "analogies.txt  analogies   1.0000     50.0%        1",
            "  family                   1.0000     50.0%        1",
            "  none                          -      0.0%        0",
            f"pairs.txt      similarity  {told[str(pairs)]['score']:.4f}    100.0%        3",
        ]
        assert "there is nothing to read; name a file of analogies" in refused(
            "embeddings", "evaluate", folder, status=2
        )

    def test_export_and_import(self, recurra: Command, folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "v.npy"
        told = json.loads(recurra("embeddings", "export", folder, "--out", out, "--json").out)
        assert told == {"path": str(out), "files": [str(out), str(tmp_path / "v.txt")], "count": 7, "size": 3}
        assert recurra("embeddings", "export", folder, "--out", out).out == f"{out}\n{tmp_path / 'v.txt'}\n"
        answer = recurra("embeddings", "import", out, "--out", tmp_path / "m")
        assert answer.out == f"{tmp_path / 'm'}\n"
        assert f"next: recurra embeddings similar {tmp_path / 'm'} WORD" in answer.err
        assert "1 zero vectors" in answer.err
        told = json.loads(recurra("embeddings", "import", out, "--out", tmp_path / "n", "--json").out)
        assert told == {"path": str(tmp_path / "n"), "files": [str(tmp_path / "n")], "count": 7, "size": 3}
        assert (Model.load(tmp_path / "m").vectors.matrix == royal().vectors.matrix).all()

    def test_plot(self, recurra: Command, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "own.txt").write_text("queen\nman\nspoon\n")
        options = ["--method", "pca", "--among", tmp_path / "own.txt", "--analogy", "man", "king", "woman", "queen"]
        answer = recurra("embeddings", "plot", folder, "prince", "--out", tmp_path / "map.html", *options, "--json")
        told = json.loads(answer.out)
        assert told["path"] == str(tmp_path / "map.html")
        assert all(Path(file).exists() for file in told["files"])
        page = (tmp_path / "map.html").read_text(encoding="utf-8")
        assert all(word in page for word in ("queen", "man", "spoon", "prince", "woman"))

    @pytest.mark.parametrize("imported", [False, True])
    def test_what_all_models_can_do(self, recurra: Command, folder: Path, tmp_path: Path, imported: bool) -> None:
        if imported:
            royal().export(tmp_path / "v.txt")
            assert recurra("embeddings", "import", tmp_path / "v.txt", "--out", folder, "--overwrite").status == 0
        shown = recurra("info", folder).out
        assert "task        embeddings" in shown
        assert ("word2vec text" if imported else "made up") in shown
        assert recurra("pack", folder, "--out", tmp_path / "vec.zip").status == 0
        assert recurra("unpack", tmp_path / "vec.zip", "--out", tmp_path / "other").status == 0
        copied = package.load(tmp_path / "other", task="embeddings")
        assert copied.similar("king") == royal().similar("king")

    def test_another_task_is_refused(self, refused: Refused, folder: Path, trained_folder: Path) -> None:
        said = refused("embeddings", "similar", trained_folder, "king")
        assert "is a text model, not an embeddings model; use it with that task" in said
        assert "is an embeddings model, not a text model" in refused("text", "write", folder)
        assert "no model folder" in refused("embeddings", "similar", folder / "nothing", "king")


def test_a_question_is_answered_without_torch_and_numba(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("king queen 9\nking spoon 1\nking man 5\n")
    verbs = [
        ["similar", str(folder), "king"],
        ["analogy", str(folder), "man", "king", "woman"],
        ["odd-one-out", str(folder), "king", "queen", "spoon"],
        ["export", str(folder), "--out", str(tmp_path / "v.bin")],
        ["evaluate", str(folder), str(tmp_path / "pairs.txt")],
    ]
    code = (
        f"import sys; from recurra.cli import main; done = [main(['embeddings', *verb]) for verb in {verbs}]; "
        "print(done, sorted({'torch', 'numba', 'matplotlib', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 0] []"
