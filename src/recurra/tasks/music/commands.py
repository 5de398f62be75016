"""`recurra music ...`."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cyclopts import Parameter

from recurra.config import Options, Range, check_range
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError
from recurra.files import require_suffix, require_writable_parent
from recurra.progress import note
from recurra.tasks.music.composer import AnyComposer, Composer
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls
from recurra.tasks.music.data import opened
from recurra.tasks.music.facts import bar_at, facts_of
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.novelty import Copy
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.render.output import SCORES, STRAIGHT, require_known, swing, write_piece
from recurra.tasks.music.render.roll import draw_roll
from recurra.tasks.music.render.score import engrave
from recurra.tasks.music.render.synthesizer import Timing
from recurra.tasks.shared.commands import Several, command, require_given
from recurra.tasks.shared.output import print_explained, print_json, print_table

if TYPE_CHECKING:
    from recurra.tasks.music.statistics import Comparison

MAX_SAMPLES = 1000
"""More pieces than this are not composed in one go."""


@command
def train(
    *pieces: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Config = Config(),
) -> None:
    """Train a model on pieces of music.

    Args:
        pieces: Music files (MIDI, MusicXML, ABC, kern, rolls in JSON), folders of them, or sample:chorales.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a tenth if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and notation.
    """
    from recurra.tasks.music.training import train as train_model

    require_given(pieces, "a music file, a folder or sample:chorales", "validation" if validation else None)
    train_model(pieces, out, config, validation=validation, resume=resume, overwrite=overwrite, from_model=from_model)


@dataclass(frozen=True)
class Start(Options):
    """What a composition starts from."""

    group: ClassVar[str] = "data"

    prime: Path | None = None
    """A music file to go on from."""
    prime_bars: Annotated[int | None, Range(1, 100_000)] = None
    """Take only this many of its first bars, and a pickup before them."""
    melody: Path | None = None
    """A music file with a voice to harmonise; it stays exactly as it is."""
    melody_track: str | None = None
    """Name or number of the track of --melody that is the voice; the first if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prime_bars and not self.prime:
            raise OptionError("`prime_bars` says how much of `prime` to take; give `prime` too")
        if self.melody_track and not self.melody:
            raise OptionError("`melody_track` names a track of `melody`; give `melody` too")


@dataclass(frozen=True)
class Playing(Options):
    """How a composition is played."""

    group: ClassVar[str] = "composition"

    tempo: Annotated[float | None, Range(10, 1000)] = None
    """Quarter notes a minute; those of --prime or --melody, or what is usual, if not given."""
    swing: float = STRAIGHT
    """Share of a quarter that the first of two eighths takes, 0.5 (straight) to 0.8; 0.67 is usual."""
    soundfont: Path | None = None
    """The SoundFont (.sf2) that plays."""


@dataclass(frozen=True)
class Files:
    """Where a composition goes.

    Attributes:
        out: sound, MIDI or MusicXML.
        roll: a picture of the piano roll.
        score: an engraved score.
    """

    out: Path
    roll: Path | None
    score: Path | None

    def __post_init__(self) -> None:
        for path, suffixes in ((self.roll, (".png",)), (self.score, (".svg", ".png"))):
            if path:
                require_suffix(path, *suffixes)
        if self.roll and self.score and self.roll.absolute() == self.score.absolute():
            raise OptionError(f"--roll and --score are the same file {self.roll}; give each its own")

    @property
    def all(self) -> list[Path]:
        """Those that are asked for."""
        return [path for path in (self.out, self.roll, self.score) if path]

    def numbered(self, number: int) -> Files:
        """The same with a number in each name: `piece-1.mp3`."""
        return Files(*(path and path.with_name(f"{path.stem}-{number}{path.suffix}") for path in astuple(self)))

    def write(self, piece: Piece, primed: int, soundfont: Path | None, timing: Timing | None) -> str:
        """Write a piece into all of them; what was written as `out`, in a few words."""
        what = write_piece(piece, self.out, soundfont, timing)
        if self.roll:
            draw_roll([piece], self.roll, primed)
        if self.score:
            engrave(piece, self.score)
        return what


