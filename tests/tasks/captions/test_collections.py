"""Pictures with captions out of every kind of file people have, and what is wrong with others in one sentence."""

from __future__ import annotations

import gzip
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hostile_pictures import noise, saved

from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions import collections
from recurra.tasks.captions.collections import Captioned, Collection, open_collection, unreadable
from recurra.tasks.captions.pictures import open_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures: a.png and b.png beside where captions files go, c.png in `images`."""
    (tmp_path / "images").mkdir()
    for seed, name in enumerate(("a.png", "b.png", "images/c.png")):
        (tmp_path / name).write_bytes(saved(noise(seed=seed), "PNG"))
    return tmp_path


def written(path: Path, content: Any) -> Path:
    """A file with a text, or with anything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
    return path


def said(collection: Collection) -> dict[str, tuple[str, ...]]:
    return {item.name: item.captions for item in collection.items}


def coco(captions: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    """COCO's JSON, without `type` and `info`."""
    images = [{"id": 100 + index, "file_name": name} for index, name in enumerate(captions)]
    texts = [(100 + index, text) for index, said in enumerate(captions.values()) for text in said]
    annotations = [{"image_id": key, "id": index, "caption": text} for index, (key, text) in enumerate(texts)]
    return {"images": images, "annotations": annotations, **more}


def karpathy(*pictures: tuple[str, str, str | None, list[Any]]) -> dict[str, Any]:
    """Karpathy's JSON of (folder, name, split, sentences)."""
    images = [
        {"filename": name, "imgid": index, "sentences": sentences}
        | ({"filepath": inner} if inner else {})
        | ({"split": split} if split else {})
        for index, (inner, name, split, sentences) in enumerate(pictures)
    ]
    return {"images": images, "dataset": "d"}


CAPTIONS = {"a.png": ("A dog.", "Ein Hund, der läuft"), "b.png": ("一只猫",), "c.png": ("قطة",)}
"""What each form below says, in the order it says it in."""


def _raw(name: str) -> list[Any]:
    return [{"raw": text, "tokens": ["wrong"]} for text in CAPTIONS[name]]


FORMS: dict[str, tuple[str, Any]] = {
    "COCO": ("captions_val.json", coco({name: list(texts) for name, texts in CAPTIONS.items()})),
    "COCO whole": (
        "x.json",
        coco({n: list(t) for n, t in CAPTIONS.items()}, info={"year": 1}, licenses=[{"id": 1}], type="captions"),
    ),
    "Karpathy": ("dataset.json", karpathy(*[("", name, "train", _raw(name)) for name in CAPTIONS])),
    "JSON lines": (
        "x.jsonl",
        "".join(json.dumps({"image": n, "caption": t}) + "\n" for n, texts in CAPTIONS.items() for t in texts),
    ),
    "a JSON list": ("x.json", [{"caption": t, "file_name": n} for n, texts in CAPTIONS.items() for t in texts]),
    "TSV": ("x.tsv", "".join(f"{n}\t{t}\n" for n, texts in CAPTIONS.items() for t in texts)),
    "TSV with names": (
        "x.tsv",
        "id\tcaption\tfilename\n1\tA dog.\ta.png\n2\tEin Hund, der läuft\ta.png\n3\t一只猫\tb.png\n4\tقطة\tc.png\n",
    ),
    "CSV": ("x.csv", 'image,caption\na.png,A dog.\na.png,"Ein Hund, der läuft"\nb.png,一只猫\nc.png,قطة\n'),
    "Flickr8k": (
        "Flickr8k.token.txt",
        "a.png#0\tA dog.\na.png#1\tEin Hund, der läuft\nb.png#0\t一只猫\nc.png#0\tقطة\n",
    ),
    "Flickr8k with commas": (
        "captions.txt",
        'image,caption\na.png,A dog.\na.png,"Ein Hund, der läuft"\nb.png,一只猫\nc.png,قطة\n',
    ),
    "commas without quotes": ("captions.txt", "a.png,A dog.\na.png,Ein Hund, der läuft\nb.png,一只猫\nc.png,قطة\n"),
    "Flickr30k": (
        "results.csv",
        "image_name| comment_number| comment\na.png| 0| A dog.\na.png| 1| Ein Hund, der läuft\nb.png| 0| 一只猫\n"
        "c.png| 0| قطة\n",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str, folder: Path) -> None:
    name, content = FORMS[form]
    collection = open_collection([written(folder / name, content)])
    assert said(collection) == CAPTIONS
    assert collection.name == name
    assert not [sentence for sentence in collection.skipped if "column" not in sentence]
    for item, place in zip(collection.items, ("a.png", "b.png", "images/c.png"), strict=True):
        np.testing.assert_array_equal(np.asarray(item.open()), np.asarray(open_picture(folder / place, "x")))


@pytest.mark.parametrize("form", FORMS)
def test_packed_and_with_a_byte_order_mark(form: str, folder: Path) -> None:
    name, content = FORMS[form]
    text = "\ufeff" + (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert said(open_collection([str(folder / f"{name}.gz")])) == CAPTIONS


def test_an_encoding(folder: Path) -> None:
    (folder / "x.json").write_bytes(json.dumps(coco({"a.png": ["läuft"]}), ensure_ascii=False).encode("latin-1"))
    assert said(open_collection([folder / "x.json"], encoding="latin-1")) == {"a.png": ("läuft",)}
    with pytest.raises(RecurraError, match=r"x\.json is not utf-8; name the right `encoding`"):
        open_collection([folder / "x.json"])


def test_a_folder_with_a_captions_file_inside(folder: Path) -> None:
    written(folder / "captions.tsv", "a.png\tA dog.\nc.png\tA cat.\n")
    collection = open_collection([folder])
    assert said(collection) == {"a.png": ("A dog.",), "c.png": ("A cat.",)}
    assert collection.name == folder.name
    assert collection.skipped == [f"{folder}: 1 picture(s) without a caption: b.png"]
    written(folder / "dataset.json", karpathy(("", "b.png", None, [{"raw": "A bird."}])))
    collection = open_collection([folder])
    assert said(collection) == {"b.png": ("A bird.",)}
    assert f"{folder}: dataset.json is read, and captions.tsv is not" in collection.skipped


def test_the_only_table_in_a_folder_is_its_captions_file(folder: Path) -> None:
    with pytest.raises(RecurraError, match="does not say which file has the captions; call it captions"):
        open_collection([folder])
    written(folder / "my own.csv", "file,caption\na.png,A dog.\n")
    assert said(open_collection([folder])) == {"a.png": ("A dog.",)}
    written(folder / "other.csv", "file,caption\na.png,A dog.\n")
    with pytest.raises(RecurraError, match="does not say which file has the captions"):
        open_collection([folder])


def test_the_folder_of_the_pictures_can_be_named(folder: Path, tmp_path: Path) -> None:
    (folder / "elsewhere").mkdir()
    table = written(folder / "elsewhere" / "x.tsv", "a.png\tA dog.\n")
    with pytest.raises(
        RecurraError, match=r"1 picture\(s\) missing: a\.png; name the folder they are in with `images`"
    ):
        open_collection([table])
    assert said(open_collection([table], images=str(folder))) == {"a.png": ("A dog.",)}
    with pytest.raises(OptionError, match=r"`images` .*nowhere is not a folder"):
        open_collection([table], images=str(folder / "nowhere"))


def test_beside_the_file_comes_before_images(folder: Path) -> None:
    (folder / "images" / "a.png").write_bytes(saved(noise(seed=9), "PNG"))
    item = open_collection([written(folder / "x.tsv", "a.png\tA dog.\n")]).items[0]
    np.testing.assert_array_equal(np.asarray(item.open()), np.asarray(noise(seed=0)))


def test_a_filepath_is_obeyed_and_may_be_missing(folder: Path) -> None:
    document = karpathy(("images", "c.png", "train", [{"raw": "A cat."}]), ("val2014", "a.png", "val", [{"raw": "A."}]))
    collection = open_collection([written(folder / "dataset.json", document)])
    assert [(item.name, item.split) for item in collection.items] == [
        ("images/c.png", "train"),
        ("val2014/a.png", "val"),
    ]
    np.testing.assert_array_equal(np.asarray(collection.items[1].open()), np.asarray(noise(seed=0)))


def test_pictures_of_one_name_in_two_folders_are_two(folder: Path) -> None:
    for inner, seed in (("x", 5), ("y", 6)):
        (folder / inner).mkdir()
        (folder / inner / "a.png").write_bytes(saved(noise(seed=seed), "PNG"))
    items = open_collection([written(folder / "t.tsv", "x/a.png\tOne.\ny/a.png\tTwo.\n")]).items
    assert [item.name for item in items] == ["x/a.png", "y/a.png"]
    (folder / "y" / "a.png").unlink()
    collection = open_collection([folder / "t.tsv"])  # not that of the other folder, and not the one beside the table
    assert said(collection) == {"x/a.png": ("One.",)}
    assert collection.skipped[-1] == "t.tsv: 1 picture(s) missing: y/a.png"


def test_splits(folder: Path) -> None:
    splits = [("a.png", "restval"), ("b.png", "test"), ("c.png", "dev")]
    document = karpathy(*[("", name, split, [{"raw": "It."}]) for name, split in splits])
    path = written(folder / "dataset.json", document)
    assert [item.split for item in open_collection([path]).items] == ["train", "test", "val"]
    assert list(said(open_collection([path], split="train"))) == ["a.png"]
    assert list(said(open_collection([path], split="Validation"))) == ["c.png"]
    with pytest.raises(
        OptionError, match=r"`split` hidden: dataset\.json has no such pictures; it has test, train, val"
    ):
        open_collection([path], split="hidden")
    with pytest.raises(OptionError, match="it says nothing of parts"):
        open_collection([written(folder / "x.tsv", "a.png\tIt.\n")], split="train")


def test_sentences_with_tokens_alone(folder: Path) -> None:
    document = karpathy(("", "a.png", None, [{"tokens": ["a", "dog"]}]))
    assert said(open_collection([written(folder / "dataset.json", document)])) == {"a.png": ("a dog",)}


def test_several_columns_of_captions(folder: Path) -> None:
    table = written(folder / "x.csv", "picture,one,two,n\na.png,A dog.,Ein Hund.,1\nb.png,A cat.,,2\n")
    collection = open_collection([table], columns="picture,one,two")
    assert said(collection) == {"a.png": ("A dog.", "Ein Hund."), "b.png": ("A cat.",)}
    assert collection.skipped == [f"{table}, line 3: the caption is empty"]
    with pytest.raises(OptionError, match="`columns` picture does not name file and caption"):
        open_collection([table], columns="picture")


def test_several_files_are_one_collection(folder: Path) -> None:
    one = written(folder / "one.tsv", "a.png\tA dog.\n")
    two = written(folder / "two.json", coco({"b.png": ["A cat."], "c.png": []}))
    collection = open_collection([one, two])
    assert said(collection) == {"a.png": ("A dog.",), "b.png": ("A cat.",)}
    assert collection.name == "one.tsv and 1 more"
    assert collection.skipped == [f"{two}: 1 picture(s) without a caption: c.png"]


def test_pairs_from_python(folder: Path) -> None:
    pairs = [(folder / "a.png", "A dog."), (str(folder / "b.png"), ["A cat.", "Two\ncats."])]
    collection = open_collection(pairs)
    assert list(said(collection).values()) == [("A dog.",), ("A cat.", "Two cats.")]
    assert said(open_collection([("c.png", "A bird.")], images=str(folder / "images"))) == {"c.png": ("A bird.",)}
    with pytest.raises(RecurraError, match="index 1: give"):
        open_collection([(folder / "a.png", "A dog."), (folder / "b.png", 3)])
    with pytest.raises(RecurraError, match=r"1 picture\(s\) missing"):
        open_collection([(folder / "nowhere.png", "A dog.")])
    with pytest.raises(RecurraError, match="there are no pictures; name a captions file"):
        open_collection([])


def test_the_sample_is_drawn(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    drawn = [Captioned("scene 0", ("a star",), "train", noise), Captioned("scene 1", ("a cross",), "val", noise)]
    module = ModuleType("recurra.tasks.captions.shapes")
    module.shapes = lambda: drawn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert open_collection(["sample:shapes"]) == Collection("sample:shapes", drawn, [])
    assert open_collection(["sample:shapes"], split="val").items == drawn[1:]
    with pytest.raises(OptionError, match="`images` is for captions files"):
        open_collection(["sample:shapes"], images=str(folder))
    with pytest.raises(RecurraError, match="there is no sample of pictures called sample:stars; the samples are"):
        open_collection(["sample:stars"])


def test_what_opens_a_picture_can_be_sent_to_another_process(folder: Path) -> None:
    item = open_collection([written(folder / "x.tsv", "a.png\tA dog.\n")]).items[0]
    again = pickle.loads(pickle.dumps(item))
    np.testing.assert_array_equal(np.asarray(again.open()), np.asarray(item.open()))


# captions


def test_a_line_end_inside_a_caption_does_not_end_it(folder: Path) -> None:
    expected = {"a.png": ("A dog runs.",)}
    assert said(open_collection([written(folder / "x.json", coco({"a.png": ["A dog\n\n  runs.\r\n"]}))])) == expected
    line = json.dumps({"file": "a.png", "caption": "A dog\nruns."})
    assert said(open_collection([written(folder / "x.jsonl", line + "\n")])) == expected
    assert said(open_collection([written(folder / "x.csv", 'file,caption\na.png,"A dog\nruns."\n')])) == expected


def test_a_comma_inside_a_caption_of_a_csv(folder: Path) -> None:
    rows = 'file,caption\na.png,"A dog, running"\nb.png,A cat, sitting\nc.png,A bird\n'
    collection = open_collection([written(folder / "x.csv", rows)])
    assert said(collection) == {"a.png": ("A dog, running",), "c.png": ("A bird",)}
    assert collection.skipped[1:] == [
        f"{folder / 'x.csv'}, line 3: the number of columns is not that of the other lines"
    ]


def test_captions_that_say_nothing_are_left_out_and_told(folder: Path) -> None:
    document = coco({"a.png": ["...", "A dog", "", "?! —"], "b.png": ["🎉"], "c.png": ["\ud800", "\0", "42"]})
    collection = open_collection([written(folder / "x.json", document)])
    assert said(collection) == {"a.png": ("A dog",), "b.png": ("🎉",), "c.png": ("42",)}
    assert collection.skipped == [
        f"{folder / 'x.json'}, annotation 3: the caption is empty",
        f"{folder / 'x.json'}, annotations 6, 7: there is a zero or half a surrogate pair, which no text has",
        "x.json: 2 caption(s) of nothing but punctuation: ..., ?! —",
    ]
    with pytest.raises(
        RecurraError, match=r"x\.tsv has no picture with a caption: .* nothing but punctuation: \.\.\.; give"
    ):
        open_collection([written(folder / "x.tsv", "a.png\t...\n")])


def test_the_same_picture_twice_is_one(folder: Path) -> None:
    table = written(folder / "x.tsv", "a.png\tA dog.\nb.png\tA cat.\n./a.png\tA dog.\na.png\tEin Hund.\n")
    assert said(open_collection([table])) == {"a.png": ("A dog.", "A dog.", "Ein Hund."), "b.png": ("A cat.",)}


@pytest.mark.parametrize("name", ["a\nb.png", "-rf.png", "Ünï⟨çø⟩dé 🎉.png", "a#1.png", "a.png#1", "x" * 240 + ".png"])
def test_pictures_of_any_name(name: str, folder: Path) -> None:
    (folder / name).write_bytes(saved(noise(seed=4), "PNG"))
    collection = open_collection([written(folder / "x.json", coco({name: ["It."]}))])
    assert said(collection) == {name: ("It.",)}
    np.testing.assert_array_equal(np.asarray(collection.items[0].open()), np.asarray(noise(seed=4)))


# what is wrong


def test_ids_of_numbers_and_texts_are_the_same(folder: Path) -> None:
    document = coco({"a.png": ["A dog."]})
    document["annotations"][0]["image_id"] = "100"
    assert said(open_collection([written(folder / "x.json", document)])) == {"a.png": ("A dog.",)}


def test_duplicate_ids(folder: Path) -> None:
    document = coco({"a.png": ["A dog."], "b.png": ["A cat."]})
    document["images"].append(dict(document["images"][0]))
    assert len(open_collection([written(folder / "x.json", document)]).items) == 2
    document["images"][1]["id"] = 100
    with pytest.raises(RecurraError, match=r"x\.json, picture 2: another has the ID 100 too"):
        open_collection([written(folder / "x.json", document)])


def test_annotations_without_picture_or_caption(folder: Path) -> None:
    document = coco({"a.png": ["A dog."], "b.png": []})
    document["annotations"] += [{"image_id": 7, "caption": "x"}, {"image_id": 100}, "x", {"caption": "x"}, None]
    collection = open_collection([written(folder / "x.json", document)])
    assert said(collection) == {"a.png": ("A dog.",)}
    assert collection.skipped == [
        f"{folder / 'x.json'}, annotation 2: no picture has its image_id",
        f"{folder / 'x.json'}, annotations 3, 4, 5 and 1 more: there is no image_id or no caption",
        f"{folder / 'x.json'}: 1 picture(s) without a caption: b.png",
    ]


def test_a_file_in_two_splits(folder: Path) -> None:
    document = karpathy(*[("", "a.png", split, [{"raw": "A dog."}]) for split in ("train", "test")])
    with pytest.raises(RecurraError, match=r"dataset\.json, picture 2: a\.png is in two splits"):
        open_collection([written(folder / "dataset.json", document)])


def test_sentences_of_other_shapes(folder: Path) -> None:
    document = karpathy(("", "a.png", None, [{"raw": "A dog."}, "x", {"tokens": [1]}]), ("", "b.png", None, []))
    document["images"] += [{"sentences": [{"raw": "x"}]}, 3, {"filename": "c.png", "sentences": "x"}]
    collection = open_collection([written(folder / "dataset.json", document)])
    assert said(collection) == {"a.png": ("A dog.",)}
    where = folder / "dataset.json"
    assert collection.skipped == [
        f"{where}, pictures 1, 1: a sentence has no raw and no tokens",
        f"{where}, picture 2: it has no sentences",
        f"{where}, pictures 3, 4, 5: there is no filename or no sentences",
    ]


def test_missing_pictures_are_told_together(folder: Path) -> None:
    rows = "a.png\tA.\nb.png\tB.\nc.png\tC.\nnot.png#0\tD.\nnot.png#1\tD.\nnor.png\tE.\n"
    collection = open_collection([written(folder / "x.tsv", rows)])
    assert list(said(collection)) == ["a.png", "b.png", "c.png"]
    assert collection.skipped == ["x.tsv: 2 picture(s) missing: not.png, nor.png"]
    many = "".join(f"{n}.png\tIt.\n" for n in range(1000))
    with pytest.raises(
        RecurraError, match=r"1,000 picture\(s\) missing: 0\.png, 1\.png, 2\.png and 997 more; name the"
    ):
        open_collection([written(folder / "y.tsv", many)])


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../a.png",
        "images/../../a.png",
        "..\\a.png",
        "C:\\a.png",
        "C:a.png",
        "\\\\host\\a.png",
        "//a/b.png",
    ],
)
@pytest.mark.parametrize("form", [coco, lambda said: karpathy(("", *said, None, [{"raw": "A."}])), None])
def test_names_that_lead_out_of_the_folder_are_refused(
    form: Callable[..., Any] | None, name: str, folder: Path
) -> None:
    inner = folder / "inner"
    inner.mkdir()
    content = form({name: ["A."]}) if form else f"{name}\tA.\n"
    with pytest.raises(RecurraError, match="may lie outside the folder of pictures; write names within it"):
        open_collection([written(inner / ("x.json" if form else "x.tsv"), content)])


def test_a_filepath_that_leads_out_is_refused(folder: Path) -> None:
    document = karpathy(("..", "a.png", None, [{"raw": "A."}]))
    with pytest.raises(RecurraError, match=r"names \.\./a\.png, which may lie outside"):
        open_collection([written(folder / "images" / "x.json", document)])


WRONG: dict[str, tuple[str, Any, str]] = {
    "nothing": ("x.json", "", "is empty"),
    "blank": ("x.json", " \n", "is empty"),
    "nothing in a table": ("x.tsv", "", "is empty"),
    "not JSON": ("x.json", '{"images": [}', "line 1: this is not JSON"),
    "cut off": ("x.json", json.dumps(coco({"a.png": ["A."]}))[:-20], "this is not JSON"),
    "deep": ("x.json", "[" * 100_000, "nesting are too large"),
    "a huge number": ("x.json", '{"images": ' + "1" * 10_000 + "}", "too large"),
    "a number": ("x.json", "3", "not a JSON object"),
    "an empty list": ("x.json", "[]", "none with text"),
    "other keys": (
        "x.json",
        {"foo": "u", "bar": "x", "baz": "y", "more": "z"},
        "does not say which of its columns are file and caption",
    ),
    "images of another shape": ("x.json", {"images": {"a.png": "A."}}, "is neither COCO's captions"),
    "annotations alone": ("x.json", {"annotations": [{"image_id": 1, "caption": "x"}]}, "is neither COCO's captions"),
    "annotations of another shape": ("x.json", {"images": [], "annotations": {}}, "is neither COCO's captions"),
    "no pictures": ("x.json", {"images": [], "annotations": []}, "no row with file and caption"),
    "no captions": ("x.json", coco({"a.png": []}), "no row with file and caption"),
    "no captions of Karpathy's": ("x.json", karpathy(("", "a.png", None, [])), "it has no sentences"),
    "objects instead of captions": (
        "x.json",
        {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}]},
        "no image_id or no caption",
    ),
    "a picture without a file name": (
        "x.json",
        {"images": [{"id": 1}], "annotations": []},
        "picture 1: there is no id",
    ),
    "an ID of another kind": (
        "x.json",
        {"images": [{"id": [], "file_name": "a.png"}], "annotations": []},
        "picture 1: there is no id",
    ),
    "one column": ("x.tsv", "a.png\nb.png\n", "there is only one column"),
    "one column of text": ("x.txt", "a.png\nb.png\n", "there is only one column"),
    "an archive": ("x.zip", "PK", "is not a captions file"),
    "a picture": ("x.png", "x", "is not a captions file"),
    "zero bytes": ("x.tsv", "a\0\tb\n", "zero byte"),
}


