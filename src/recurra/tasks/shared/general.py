"""Commands that belong to no task: `recurra info`, `pack`, `unpack`, `export`, `push`, `pull`, `serve`, `demo`."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from recurra.devices import DeviceName
from recurra.errors import OptionError, os_errors
from recurra.progress import note
from recurra.runtime import stored
from recurra.serve import require_installed
from recurra.serve.limits import Address, Limits
from recurra.tasks import TASKS
from recurra.tasks.shared import archive, exporting, hub
from recurra.tasks.shared.commands import command
from recurra.tasks.shared.output import print_json, print_table, readable_size, stream


@command
def info(model: Path, *, json: bool = False) -> None:
    """Say what a model folder holds, and how large it is.

    Args:
        model: The model folder.
        json: Print one JSON object.
    """
    file = stored.load(model)
    parameters = sum(array.size for array in file.weights.values())
    sizes = asdict(archive.sizes(model))
    if json:
        facts = {"task": file.task, "parameters": parameters, "bytes": sizes}
        print_json(facts | {"config": file.config, "record": file.record})
        return
    print_table({"task": file.task, "parameters": parameters})
    print("\nsize")
    print_table({f"  {name.replace('_', ' ')}": readable_size(size) for name, size in sizes.items() if size})
    print("\ntraining")
    print_table({f"  {name}": value for name, value in file.record.items()})
    print("\nconfiguration")
    print_table({f"  {name}": value for name, value in file.config.items()})


@command
def pack(model: Path, *, out: Path, with_pieces: bool = False, json: bool = False) -> None:
    """Write a model as one zip to give away, without its checkpoint and its training pieces.

    Args:
        model: The model folder.
        out: The archive to write, .zip.
        with_pieces: Keep the training pieces of a music model, which tell what is copied from them.
        json: Print one JSON object.
    """
    left_out = archive.pack(model, out, with_pieces)
    exporting.note_left_out(left_out)
    with os_errors("reading", out):
        size = out.stat().st_size
    if json:
        print_json({"path": str(out), "bytes": size, "left_out": left_out})
        return
    print(out)


@command
def unpack(packed: Path, *, out: Path) -> None:
    """Make a model folder of a packed model.

    Args:
        packed: What `recurra pack` wrote.
        out: The model folder to make.
    """
    archive.unpack(packed, out)
    print(out)


@command
def export(model: Path, *, out: Path, int8: bool = False, json: bool = False) -> None:
    """Write a model for other programs: .onnx for ONNX runtimes, .html to use in a browser, .zip to give away.

    Args:
        model: The model folder.
        out: The file to write, .onnx, .html or .zip.
        int8: Round large weights to eight bits: a quarter of the size, a little less exact.
        json: Print one JSON object.
    """
    files = [str(file) for file in exporting.export(model, out, int8)]
    if json:
        print_json({"path": files[0], "files": files})
        return
    print("\n".join(files))


@command
def push(model: Path, repository: str, *, private: bool = False, message: str = "") -> None:
    """Put a model on the Hugging Face hub, without its checkpoint and its training pieces.

    Args:
        model: The model folder.
        repository: Its name there, OWNER/NAME; made if need be.
        private: Make a repository that only you see.
        message: What the commit says.
    """
    print(hub.push(model, repository, private, message))


@command
def pull(repository: str, *, out: Path, revision: str | None = None) -> None:
    """Make a model folder of a model on the Hugging Face hub.

    Args:
        repository: Its name there, OWNER/NAME.
        out: The model folder to make.
        revision: A branch, a tag or a commit; the main branch if not given.
    """
    hub.pull(repository, out, revision)
    print(out)


@command
def serve(
    *models: Path,
    device: DeviceName = "auto",
    json: bool = False,
    address: Address = Address(),
    limits: Limits = Limits(),
) -> None:
    """Serve models to this machine's browsers and programs, until interrupted.

    Args:
        models: Model folders, of any tasks; requests call each by its folder's name.
        device: Where to compute, for models that PyTorch computes.
        json: Print the address as a JSON object.
    """
    require_installed()
    from recurra.serve.server import base_of, listen
    from recurra.serve.server import serve as run
    from recurra.tasks.shared.serving import open_service

    with listen(address) as listening, open_service(models, device, limits) as service:
        base = base_of(listening)
        if json:
            print_json({"url": base, "models": list(service.models)})
        else:
            stream(f"{base}\n")
        note(f"serving {', '.join(service.models)}; Ctrl-C stops it, {base}/docs says how to ask")
        run(service, address, listening)


@command
def demo(task: str = "text", *, out: Path = Path("demo"), minutes: float | None = None) -> None:
    """Train on a sample for a few minutes, use the model and draw its pictures.

    Args:
        task: Which task to show.
        out: The folder for everything that is made; an earlier demo there is replaced.
        minutes: How long to train; one to three minutes, by the task, if not given.
    """
    if task not in TASKS:
        raise OptionError(f"there is no task {task}; there are {', '.join(TASKS)}")
    with os_errors("writing", out):
        out.mkdir(parents=True, exist_ok=True)
    import_module(f"recurra.tasks.{task}.commands").demo(out, minutes)
