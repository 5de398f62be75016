"""Translation: speed against a plain loop, Multi30k, long sentences, and what must be right to the letter.

    python bench/translation.py                                   training and decoding speed (some minutes)
    python bench/translation.py multi30k --minutes 90 --seeds 2   both language pairs, tokenised and as written
    python bench/translation.py lengths --minutes 33              attention against none by length, and the picture
    python bench/translation.py exact --minutes 4                 dates, SCAN, COGS

Models go below `--work` (bench/out if not given); what is there is not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import translation_quality as quality
import translation_speed as speed
from common import OUT, machine

from recurra.tasks.translation.config import Config
from recurra.tasks.translation.data import open_pairs

MINUTES = {"decoding": 5.0, "multi30k": 90.0, "lengths": 33.0, "exact": 4.0}
"""Given to each training, if --minutes is not."""


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ("training", "decoding", "multi30k", "lengths", "exact")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(known))
    parser.add_argument("--minutes", type=float, help="for each training")
    parser.add_argument("--work", type=Path, default=OUT / "translation", help="where models go")
    parser.add_argument(
        "--model", type=Path, help="decoding: a trained en-de model folder; else one is trained briefly"
    )
    parser.add_argument("--rounds", type=int, default=5, help="training: repetitions")
    parser.add_argument("--threads", type=int, default=1, help="more than one only on an idle machine")
    parser.add_argument("--sentences", type=int, default=100, help="decoding: for the slow ways")
    parser.add_argument("--vocabularies", nargs="+", default=["de", "fr"], help="multi30k: targets")
    parser.add_argument("--seeds", type=int, default=1, help="multi30k: models of each pair, alone and together")
    parser.add_argument("--sets", nargs="+", default=quality.EXACT, choices=quality.EXACT, help="exact: which")
    parser.add_argument("--picture", type=Path, help="lengths: the PNG; lengths.png in --work if not given")
    given = parser.parse_args()
    given.parts = given.parts or ["training", "decoding"]
    unknown = [part for part in given.parts if part not in known]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(known)}")
    return given


def main() -> None:
    """Measure what was named and print the tables."""
    given = arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    print(machine())
    for part in given.parts:
        torch.set_num_threads(1 if part == "decoding" else given.threads)
        minutes = given.minutes or MINUTES.get(part, 0.0)
        if part == "training":
            files = quality.multi30k_files("de", tokenised=False)
            speed.training(files["train"], files["val"], given.rounds)
        elif part == "decoding":
            files = quality.multi30k_files("de", tokenised=False)
            folder = given.model or given.work / "brief"
            model = quality.trained(folder, files["train"], Config(minutes=minutes), files["val"])
            speed.decoding(model, open_pairs(files["test"]).sources, given.sentences)
        elif part == "multi30k":
            quality.multi30k(given.work, minutes, given.vocabularies, given.seeds)
        elif part == "lengths":
            quality.lengths(given.work, minutes, given.picture or given.work / "lengths.png")
        else:
            quality.exact(given.work, minutes, given.sets)


if __name__ == "__main__":
    main()
