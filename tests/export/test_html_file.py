"""What all pages share: their numbers, their random numbers, and that nothing in a file can break out of its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from recurra import tasks
from recurra.errors import RecurraError
from recurra.export.html_file import SHARED, HtmlModel, text_file, write_html
from recurra.kernels.int8 import Int8Matrix
from recurra.tasks.shared.exporting import export

if TYPE_CHECKING:
    from playwright.sync_api import Page

TASKS = Path(tasks.__file__).parent

ARRAYS = {
    "bias": np.array([0.5, -1.25, 3e-39, 1e30], np.float32),
    "weight": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "large": np.random.default_rng(0).normal(size=(37, 41)).astype(np.float32),
}
EVIL = "</script></title><script>document.title='stolen'</script><!-- {{data}} & \N{SNOWMAN} \u2028"

CELLS: dict[str, tuple[type[nn.RNNBase], dict[str, str]]] = {
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "rnn": (nn.RNN, {}),
    "rnn-relu": (nn.RNN, {"nonlinearity": "relu"}),
}


def page_of(path: Path, arrays: dict[str, np.ndarray], int8: bool = False) -> Path:
    """A page of no model, whose texts are hostile."""
    body = '<p id="told" role="status"></p>'
    write_html(
        path, HtmlModel("text", EVIL, {EVIL: EVIL}, EVIL, {"evil": EVIL}, arrays, body, ["tell(data.evil);"]), int8
    )
    return path


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with rounded arrays."""
    return page_of(tmp_path_factory.mktemp("plain") / "page.html", ARRAYS, int8=True)


def test_hostile_texts_stay_texts(plain_page: Path, visit: Callable[..., Page]) -> None:
    page = visit(plain_page)
    assert page.title().startswith("</script></title>")
    assert (
        page.text_content("h1")
        == page.text_content("#told")
        == page.text_content("dt")
        == page.text_content("dd")
        == EVIL
    )
    assert page.text_content("footer > p") == EVIL


def test_arrays_arrive_as_they_were_and_large_ones_rounded(plain_page: Path, visit: Callable[..., Page]) -> None:
    page = visit(plain_page)
    assert page.evaluate("Array.from(vectorOf('bias'))") == ARRAYS["bias"].tolist()
    for name, expected in (("weight", ARRAYS["weight"]), ("large", _rounded(ARRAYS["large"]))):
        page.evaluate("name => { globalThis.matrix = matrixOf(name); }", name)
        inputs = np.linspace(-2, 3, expected.shape[1])
        times = page.evaluate("inputs => Array.from(matrix.times(inputs))", inputs.tolist())
        np.testing.assert_allclose(times, expected.astype(np.float64) @ inputs, rtol=1e-6)
        column = page.evaluate("Array.from(matrix.column(2))")
        np.testing.assert_allclose(column, expected[2], rtol=1e-6)
        assert page.evaluate("[matrix.inputs, matrix.outputs]") == [*expected.shape[::-1]]


def _rounded(weight: np.ndarray) -> np.ndarray:
    steps, scale = Int8Matrix.of(weight)
    return steps * scale[:, None]


@pytest.mark.parametrize("name", CELLS)
def test_cells_step_as_in_pytorch(name: str, tmp_path: Path, visit: Callable[..., Page]) -> None:
    make, options = CELLS[name]
    torch.manual_seed(0)
    network = make(5, 11, **options)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
        inputs = torch.randn(6, 5)
        outputs, _ = network(inputs)
    page = visit(page_of(tmp_path / "cell.html", {key: value.numpy() for key, value in network.state_dict().items()}))
    found = page.evaluate(
        """([cell, inputs]) => {
          const layer = new Layer(cell, "");
          let state = layer.zeroState();
          return inputs.map(row => Array.from((state = layer.step(layer.entering(row), state))[0]));
        }""",
        [name, inputs.tolist()],
    )
    np.testing.assert_allclose(found, outputs, atol=1e-5)


def test_random_numbers_are_numpys(plain_page: Path, visit: Callable[..., Page]) -> None:
    page = visit(plain_page)
    draw = """([seed, key]) => {
      const generator = new Generator(BigInt(seed), [key]);
      return [1, 2, 3, 4, 5].map(() => generator.random());
    }"""
    for seed in (0, 1, 123456, 2**32, 2**64 + 3, 2**127 + 2**70 + 5):
        for key in (0, 7):
            expected = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,))).random(5)
            assert page.evaluate(draw, [str(seed), key]) == expected.tolist()


def test_nothing_is_written_where_nothing_can_be(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match="nowhere"):
        page_of(tmp_path / "nowhere" / "page.html", ARRAYS)


def test_models_that_have_no_page_are_refused(trained_captions: Path, trained_speech: Path, tmp_path: Path) -> None:
    for folder in (trained_captions, trained_speech):
        with pytest.raises(RecurraError, match=r"cannot be written as \.html; give `out` the ending \.onnx or \.zip"):
            export(folder, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", sorted(path.parent.name for path in TASKS.glob("*/to_html.py")))
def test_no_two_scripts_of_a_page_declare_the_same(task: str) -> None:
    """They share one scope, where a second class of the same name is a syntax error: nothing of the page would run."""
    own = re.findall(r'"([a-z_]+\.js)"', (TASKS / task / "to_html.py").read_text(encoding="utf-8"))
    assert own
    scripts = [text_file("recurra.export", f"web/{name}") for name in SHARED]
    scripts += [text_file(f"recurra.tasks.{task}", name) for name in own]
    names = re.findall(r"^(?:async )?(?:class|const|let|function\*?) (\w+)", "\n".join(scripts), re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []
