"""`recurra music ...`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.commands.output import print_explained, print_json, print_table
from recurra.config import check_range
from recurra.data.harmony import estimate_key
from recurra.data.music import open_pieces
from recurra.data.pieces import Piece, Tempo, bar_lines
from recurra.data.transcription import encode
from recurra.decoding.controls import Controls, voice_of
from recurra.decoding.sampling import Sampling, fresh_seed
from recurra.errors import OptionError
from recurra.explain import statistics
from recurra.explain.novelty import Copy
from recurra.files import require_writable_parent
from recurra.progress import note
from recurra.render.output import require_known, swing, write_piece
from recurra.render.roll import draw_roll
from recurra.render.score import engrave
from recurra.tasks import music
from recurra.tasks.music import Config, Model

Flat = Parameter(name="*")
"""Options of a dataclass, each under its own name."""

MAX_SAMPLES = 1000
"""More pieces than this are not composed in one go."""


def train(
    *pieces: str,
    out: Path,
    held_out: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    config: Annotated[Config, Flat] = Config(),
) -> None:
    """Train a model on pieces of music.

    Parameters
    ----------
    pieces
        Music files (MIDI, MusicXML, ABC, kern, piano rolls in JSON), folders of them, or sample:chorales.
    out
        The model folder to make.
    held_out
        A file or folder that is not trained on, to choose the best weights; every tenth piece if not given.
    resume
        Go on with the run that was stopped, or has ended, in OUT.
    overwrite
        Replace what is in OUT.
    """
    if not pieces:
        raise OptionError("there is no music to train on; name a file, a folder or sample:chorales")
    music.train(pieces, out, config, held_out, resume, overwrite)


def compose(
    model: Path,
    *,
    out: Path,
    roll: Path | None = None,
    score: Path | None = None,
    prime: Path | None = None,
    prime_bars: int | None = None,
    melody: Path | None = None,
    melody_track: str | None = None,
    tempo: float | None = None,
    swing_share: Annotated[float, Parameter(name="--swing")] = 0.5,
    soundfont: Path | None = None,
    samples: int = 1,
    json: bool = False,
    controls: Annotated[Controls, Flat] = Controls(),
    sampling: Annotated[Sampling, Flat] = Sampling(),
) -> None:
    """Compose a piece and write it as sound, MIDI or MusicXML.

    Parameters
    ----------
    model
        The model folder.
    out
        The file to write: .mid, .musicxml, .mp3, .flac, .ogg or .wav.
    roll
        Draw the piano roll too, a .png.
    score
        Engrave the score too, an .svg or .png.
    prime
        A music file to go on from.
    prime_bars
        Take only so many of its first bars.
    melody
        A music file with a voice to harmonise; it stays exactly as it is.
    melody_track
        Name or number of the track of --melody that is the voice; the first if not given.
    tempo
        Quarter notes a minute; that of --prime or --melody, or what is usual in the training pieces, if not given.
    swing_share
        Swing: the share of a quarter that the first of two eighths takes, 0.5 (straight) to 0.8; 0.67 is usual.
    soundfont
        The SoundFont (.sf2) that plays.
    samples
        How many pieces to compose: OUT-1, OUT-2, ...
    json
        Print one JSON object.
    """
    check_range("samples", samples, 1, MAX_SAMPLES)
    check_range("tempo", tempo, 10, 1000)
    check_range("prime_bars", prime_bars, 1, 100_000)
    if prime_bars and not prime:
        raise OptionError("--prime-bars says how much of --prime to take; give --prime too")
    if melody_track and not melody:
        raise OptionError("--melody-track names a track of --melody; give --melody too")
    timing = swing(swing_share)
    for path, suffixes in ((roll, (".png",)), (score, (".svg", ".png"))):
        if path and path.suffix.lower() not in suffixes:
            raise OptionError(f"{path}: its name must end in {' or '.join(suffixes)}")
    if roll and score and roll.absolute() == score.absolute():
        raise OptionError(f"--roll and --score are the same file {roll}; give each its own")
    require_known(out, soundfont, timing)
    loaded = Model.load(model)
    frame = loaded.config.frame
    beginning = loaded.beginning(_only(prime, frame), prime_bars) if prime else None
    source = _only(melody, frame) if melody else None
    voice = voice_of(source, loaded.notation, melody_track) if source else None
    tempos = _tempos(loaded, tempo, beginning or source)
    sampling = replace(sampling, seed=fresh_seed()) if sampling.seed is None else sampling
    for path in filter(None, (out, roll, score)):
        require_writable_parent(path)
    made: list[dict[str, Any]] = []
    for number in range(samples):
        numbered = replace(sampling, seed=(sampling.seed or 0) + number)
        name = f"{loaded.name}, seed {numbered.seed}"
        piece = loaded.compose(controls, numbered, beginning, voice, source.meters if source else (), name)
        piece = replace(piece, tempos=tempos)
        if beginning and number == 0:
            for kind, count in (+encode(beginning, loaded.notation)[1]).items():
                note(f"left out of {prime}: {count:,} {kind}")
        files = [_numbered(path, number, samples) for path in (out, roll, score) if path]
        what = write_piece(piece, files[0], soundfont, timing)
        if roll:
            draw_roll([piece], _numbered(roll, number, samples), beginning.length if beginning else 0)
        if score:
            engrave(piece, _numbered(score, number, samples))
        copy = loaded.longest_copy(piece)
        made.append({"path": str(files[0]), "seed": numbered.seed, **_facts(piece), "copy": copy and copy._asdict()})
        if not json:
            print("\n".join(str(file) for file in files))
            note(f"{_told(piece)}; {what}; seed {numbered.seed}\n{_novelty(piece, copy, loaded)}")
    if json:
        print_json({"path": made[0]["path"], "pieces": made, "count": len(made)})


def _only(path: Path, frame: int) -> Piece:
    """The one piece of a file, or the first of several."""
    pieces = open_pieces([path], frame).pieces
    if len(pieces) > 1:
        note(f"{path} holds {len(pieces)} pieces; the first is taken")
    return pieces[0]


def _tempos(model: Model, tempo: float | None, like: Piece | None) -> tuple[Tempo, ...]:
    if tempo is not None:
        return (Tempo(0, tempo),)
    return like.tempos if like else (Tempo(0, model.notation.tempo),)


def _numbered(path: Path, number: int, of: int) -> Path:
    return path if of == 1 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def _facts(piece: Piece) -> dict[str, Any]:
    pitched = [item for item in piece.notes if not piece.tracks[item.track].drums]
    key = estimate_key(pitched).name if pitched else None
    return {"notes": len(piece.notes), "bars": len(bar_lines(piece)) - 1, "key": key}


def _told(piece: Piece) -> str:
    facts = _facts(piece)
    return f"{facts['bars']} bars, {facts['notes']} notes" + (f", {facts['key']}" if facts["key"] else "")


def _novelty(piece: Piece, copy: Copy | None, model: Model) -> str:
    if model.corpus is None:
        return "the model has come without its training pieces, so what is copied from them is not known"
    if copy is None:
        return "no passage of it is in the training pieces"
    lines = bar_lines(piece)
    bar = sum(line <= copy.begin for line in lines)
    moved = f", {abs(copy.transposition)} semitones {'higher' if copy.transposition > 0 else 'lower'}"
    return (
        f"the longest passage that the training pieces have too: {copy.notes} notes from bar {bar} on "
        f"({copy.share:.0%} of the piece), as in {copy.corpus_name}{moved if copy.transposition else ''}"
    )


def evaluate(model: Path, data: str, *, json: bool = False) -> None:
    """Measure how well a model predicts pieces: nats a frame, bits a note.

    Parameters
    ----------
    model
        The model folder.
    data
        A music file, a folder or sample:chorales.
    json
        Print one JSON object.
    """
    figures = Model.load(model).evaluate(data)
    (print_json if json else print_table)(figures)


def explain(model: Path, data: str, *, out: Path, against: tuple[Path, ...] = (), json: bool = False) -> None:
    """Show what a model hears in pieces: one HTML page, and pictures beside it.

    Parameters
    ----------
    model
        The model folder.
    data
        Music the model was not trained on: a file, a folder or sample:chorales; its beginning is read.
    out
        The page to write, say page.html.
    against
        Further models, trained on the same pieces, to compare the reach of: a GRU, a plain RNN. May be given again.
    json
        Print one JSON object.
    """
    others = {folder.name: Model.load(folder) for folder in against}
    print_explained(Model.load(model).explain(data, out, others), json)


def compare(model: Path, *pieces: str, out: Path | None = None, json: bool = False) -> None:
    """Compare pieces with what a model was trained on: their statistics, and what is copied.

    Parameters
    ----------
    model
        The model folder.
    pieces
        Music files or folders, such as what the model has composed.
    out
        Draw the histograms too, a .png.
    json
        Print one JSON object.
    """
    if not pieces:
        raise OptionError("there is no music to compare; name a file or a folder")
    if out and out.suffix.lower() != ".png":
        raise OptionError(f"{out}: its name must end in .png")
    loaded = Model.load(model)
    made = open_pieces(pieces, loaded.config.frame).pieces
    corpus = statistics.measure(loaded.training_pieces())
    measured = statistics.measure(made)
    comparison = statistics.compare(measured, corpus)
    copies = [(piece, loaded.longest_copy(piece)) for piece in made]
    if out:
        require_writable_parent(out)
        statistics.draw_statistics(measured, corpus, out)
    if json:
        told = [{"name": piece.name, "copy": copy and copy._asdict()} for piece, copy in copies]
        print_json({**comparison.to_json(), "pieces": told, "count": len(made), "path": out and str(out)})
        return
    _print_comparison(comparison)
    for piece, copy in copies:
        print(f"{piece.name}: {_novelty(piece, copy, loaded)}")
    if out:
        print(out)


def _print_comparison(comparison: statistics.Comparison) -> None:
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
    model = music.train("sample:chorales", out / "chorales", Config(minutes=minutes or 3.0), overwrite=True)
    controls, sampling = Controls(bars=12), Sampling(seed=1, temperature=0.7)
    piece = model.compose(controls, sampling, name="A new chorale")
    files = [out / name for name in ("chorale.mp3", "chorale.mid", "chorale.png", "chorale-score.svg")]
    write_piece(piece, files[0])
    write_piece(piece, files[1])
    draw_roll([piece], files[2])
    engrave(piece, files[3])
    print(f"{_told(piece)}\n{_novelty(piece, model.longest_copy(piece), model)}\n")
    for what, file in zip(("To hear", "As MIDI", "Piano roll", "Score"), files, strict=True):
        print(f"{what}: {file}")
    print(f"The loss curve: {out / 'chorales' / 'loss.png'}")
    print(f'\nType next:\n  recurra music compose {out / "chorales"} --key "D minor" --bars 8 --out mine.mp3')
    print("  recurra music train YOUR_MIDI_FOLDER --out my-model")
