"""A model on the Hugging Face hub: pushed there, and pulled from there, by `huggingface_hub`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recurra.errors import RecurraError, os_errors
from recurra.files import require_writable_parent
from recurra.modelfolder import CARD, CONFIG, VOCABULARY, WEIGHTS
from recurra.progress import bar
from recurra.runtime import stored
from recurra.tasks import TASKS
from recurra.tasks.shared.archive import NEEDED, new_model

MAX_BYTES = 2**32
"""The files of a model that is pulled are not larger than this, all together."""


def push(folder: Path, repository: str, private: bool = False, message: str = "") -> str:
    """Put a model on the hub, without its checkpoint and its training pieces; the repository is made if need be.

    Args:
        folder: the model folder.
        repository: its name there, OWNER/NAME.
        private: make a repository that only its owner sees; one that is there already stays as it is.
        message: of the commit.

    Returns:
        The address of the model.

    Raises:
        RecurraError: if the folder is not a whole model, the package is missing, or the hub refuses or cannot be
            reached.
    """
    hub = _package()
    file = stored.load(folder)
    names = [name for name in NEEDED if name != CARD and (folder / name).is_file()]
    with os_errors("reading", folder / CARD):
        card = metadata(file.task).encode() + (folder / CARD).read_bytes()
    operations = [hub.CommitOperationAdd(CARD, card)]
    operations += [hub.CommitOperationAdd(name, str(folder / name)) for name in names]
    with _told(hub, repository):
        api = hub.HfApi()
        made = api.create_repo(repository, private=private or None, exist_ok=True)
        api.create_commit(made.repo_id, operations, commit_message=message or f"Add {folder.name}")
    return str(made)


def metadata(task: str) -> str:
    """What a card begins with on the hub: the library, the kind of model, and tags, in YAML."""
    kind = TASKS[task].hub
    first = [f"pipeline_tag: {kind}"] if kind else []
    return "\n".join(["---", "library_name: recurra", *first, "tags:", "- recurra", f"- {task}", "---", "", ""])


def pull(repository: str, folder: Path, revision: str | None = None) -> None:
    """Make a model folder of a model on the hub, all or nothing.

    Args:
        repository: its name there, OWNER/NAME; it may come from anybody.
        folder: where; there must not be anything.
        revision: branch, tag or commit; the main branch if not given.

    Raises:
        RecurraError: if there is no such model, it is not whole or too large, the package is missing, or the hub cannot
            be reached; nothing is left behind.
    """
    hub = _package()
    with new_model(folder, repository) as new:
        require_writable_parent(folder)
        _download(hub, repository, new, revision)


def _download(hub: Any, repository: str, folder: Path, revision: str | None) -> None:
    """Put the files of a model into a folder."""
    with _told(hub, repository):
        found = hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
    there = {sibling.rfilename: sibling.size or 0 for sibling in found.siblings or () if sibling.rfilename in NEEDED}
    missing = [name for name in (CONFIG, WEIGHTS, VOCABULARY) if name not in there]
    if missing:
        raise RecurraError(f"{repository} has no {missing[0]} and is not a model of Recurra; name another")
    if sum(there.values()) > MAX_BYTES:
        raise RecurraError(f"{repository} is larger than {MAX_BYTES // 2**30} GiB, which no model of Recurra is")
    with bar("downloading") as shown:
        for number, name in enumerate(there):
            with _told(hub, repository):
                hub.hf_hub_download(repository, name, revision=found.sha, local_dir=folder)
            shown.update((number + 1) / len(there))
    shutil.rmtree(folder / ".cache", ignore_errors=True)


@contextmanager
def _told(hub: Any, repository: str) -> Iterator[None]:
    """Say in one sentence what the hub, or the way there, has against a request."""
    errors = hub.errors
    try:
        yield
    except errors.HFValidationError as error:
        raise RecurraError(f"{repository!r} is no name of a repository; give OWNER/NAME") from error
    except errors.LocalTokenNotFoundError as error:
        raise RecurraError("you are not known to the hub; log in by `hf auth login` or set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise RecurraError(f"{repository} has no such revision; name a branch, a tag or a commit of it") from error
    except errors.RepositoryNotFoundError as error:
        raise RecurraError(
            f"there is no {repository} on the hub, or you may not see it; check the name, log in by `hf auth login`"
        ) from error
    except errors.HfHubHTTPError as error:
        raise RecurraError(
            f"the hub refuses {repository}: {_line(error)}; check the name, log in by `hf auth login` or set HF_TOKEN"
        ) from error
    except (errors.HTTPError, OSError) as error:
        raise RecurraError(f"the hub cannot be reached ({_line(error)}); check the connection and try again") from error


def _line(error: Exception) -> str:
    """The beginning of what an error says, in a line."""
    text = " ".join(str(error).split()).rstrip(".")
    return text[:160] or type(error).__name__


def _package() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise RecurraError("the hub needs one more package: pip install 'recurra[hub]'") from error
    return huggingface_hub
