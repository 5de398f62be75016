"""The page holds what the search found, in the search's order, and nothing that text could break out of."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.search_tree import Tree, rooted
from recurra.explain.attention_map import FAINT
from recurra.explain.beam_tree import normalized, path_to, rule_of
from recurra.tasks.translation import page as translation_page
from recurra.tasks.translation.page import Explanation, candidates, page_data, write_translation_page

NASTY = '</script><img onerror=x src=y><b>"{{data}}" & <!-- \u2028'
NAMES = ["", NASTY, " two", "好", "x"]
OUTPUTS = [(1, 2), (2,), (3, 3, 4, 2), (2, 2, 2, 2, 2, 2, 2, 2, 2), (4, 1, 3)]
SOURCES = [NASTY, " b", "好", ""]
VOID = {"meta", "input", "rect", "path"}


class Elements(HTMLParser):
    """Start tags with their attributes, the text below each identifier, and the scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, str | None]] = []
        self.texts: dict[str, str] = {}
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, "elements end in the order they began in"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] == "script":
            self.scripts[-1] += data
        for _, name in self.open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def by_id(self, name: str) -> dict[str, str | None]:
        (found,) = [attributes for _, attributes in self.tags if attributes.get("id") == name]
        return found


def text(tokens: Sequence[int]) -> str:
    return "".join(NAMES[token] for token in tokens).strip()


def grown(outputs: Sequence[Sequence[int]], rng: np.random.Generator) -> tuple[Tree, dict[tuple[int, ...], int]]:
    """A tree of these outputs with random log-probabilities, each beginning a node, and some nodes that were pruned."""
    tree = rooted(9)
    places: dict[tuple[int, ...], int] = {(): 0}
    for output in outputs:
        for length in range(1, len(output) + 2):
            beginning = (*output, 0)[:length]
            if beginning not in places:
                parent = places[beginning[:-1]]
                log_prob = -float(rng.exponential())
                state = "kept" if length <= len(output) else "finished"
                tree.add(parent, beginning[-1], log_prob, tree.nodes[parent].total + log_prob, state)
                places[beginning] = len(tree.nodes) - 1
    tree.add(0, 4, -20.0, -20.0, "pruned")
    return tree, {output[:-1]: place for output, place in places.items() if output and output[-1] == 0}


def make(given: int = 2, attention: bool = True, normalization="gnmt", alpha: float = 0.6, coverage: float = 0.0):
    rng = np.random.default_rng(3)
    tree, ends = grown(OUTPUTS, rng)
    hypotheses = []
    for output, end in ends.items():
        log_probs = tuple(tree.nodes[node].log_prob for node in path_to(tree, end))
        weights = rng.dirichlet(np.ones(len(SOURCES)), len(log_probs)).astype(np.float32) if attention else None
        score = normalized(sum(log_probs), len(log_probs), rule_of(normalization, alpha)) - coverage * rng.random()
        hypotheses.append(Hypothesis(output, log_probs, score, weights, end))
    hypotheses.sort(key=lambda hypothesis: -hypothesis.score)
    facts = {NASTY: NASTY}
    best = hypotheses[:given]
    return Explanation(NASTY, facts, NASTY, SOURCES, best, NAMES.__getitem__, text, normalization, alpha, tree)


def read(path: Path) -> Elements:
    elements = Elements()
    elements.feed(path.read_text(encoding="utf-8"))
    elements.close()
    assert not elements.open
    return elements


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_translation_page(tmp_path / "page.html", make())
    return tmp_path / "page.html"


def test_text_stays_text(page: Path) -> None:
    elements = read(page)
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("script") == 2
    assert not {"img", "b"} & set(tags)
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    explanation = make()
    assert elements.texts["source"] == NASTY
    assert elements.texts["translation"] == text(explanation.hypotheses[0].tokens)
    data = json.loads(elements.scripts[0])
    assert data["candidates"][0]["text"] == elements.texts["translation"]


def test_nothing_is_fetched(page: Path) -> None:
    whole = page.read_text(encoding="utf-8")
    assert "http" not in whole.replace("http-equiv", "")
    assert not re.search(r"//[a-z]|url\(|@import|fetch\(|XMLHttp|innerHTML", whole.split('id="data"')[0])
    assert not {name for _, attributes in read(page).tags for name in attributes} & {"src", "href", "srcset", "action"}
    assert "default-src 'none'" in whole