@command
def compose(
    model: Path,
    *,
    out: Path,
    roll: Path | None = None,
    score: Path | None = None,
    samples: int = 1,
    json: bool = False,
    start: Start = Start(),
    reading: Reading = Reading(),
    controls: Controls = Controls(),
    playing: Playing = Playing(),
    sampling: Sampling = Sampling(),
) -> None:
    """Compose a piece and write it as sound, MIDI or MusicXML.

    Args:
        model: The model folder.
        out: The file to write: .mid, .musicxml, .mp3, .flac, .ogg or .wav.
        roll: Draw the piano roll too, a .png.
        score: Engrave the score too, an .svg or .png.
        samples: How many pieces to compose: OUT-1, OUT-2, ...
        json: Print one JSON object.
    """
    check_range("samples", samples, 1, MAX_SAMPLES)
    timing = swing(playing.swing)
    files = Files(out, roll, score)
    require_known(out, playing.soundfont, timing)
    loaded = Composer.load(model)
    if loaded.played:
        _require_no_bars(files, timing)
    prime = loaded.beginning(_only(start.prime, loaded, reading), start.prime_bars) if start.prime else None
    melody = _only(start.melody, loaded, reading) if start.melody else None
    for path in files.all:
        require_writable_parent(path)
    sampling = sampling.seeded()
    made: list[dict[str, Any]] = []
    for number in range(samples):
        name = f"{loaded.name}, seed {sampling.seed}" + (f", sample {number + 1}" if samples > 1 else "")
        piece = loaded.compose(
            controls,
            sampling,
            prime=prime,
            melody=melody,
            melody_track=start.melody_track,
            tempo=playing.tempo,
            name=name,
            number=number,
        )
        for kind, count in prime.left_out.items() if prime and not number else ():
            note(f"left out of {start.prime}: {count:,} {kind}")
        these = files if samples == 1 else files.numbered(number + 1)
        what = these.write(piece, prime.length if prime else 0, playing.soundfont, timing)
        copy = loaded.longest_copy(piece)
        made.append(
            {
                "path": str(these.out),
                "seed": sampling.seed,
                "sample": number + 1,
                **facts_of(piece),
                "copy": copy and copy._asdict(),
            }
        )
        if not json:
            print("\n".join(map(str, these.all)))
            note(f"{_told(piece)}; {what}; seed {sampling.seed}\n{_novelty(piece, copy, loaded)}")
    if json:
        print_json({"path": made[0]["path"], "pieces": made, "count": len(made)})


def _require_no_bars(files: Files, timing: Timing | None) -> None:
    """Refuse what needs bars or beats."""
    if files.score or files.out.suffix.lower() in SCORES:
        raise OptionError(
            "this model has learned performances, which have no bars to write a score of; write .mid or .mp3"
        )
    if timing:
        raise OptionError("`swing` needs beats, and this model has learned performances, which have none; leave it out")


def _only(path: Path, model: AnyComposer, reading: Reading) -> Piece:
    """The piece in a file, or the first of several."""
    pieces = opened(path, model.config.frame, reading, model.played).pieces
    if len(pieces) > 1:
        note(f"{path} holds {len(pieces)} pieces; the first is taken")
    return pieces[0]


def _told(piece: Piece) -> str:
    facts = facts_of(piece)
    if piece.performance:
        return f"{facts['seconds']:.1f} seconds, {_counted(facts['notes'], 'note')}"
    bars = _counted(facts["bars"], "bar") + (" after a pickup" if facts["pickup"] else "")
    told = [bars, _counted(facts["notes"], "note"), facts["key"]]
    return ", ".join(part for part in told if part)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _novelty(piece: Piece, copy: Copy | None, model: AnyComposer) -> str:
    if model.training is None:
        return "the model came without its training pieces, so copies of them cannot be found"
    if model.played:
        return "copies are not looked for in performances: no two have the same times"
    if copy is None:
        return "it shares no passage with the training pieces"
    moved = f", {abs(copy.transposition)} semitones {'higher' if copy.transposition > 0 else 'lower'}"
    return (
        f"the longest passage that it shares with the training pieces: {_counted(copy.notes, 'note')} from bar "
        f"{bar_at(piece, copy.begin)} "
        f"on ({copy.share:.0%} of the piece), as in {copy.corpus_name}{moved if copy.transposition else ''}"
    )


