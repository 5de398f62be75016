"""Scores of captions against pycocoevalcap's own figures, sacrebleu, and the formulas written out plainly."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from recurra.tasks.captions import metrics
from recurra.tasks.captions.metrics import score

# Captions, references, and the BLEU-1 to -4, ROUGE-L and CIDEr times 100 that pycocoevalcap 1.2 computed for them.
BY_PYCOCOEVALCAP = {
    "usual": (
        ["a black dog runs on grass", "two men ride a red bus", "a cat"],
        [
            ["a dog runs on the grass", "a black dog is running", "the dog runs"],
            ["two men are on a bus", "men riding a red bus downtown"],
            ["a cat sleeps on a sofa"],
        ],
        [69.780034347, 61.755006459, 47.544157685, 0.00605709, 65.288220551, 255.182637826],
    ),
    "empty": (
        ["", "a dog"],
        [["a cat sits", "a cat"], ["a dog", "the dog runs"]],
        [36.78794408, 36.787944071, 0.367879441, 0.036787944, 50.0, 160.586684021],
    ),
    "empty, and a reference too": (
        ["", "a b c"],
        [["", "x y"], ["a b c d", "a b"]],
        [99.999999967, 99.999999958, 99.999999939, 3.162277659, 100.0, 241.203585882],
    ),
    "nothing in common": (["u v w", "x y"], [["a b c d"], ["e f g"]], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    "longer": (
        ["a man on a horse in a field of flowers with a dog", "a a a a"],
        [["a man on a horse"], ["a bird", "a a bird"]],
        [41.176470586, 37.047928679, 31.639911161, 27.54772692, 59.524942879, 123.686075461],
    ),
    "single tokens": (
        ["dog", "cat"],
        [["dog", "dogs"], ["bird"]],
        [49.99999995, 0.070710678, 0.007937005, 0.002659148, 50.0, 62.5],
    ),
}

sentences = st.lists(st.sampled_from("abcde"), max_size=9)
words = st.lists(st.sampled_from("abcde"), min_size=1, max_size=9)
sets = st.lists(st.tuples(sentences, st.lists(sentences, min_size=1, max_size=3)), min_size=2, max_size=5)


@pytest.mark.parametrize("name", BY_PYCOCOEVALCAP)
def test_scores_are_pycocoevalcaps(name):
    captions, references, expected = BY_PYCOCOEVALCAP[name]
    figures = score(captions, references)
    assert [*figures.bleu, figures.rouge_l, figures.cider] == pytest.approx(expected, abs=1e-6)


def test_captions_are_tokenized():
    assert score(["A man's dog!", "Cats."], [["a man 's dog"], ["cats"]]).bleu[0] == pytest.approx(100)


def test_cider_of_one_picture_is_not_defined():
    figures = score(["a dog"], [["a dog", "a cat"]])
    assert figures.cider is None
    assert figures.rouge_l == pytest.approx(100)


def test_cider_without_a_token_in_any_reference_is_nothing():
    assert score(["a", "b"], [["."], ["", "!"]]).cider == 0


def test_distinct_captions_are_counted_as_tokens():
    figures = score(["A dog.", "a dog", "a cat"], [["x"], ["y"], ["z"]])
    assert (figures.distinct, figures.count) == (2, 3)


@pytest.mark.parametrize(("heard", "references"), [([], []), (["a"], []), (["a", "b"], [["a"], []])])
def test_nothing_to_compare_is_refused(heard, references):
    with pytest.raises(ValueError, match=r"no captions|reference or more"):
        score(heard, references)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(sentences, st.lists(words, min_size=1, max_size=3)), max_size=4))
def test_bleu_is_sacrebleus(pairs):
    # One that has an n-gram of each length right: where there is none, pycocoevalcap has its own way.
    captions, references = zip(("abcde", ["abcde"]), *pairs, strict=True)
    most = max(map(len, references))
    streams = [[" ".join(group[i]) if i < len(group) else None for group in references] for i in range(most)]
    for n, figure in enumerate(metrics.bleu(captions, references), 1):
        judge = BLEU(max_ngram_order=n, smooth_method="none", tokenize="none", force=True)
        expected = judge.corpus_score([" ".join(caption) for caption in captions], streams)
        assert figure == pytest.approx(expected.score, abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_rouge_l_is_of_the_longest_common_subsequence(caption, reference):
    one, other = caption or [""], reference or [""]
    subsequences = [{c for n in range(len(x) + 1) for c in combinations(x, n)} for x in (one, other)]
    longest = max(map(len, subsequences[0] & subsequences[1]))
    precision, recall = longest / len(one), longest / len(other)
    expected = 2.44 * precision * recall / (recall + 1.44 * precision) if longest else 0
    assert metrics.rouge_l([caption], [[reference]]) == pytest.approx(100 * expected)


def test_rouge_l_takes_precision_and_recall_of_different_references():
    caption, short, long = ["a", "b", "c"], ["a"], ["a", "b", "c", "d", "e", "f"]
    alone = [metrics.rouge_l([caption], [[reference]]) for reference in (short, long)]
    assert metrics.rouge_l([caption], [[short, long]]) == pytest.approx(100)
    assert max(alone) < 100


@settings(deadline=None)
@given(sets)
def test_cider_is_its_formula(pairs):
    captions, references = zip(*pairs, strict=True)
    assert metrics.cider(captions, references) == pytest.approx(_cider(captions, references), abs=1e-6)


def _cider(captions, references):
    """Equations 2 and 3 of Vedantam et al. 2015, with the clipping and the penalty of section 5, in dense vectors."""
    total = np.zeros(len(captions))
    texts = [*captions, *(reference for group in references for reference in group)]
    for n in (1, 2, 3, 4):
        names = sorted({gram for text in texts for gram in _of(text, n)})
        if not names:
            continue
        present = [[any(gram in _of(text, n) for text in group) for gram in names] for group in references]
        idf = np.log(len(captions) / np.maximum(np.sum(present, axis=0), 1))

        def vector(text, n=n, names=names, idf=idf):
            return np.array([_of(text, n).count(gram) for gram in names]) * idf

        for index, (caption, group) in enumerate(zip(captions, references, strict=True)):
            for reference in group:
                mine, theirs = vector(caption), vector(reference)
                if mine.any() and theirs.any():
                    cosine = np.minimum(mine, theirs) @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs)
                    distance = max(len(caption) - 1, 0) - max(len(reference) - 1, 0)
                    total[index] += cosine * np.exp(-(distance**2) / 72) / len(group) / 4
    return 1000 * total.mean()


def _of(text, n):
    return [tuple(text[begin : begin + n]) for begin in range(len(text) - n + 1)]
