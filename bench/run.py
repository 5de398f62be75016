"""Run the measurements one after another, each in a process of its own: `make bench`.

Names as arguments choose among them: startup, generation, memory, training, export, large, ngrams, tang, music (two
hours), embeddings (a quarter of an hour), hogwild, glove, vectors, ctc, morse, alexa, shapes, features, pictures (a
quarter of an hour), spoken (hours), listening, sentiment (hours), serve, translation (its speed), multi30k (six
hours), joined, exact. Without names: the first four (about ten minutes). One at a time: two programs that use all cores
slow each other down many times over.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = {
    "startup": ["startup.py"],
    "generation": ["generation.py"],
    "memory": ["memory.py"],
    "training": ["training.py"],
    "export": ["export.py"],
    "large": ["training.py", "large"],
    "ngrams": ["ngrams.py", "shakespeare"],
    "tang": ["tang.py"],
    "music": ["music.py"],
    "translation": ["translation.py"],
    "multi30k": ["translation.py", "multi30k"],
    "joined": ["translation.py", "lengths"],
    "exact": ["translation.py", "exact"],
    "embeddings": ["embeddings.py", "--seeds", "5"],
    "hogwild": ["embeddings.py", "--threads", "2"],
    "glove": ["glove.py"],
    "vectors": ["vectors.py"],
    "ctc": ["ctc.py"],
    "sentiment": ["sentiment.py"],
    "morse": ["speech.py"],
    "shapes": ["captions.py"],
    "features": ["features.py"],
    "pictures": ["pictures.py"],
    "spoken": ["spoken.py", "--seeds", "3"],
    "listening": ["listening.py"],
    "alexa": ["alexa.py"],
    "serve": ["serve.py"],
}
DEFAULT = ("startup", "generation", "memory", "training")


def main() -> int:
    """Run what was named."""
    names = sys.argv[1:] or list(DEFAULT)
    unknown = [name for name in names if name not in SCRIPTS]
    if unknown:
        print(f"error: there is no measurement {unknown[0]}; there are {', '.join(SCRIPTS)}", file=sys.stderr)
        return 2
    status = 0
    for name in names:
        script, *arguments = SCRIPTS[name]
        status |= subprocess.run([sys.executable, str(Path(__file__).parent / script), *arguments]).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