def test_nothing_of_the_template_is_left_open(page: Path) -> None:
    whole = page.read_text(encoding="utf-8")
    assert set(re.findall(r"\{\{.*?\}\}", whole)) == {"{{data}}"}  # the nasty text's own
    assert "innerHTML" not in whole
    ids = [attributes["id"] for _, attributes in read(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_figures_are_those_of_the_search() -> None:
    explanation = make(given=3)
    data = json.loads(json.dumps(page_data(explanation, candidates(explanation)), allow_nan=False))
    assert (data["kind"], data["alpha"]) == ("gnmt", 0.6)
    assert len(data["candidates"]) == len(OUTPUTS)
    for shown, hypothesis in zip(data["candidates"], explanation.hypotheses, strict=False):
        assert shown["text"] == text(hypothesis.tokens)
        assert shown["length"] == len(shown["tokens"]) == len(hypothesis.tokens) + 1
        assert shown["log_probs"] == list(hypothesis.log_probs)
        assert shown["total"] == pytest.approx(sum(hypothesis.log_probs))
        assert shown["penalty"] == 0
        seen = np.where(hypothesis.weights >= FAINT, hypothesis.weights, 0)
        np.testing.assert_allclose(shown["weights"], seen, atol=1e-4)
        assert shown["path"][-1] == hypothesis.node
    for shown in data["candidates"][3:]:
        assert shown["weights"] is None
        assert shown["total"] == pytest.approx(sum(shown["log_probs"]))
    assert {shown["text"] for shown in data["candidates"]} == {text(output) for output in OUTPUTS}


def test_the_page_shows_them_without_its_script(page: Path) -> None:
    elements = read(page)
    explanation = make()
    for place, hypothesis in enumerate(explanation.hypotheses):
        row = elements.texts[f"row-{place}"].replace("\N{MINUS SIGN}", "-")
        for value in (hypothesis.score, sum(hypothesis.log_probs)):
            assert f"{value:.4f}" in row
        assert text(hypothesis.tokens) in row
        percents = [round(100 * math.exp(log_prob)) for log_prob in hypothesis.log_probs]
        found = re.findall(r"([\d.]+) %", elements.texts[f"output-{place}"])
        assert [round(float(value)) for value in found] == pytest.approx(percents, abs=1)
        assert (
            ("hidden" in elements.by_id(f"output-{place}"))
            == ("hidden" in elements.by_id(f"map-{place}"))
            == bool(place)
        )
    assert elements.by_id("row-0")["aria-current"] == "true"
    chosen = {
        attributes["id"] for tag, attributes in elements.tags if tag == "g" and "chosen" in str(attributes["class"])
    }
    best = path_to(explanation.tree, explanation.hypotheses[0].node)
    assert chosen == {f"node-{node}" for node in best}


def rules() -> dict[str, str]:
    """The ranking rules of the page's script; what they are written in means the same in Python."""
    script = Path(translation_page.__file__).with_name("page.js").read_text(encoding="utf-8")
    return dict(re.findall(r"^ +(\w+): \(total, length, alpha\) => (.*),$", script, flags=re.MULTILINE))


@pytest.mark.parametrize("kind", ["power", "gnmt"])
@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6, 1.0, 1.45, 2.0])
def test_the_script_ranks_as_the_equations_do(kind: str, alpha: float) -> None:
    assert set(rules()) == {"power", "gnmt"}
    explanation = make()
    data = page_data(explanation, candidates(explanation))
    scores = [
        eval(rules()[kind], {"total": c["total"], "length": c["length"], "alpha": alpha}) + c["penalty"]
        for c in data["candidates"]
    ]
    tree, ends = grown(OUTPUTS, np.random.default_rng(3))
    expected = {}
    for output, end in ends.items():
        length = len(output) + 1
        divisor = length**alpha if kind == "power" else ((5 + length) / 6) ** alpha
        expected[text(output)] = tree.nodes[end].total / divisor
    for candidate, score in zip(data["candidates"], scores, strict=True):
        assert score == pytest.approx(expected[candidate["text"]], rel=1e-9)
    ranked = [data["candidates"][place]["text"] for place in np.argsort(-np.array(scores), kind="stable")]
    assert ranked == sorted(expected, key=lambda output: -expected[output])


@pytest.mark.parametrize("normalization", ["none", "average", "gnmt"])
def test_listed_in_the_order_of_the_search(normalization) -> None:
    explanation = make(given=2, normalization=normalization, alpha=0.63)
    listed = candidates(explanation)
    assert [candidate.given for candidate in listed] == [True] * 2 + [False] * 3
    assert [candidate.score for candidate in listed] == sorted((c.score for c in listed), reverse=True)
    rule = rule_of(normalization, 0.63)
    assert all(c.score == pytest.approx(normalized(c.total, len(c.tokens), rule)) for c in listed)