@command
def evaluate(model: Path, data: str, *, json: bool = False, reading: Reading = Reading()) -> None:
    """Measure how well a model predicts pieces: nats a frame (of performances, an event and a second), bits a note.

    Args:
        model: The model folder.
        data: A music file, a folder or sample:chorales.
        json: Print one JSON object.
    """
    from recurra.tasks.music.model import Model

    figures = Model.load(model, "auto").evaluate(data, reading=reading)
    (print_json if json else print_table)(figures)


@command
def explain(
    model: Path,
    data: str,
    *,
    out: Path,
    against: tuple[Path, ...] = (),
    json: bool = False,
    reading: Reading = Reading(),
) -> None:
    """Show what a model hears in pieces: one HTML page, and pictures beside it.

    Args:
        model: The model folder.
        data: Music the model was not trained on: a file, a folder or sample:chorales; its beginning is read.
        out: The page to write, say page.html.
        against: Another model of the same pieces to compare with; may be given again.
        json: Print one JSON object.
    """
    from recurra.tasks.music.model import Model

    require_suffix(out, ".html", ".htm")
    others = [Model.load(folder) for folder in against]
    print_explained(Model.load(model).explain(data, out, against=others, reading=reading), json)


@command
def compare(
    model: Path, *pieces: str, out: Path | None = None, json: bool = False, reading: Reading = Reading()
) -> None:
    """Compare pieces with what a model was trained on: their statistics, and what is copied.

    Args:
        model: The model folder.
        pieces: Music files or folders, such as what the model has composed.
        out: Draw the histograms too, a .png.
        json: Print one JSON object.
    """
    from recurra.tasks.music.model import Model

    require_given(pieces, "a music file or a folder")
    if out:
        require_suffix(out, ".png")
    loaded = Model.load(model)
    comparison = loaded.compare(pieces, reading=reading)
    if out:
        require_writable_parent(out)
        comparison.draw(out)
    if json:
        print_json({**comparison.to_json(), "path": out and str(out)})
        return
    _print_comparison(comparison)
    for piece, copy in comparison.copies:
        print(f"{piece.name}: {_novelty(piece, copy, loaded)}")
    if out:
        print(out)


def _print_comparison(comparison: Comparison) -> None:
    print(f"{'':<24} {'made':>9} {'trained on':>11}   deviation there")
    for name, pair in comparison.scalars.items():
        made, corpus, deviation = (f"{value:.3f}" if value is not None else "-" for value in pair)
        print(f"{name.replace('_', ' '):<24} {made:>9} {corpus:>11}   {deviation}")
    print("\nhistograms, the share they have in common")
    for name, overlap in comparison.overlaps.items():
        print(f"{name.replace('_', ' '):<24} {'-' if overlap is None else f'{overlap:9.0%}'}")
    print()


def demo(out: Path, minutes: float | None) -> None:
    """Train on Bach's chorales, compose one, show it as sound, roll and score; see `recurra demo`."""
    from recurra.tasks.music.training import train as train_model

    model = train_model("sample:chorales", out / "chorales", minutes=minutes or 3.0, overwrite=True)
    piece = model.compose(bars=12, seed=1, temperature=0.7, name="A new chorale")
    files = Files(out / "chorale.mp3", out / "chorale.png", out / "chorale-score.svg")
    files.write(piece, 0, None, None)
    write_piece(piece, midi := out / "chorale.mid")
    print(f"{_told(piece)}\n{_novelty(piece, model.longest_copy(piece), model)}\n")
    print(f"To hear: {files.out}\nAs MIDI: {midi}\nPiano roll: {files.roll}\nScore: {files.score}")
    print(f"The loss curve: {out / 'chorales' / 'loss.png'}")
    print(f'\nType next:\n  recurra music compose {out / "chorales"} --key "D minor" --bars 8 --out mine.mp3')
    print("  recurra music train YOUR_MIDI_FOLDER --out my-model")
