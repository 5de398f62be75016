"""`recurra speech ...`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.config import Range, dump_json
from recurra.data.columns import Header
from recurra.data.tables import read_lines
from recurra.errors import OptionError, RecurraError
from recurra.files import require_suffix, require_writable_parent, write_text_atomic
from recurra.progress import note
from recurra.tasks.shared.commands import Several, command, require_file_name, require_given
from recurra.tasks.shared.output import print_json, print_table, stream
from recurra.tasks.speech.audio import MAX_SECONDS, write_sound
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.explanation import LONGEST
from recurra.tasks.speech.hot_words import HOT_WEIGHT
from recurra.tasks.speech.listening import Listener
from recurra.tasks.speech.live import microphone
from recurra.tasks.speech.prefix_search import PrefixSearch
from recurra.tasks.speech.search import Search, chosen
from recurra.tasks.speech.subtitles import SUBTITLES, subtitles
from recurra.tasks.speech.transcriber import Transcriber
from recurra.tasks.speech.transcript import Transcript, transcript_values
from recurra.tasks.speech.wakeword.detection import Detection, Detector

DEMO_SNR, DEMO_MESSAGES = (12.0, 6.0, 0.0, -6.0), 40
"""Signal to noise of the messages of the demo, and how many there are of each."""

DEMO_STEPS = 6000
"""Steps of training in the demo: three minutes on a core."""

WORST = 5
"""Recordings with the most errors that `evaluate` shows."""


@command
def train(
    *recordings: str,
    out: Path,
    validation: Annotated[tuple[str, ...], Several] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Config = Config(),
) -> None:
    """Train a model on recordings.

    Args:
        recordings: Tables of file and transcript, a folder with a folder for each word, or sample:morse.
        out: The model folder to make.
        validation: The same, not trained on, to choose the best weights; a tenth is drawn if not given.
        resume: Go on with the run that was stopped, or has ended, in OUT.
        overwrite: Replace what is in OUT.
        from_model: A trained model to begin from, with its weights and symbols.
    """
    from recurra.tasks.speech.training import train as train_model

    require_given(recordings, "a table, a folder or sample:morse", "validation" if validation else None)
    train_model(
        recordings, out, config, validation=validation, resume=resume, overwrite=overwrite, from_model=from_model
    )


@command
def transcribe(
    model: Path,
    *recordings: Path,
    live: bool = False,
    out: Path | None = None,
    hot_words: Path | None = None,
    language_model: Path | None = None,
    json: bool = False,
    search: Search = Search(),
) -> None:
    """Write down what is said in recordings, or what a microphone hears.

    Args:
        model: The model folder.
        recordings: Sound files of any length: WAV, FLAC, MP3, OGG.
        live: Listen to the microphone until interrupted.
        out: A file for the transcripts; .srt and .vtt are subtitles of one recording, with the times of words.
        hot_words: A file of words and phrases to favour, one a line, each perhaps with a tab and its weight in nats.
        language_model: A text model that was trained on what may be said; --alpha is its weight.
        json: Print one JSON object with the words, their times and how sure the model is.
    """
    loaded = Transcriber.load(model)
    favoured = _hot_words(hot_words)
    if live:
        _require_alone(recordings, out, json)
        wanted = chosen(PrefixSearch, None, search.given())
        _listen(loaded.listen(wanted, favoured, language_model), loaded)
        return
    require_given([str(path) for path in recordings], "a sound file, or `live` for the microphone")
    if out:
        require_file_name(out)
        require_suffix(out, ".txt", ".tsv", ".json", ".jsonl", *SUBTITLES)
        require_writable_parent(out)
        if out.suffix.lower() in SUBTITLES and len(recordings) > 1:
            raise OptionError(f"`out` {out} takes the subtitles of one recording; give one, or a .txt for several")
    found: dict[str, Transcript] = {}
    faults: list[str] = []
    for path in recordings:
        try:
            heard = loaded.transcribe(path, hot_words=favoured, language_model=language_model, **search.given())
        except RecurraError as error:
            if len(recordings) == 1 or isinstance(error, OptionError):
                raise
            faults.append(str(error))
            continue
        found[str(path)] = heard
        if not json and not out:
            for text in (heard.text, *heard.others):
                print(f"{path}\t{text}" if len(recordings) > 1 else text)
    if not found:
        raise RecurraError(f"none of the recordings can be transcribed; the first: {faults[0]}")
    for fault in faults:
        note(f"left out: {fault}")
    if out:
        write_text_atomic(out, _written(out, found))
    if json:
        rows = [{"path": path} | transcript_values(transcript) for path, transcript in found.items()]
        print_json({"text": rows[0]["text"], "recordings": rows, "count": len(rows)})


def _require_alone(recordings: Sequence[Path], out: Path | None, json: bool) -> None:
    """Refuse what has no sense beside a microphone."""
    if recordings or out or json:
        raise OptionError("`live` listens to the microphone; leave recordings, `out` and `json` out")


def _hot_words(path: Path | None) -> dict[str, float]:
    """The words of a file, each with its weight."""
    if path is None:
        return {}
    words: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), 1):
        word, _, weight = line.partition("\t")
        if not word.strip():
            continue
        try:
            words[word.strip()] = float(weight) if weight.strip() else HOT_WEIGHT
            if not math.isfinite(words[word.strip()]):
                raise ValueError
        except ValueError:
            raise RecurraError(
                f"{path}, line {number}: {weight[:40]!r} is not a weight; give a number of nats"
            ) from None
    return words


def _listen(listener: Listener, model: Transcriber) -> None:
    """Write down what the microphone hears, until interrupted."""
    try:
        for samples in microphone(model.config.features.rate):
            said = model.symbols.text(listener.feed(samples).settled.symbols.tolist())
            stream(said and said + model.symbols.between)
    except KeyboardInterrupt:
        stream(model.symbols.text(listener.finish().settled.symbols.tolist()) + "\n")


@command
def detect(
    model: Path,
    *recordings: Path,
    live: bool = False,
    threshold: float | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Find a detector's word in recordings, or as a microphone hears it.

    Args:
        model: The model folder.
        recordings: Sound files of any length: WAV, FLAC, MP3, OGG.
        live: Listen to the microphone until interrupted.
        threshold: The least probability of a detection; the one that was chosen in training if not given.
        out: A table of the detections, .tsv.
        json: Print one JSON object.
    """
    loaded = Transcriber.load(model)
    if live:
        _require_alone(recordings, out, json)
        _listen_for(loaded.detector(threshold), loaded.config.features.rate)
        return
    require_given([str(path) for path in recordings], "a sound file, or `live` for the microphone")
    if out:
        require_suffix(out, ".tsv")
        require_writable_parent(out)
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    for path in recordings:
        try:
            found = loaded.detect(path, threshold)
        except RecurraError as error:
            if len(recordings) == 1 or isinstance(error, OptionError):
                raise
            faults.append(str(error))
            continue
        rows += [{"path": str(path)} | detection.values() for detection in found]
        if not json and not out:
            for detection in found:
                print(f"{path}\t{_row(detection)}" if len(recordings) > 1 else _row(detection))
    if len(faults) == len(recordings):
        raise RecurraError(f"none of the recordings can be listened to; the first: {faults[0]}")
    for fault in faults:
        note(f"left out: {fault}")
    if out:
        lines = ("\t".join(map(str, row.values())) + "\n" for row in rows)
        write_text_atomic(out, "path\tword\tseconds\tprobability\n" + "".join(lines))
    if json:
        print_json({"word": loaded.symbols.names[0], "detections": rows, "count": len(recordings) - len(faults)})