@pytest.mark.parametrize("name", WRONG)
def test_captions_files_that_are_not(name: str, folder: Path) -> None:
    file, content, words = WRONG[name]
    with pytest.raises(RecurraError) as caught:
        open_collection([written(folder / file, content)])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).replace(str(folder), "")) < 400


def test_files_that_are_not_there(folder: Path) -> None:
    with pytest.raises(RecurraError, match=r"there is no file or folder .*nowhere"):
        open_collection([folder / "nowhere.json"])
    with pytest.raises(RecurraError, match="too long"):
        open_collection(["a" * 5000])
    with pytest.raises(RecurraError, match="not an encoding that Python knows"):
        open_collection([folder], encoding="klingon")


def test_too_much_json_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(folder / "x.json", coco({"a.png": ["A."]}))
    monkeypatch.setattr(collections, "MAX_JSON", 50)
    with pytest.raises(RecurraError, match="holds more than 50 bytes of JSON"):
        open_collection([path])


def test_broken_pictures_are_told_as_they_are_opened(folder: Path) -> None:
    (folder / "folder.png").mkdir()
    (folder / "broken.png").write_bytes(b"x")
    names = ["a.png", "broken.png", "folder.png", "b.png"]
    collection = open_collection([written(folder / "x.json", coco({name: ["It."] for name in names}))])
    assert list(said(collection)) == names
    faults = []
    for item in collection.items[1:3]:
        with pytest.raises(RecurraError) as caught:
            item.open()
        faults.append(str(caught.value))
    sentence = unreadable(faults, 4, collection.name)
    assert sentence.startswith("x.json: 2 of 4 picture(s) cannot be read: broken.png is not a picture")
    assert "; folder.png is a folder" in sentence
    assert unreadable(["a", "b", "c", "d", "e"], 9, "x") == "x: 5 of 9 picture(s) cannot be read: a; b; c and 2 more"