def test_coverage_stays_in_the_score() -> None:
    explanation = make(coverage=2.0)
    listed = candidates(explanation)
    assert len(listed) == 2  # what the others' coverage costs is not known
    for candidate in listed:
        own = normalized(candidate.total, len(candidate.tokens), rule_of("gnmt", 0.6))
        assert own + candidate.penalty == pytest.approx(candidate.score)
        assert candidate.penalty < 0


def test_without_attention_there_is_no_map(tmp_path: Path) -> None:
    assert write_translation_page(tmp_path / "page.html", make(attention=False)) == (tmp_path / "page.html",)
    elements = read(tmp_path / "page.html")
    assert "hidden" not in elements.by_id("attends-not")
    assert "hidden" in elements.by_id("maps")
    assert not [tag for tag, attributes in elements.tags if str(attributes.get("id")).startswith("map-")]
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_without_a_tree_there_is_no_search(tmp_path: Path) -> None:
    explanation = make()
    hypotheses = [replace(hypothesis, node=None) for hypothesis in explanation.hypotheses]
    files = write_translation_page(tmp_path / "a page.html", replace(explanation, tree=None, hypotheses=hypotheses))
    assert files == (tmp_path / "a page.html", tmp_path / "a page-attention.png")
    assert all(path.stat().st_size > 1000 for path in files)
    elements = read(files[0])
    assert not [tag for tag, attributes in elements.tags if str(attributes.get("id")).startswith("node-")]
    section = next(attributes for _, attributes in elements.tags if attributes.get("aria-labelledby") == "tree-head")
    assert "hidden" in section


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation_page, "MOST_LISTED", 1)
    monkeypatch.setattr(translation_page, "MOST_MAPS", 1)
    write_translation_page(tmp_path / "page.html", make())
    elements = read(tmp_path / "page.html")
    whole = " ".join(elements.texts.values()) + (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 more finished and are not listed." in whole
    assert "Only the first 1 have an attention map here." in whole
    assert len(json.loads(elements.scripts[0])["candidates"]) == 3


def test_maps_have_a_limit_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = make()
    sizes = [hypothesis.weights.size for hypothesis in explanation.hypotheses if hypothesis.weights is not None]
    assert len(sizes) > 1
    for most, maps in ((sum(sizes), len(sizes)), (sizes[0], 1), (sizes[0] - 1, 0)):
        monkeypatch.setattr(translation_page, "MOST_WEIGHTS", most)
        write_translation_page(tmp_path / "page.html", explanation)
        elements = read(tmp_path / "page.html")
        drawn = [tag for tag, attributes in elements.tags if str(attributes.get("id")).startswith("map-")]
        given = [c["weights"] is not None for c in json.loads(elements.scripts[0])["candidates"]]
        assert len(drawn) == sum(given) == maps
        assert ("hidden" in elements.by_id("maps")) == ("hidden" not in elements.by_id("no-map")) == (maps == 0)


def test_an_empty_output_can_be_seen_and_chosen(tmp_path: Path) -> None:
    hypothesis = Hypothesis((), (-0.5,), -0.5, None)
    explanation = replace(make(), hypotheses=[hypothesis], tree=None, normalization="none")
    write_translation_page(tmp_path / "page.html", explanation)
    elements = read(tmp_path / "page.html")
    assert "(nothing)" in elements.texts["row-0"]
    assert elements.texts["translation"] == "(nothing)"
    assert elements.texts["output-0"].startswith("\N{RETURN SYMBOL}")


def test_impossible_tokens_are_shown(tmp_path: Path) -> None:
    hypothesis = Hypothesis((2,), (-math.inf, -0.0), -math.inf, None)
    explanation = replace(make(), hypotheses=[hypothesis], tree=None, normalization="none")
    write_translation_page(tmp_path / "page.html", explanation)
    data = json.loads(read(tmp_path / "page.html").scripts[0])
    assert data["candidates"][0]["log_probs"] == [None, 0.0]
    assert data["candidates"][0]["total"] is None


def test_no_output_and_weights_that_do_not_fit_write_nothing(tmp_path: Path) -> None:
    explanation = make()
    wrong = replace(explanation.hypotheses[0], weights=np.ones((1, 1), dtype=np.float32))
    for hypotheses in ([], [wrong]):
        with pytest.raises(ValueError, match=r"no output|source tokens"):
            write_translation_page(tmp_path / "page.html", replace(explanation, hypotheses=hypotheses))
    assert not list(tmp_path.iterdir())