def _listen_for(detector: Detector, rate: int) -> None:
    """Write down when the microphone hears the word, until interrupted."""
    try:
        for samples in microphone(rate):
            for detection in detector.feed(samples):
                stream(_row(detection) + "\n")
    except KeyboardInterrupt:
        stream("".join(_row(detection) + "\n" for detection in detector.finish()))


def _row(detection: Detection) -> str:
    return f"{detection.seconds:.2f}\t{detection.probability:.4f}\t{detection.word}"


def _written(out: Path, found: dict[str, Transcript]) -> str:
    """Transcripts as a file holds them, by how its name ends."""
    suffix = out.suffix.lower()
    if suffix in SUBTITLES:
        return subtitles(next(iter(found.values())), suffix)
    if suffix in (".json", ".jsonl"):
        rows = [{"path": path} | transcript_values(transcript) for path, transcript in found.items()]
        return (
            dump_json(rows) if suffix == ".json" else "".join(dump_json(row).replace("\n", "") + "\n" for row in rows)
        )
    if suffix == ".tsv":
        return "path\ttext\n" + "".join(f"{path}\t{transcript.text}\n" for path, transcript in found.items())
    return "".join(f"{transcript.text}\n" for transcript in found.values())


@command
def evaluate(
    model: Path,
    *recordings: str,
    hot_words: Path | None = None,
    language_model: Path | None = None,
    columns: str = "",
    header: Header = "auto",
    encoding: str = "utf-8",
    out: Path | None = None,
    json: bool = False,
    search: Search = Search(),
) -> None:
    """Measure transcripts: word and character error rates, the worst of them, what is taken for what.

    Of a detector: words missed, and false alarms an hour, with what so much sound can prove.

    Args:
        model: The model folder.
        recordings: Tables of file and transcript, a folder with a folder for each word, or sample:morse.
        hot_words: A file of words and phrases to favour, see `transcribe`.
        language_model: A text model that was trained on what may be said; --alpha is its weight.
        columns: Columns or keys of a table to read as file,transcript.
        header: Whether the first line of a table names its columns.
        encoding: How tables encode text.
        out: A table of all recordings with what was said and heard, .tsv; not of a detector.
        json: Print one JSON object.
    """
    from recurra.tasks.speech.evaluation import figures
    from recurra.tasks.speech.model import Model

    require_given(recordings, "a table, a folder or sample:morse")
    if out:
        require_suffix(out, ".tsv")
        require_writable_parent(out)
    loaded = Model.load(model, "auto")
    if loaded.config.detect:
        if out or hot_words:
            raise OptionError(f"{model} is a detector, which writes no text; leave `out` and `hot_words` out")
        _print_rates(loaded.alarms(recordings, encoding=encoding, columns=columns, header=header), json)
        return
    found = loaded.answers(
        recordings,
        hot_words=_hot_words(hot_words),
        language_model=language_model,
        encoding=encoding,
        columns=columns,
        header=header,
        **search.given(),
    )
    heard = [transcript.text for transcript in found.heard]
    errors = found.accuracy.errors.tolist()
    if out:
        rows = zip(found.names, errors, found.said, heard, strict=True)
        write_text_atomic(out, "path\terrors\tsaid\theard\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    shown = figures(found)
    if json:
        print_json(shown)
        return
    low, high = shown.pop("wer_interval")
    confusions = shown.pop("confusions")
    print_table(shown | {"wer 95 % interval": f"{low:.4f} to {high:.4f}"})
    _print_confusions(confusions)
    for number in sorted(range(len(errors)), key=lambda number: -errors[number])[:WORST]:
        if errors[number]:
            print(f"\n{found.names[number]}: {errors[number]} wrong")
            print(f"  said   {found.said[number]}\n  heard  {heard[number]}")


def _print_rates(found: dict[str, Any], json: bool) -> None:
    """What a detector missed, and its false alarms."""
    proved, (low, high) = found.pop("proved"), found["misses_interval"]
    if json:
        print_json(found)
        return
    del found["misses_interval"]
    print_table(found | {"misses 95 % interval": f"{low:.4f} to {high:.4f}"})
    print(f"\n{proved}")


def _print_confusions(confusions: Sequence[dict[str, Any]]) -> None:
    if confusions:
        print("\nsaid                 heard                times")
    for row in confusions:
        print(f"{row['said'] or '(nothing)':<20} {row['heard'] or '(nothing)':<20} {row['count']:>5,}")


@command
def explain(
    model: Path,
    recording: Path,
    *,
    out: Path,
    start: Annotated[float, Range(0.0, MAX_SECONDS)] = 0.0,
    seconds: Annotated[float, Range(0.1, LONGEST)] = LONGEST,
    hot_words: Path | None = None,
    language_model: Path | None = None,
    json: bool = False,
    search: Search = Search(),
) -> None:
    """Show what was heard: spectrogram, probabilities of the symbols and the text over one time axis, to be played.

    Args:
        model: The model folder.
        recording: A sound file.
        out: The page to write, say page.html, with a picture beside it.
        start: Where the passage that is shown begins, in seconds.
        seconds: How long it is, at most.
        hot_words: A file of words and phrases to favour, see `transcribe`.
        language_model: A text model that was trained on what may be said; --alpha is its weight.
        json: Print one JSON object.
    """
    from recurra.tasks.speech.model import Model

    require_suffix(out, ".html", ".htm")
    require_file_name(out)
    require_writable_parent(out)
    found = Model.load(model, "auto").explain(
        recording,
        out,
        start=start,
        seconds=seconds,
        hot_words=_hot_words(hot_words),
        language_model=language_model,
        **search.given(),
    )
    if json:
        others = [each._asdict() for each in found.alternatives]
        print_json(transcript_values(found.transcript) | {"alternatives": others, "path": str(out)})
        return
    print(found.transcript.text)
    print(f"\n{out}\n{out.with_suffix('.png')}")


def demo(out: Path, minutes: float | None) -> None:
    """Train on Morse code, write down fresh messages beside a plain decoder of it; see `recurra demo`."""
    from recurra.tasks.speech.accuracy import measure
    from recurra.tasks.speech.morse import RATE, Conditions, morse
    from recurra.tasks.speech.threshold import threshold_decode
    from recurra.tasks.speech.training import train as train_model

    length = {"steps": DEMO_STEPS} if minutes is None else {"minutes": minutes}
    model = train_model("sample:morse", out / "morse", Config(patience=0, **length), overwrite=True)
    print("characters wrong, fresh messages:   model   threshold")
    for snr in DEMO_SNR:
        messages = morse(DEMO_MESSAGES, seed=2, conditions=Conditions(snr=snr))
        sounds = [message.load(RATE) for message in messages]
        said = [message.text.lower() for message in messages]
        heard = [model.transcribe(samples).text for samples in sounds]
        plain = [threshold_decode(samples, RATE).lower() for samples in sounds]
        shares = (f"{measure(texts, said).cer:>8.1%}" for texts in (heard, plain))
        print(f"{snr:>+6.0f} decibels in 2,500 Hz        {'    '.join(shares)}")
    write_sound(out / "message.wav", sounds[0], RATE)
    print(f"\n{out / 'message.wav'}, as hard as the last of these:")
    print(f"  said   {said[0]}\n  heard  {heard[0]}\n  plain  {plain[0]}")
    model.explain(out / "message.wav", out / "heard.html")
    print(f"\nWhat it heard, to look at and to play: {out / 'heard.html'} and heard.png")
    print(f"The loss curve: {out / 'morse' / 'loss.png'}")
    print(f"\nType next:\n  recurra speech transcribe {out / 'morse'} {out / 'message.wav'} --json")
    print("  recurra speech train YOUR_RECORDINGS.tsv --out my-model")
