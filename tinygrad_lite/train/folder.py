"""The folder of a run: one run at a time holds it, and a run that is in it is not lost to another."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from tempfile import TemporaryFile

from filelock import FileLock, Timeout

from ..files import leftovers
from .checkpoint import WEIGHTS, Checkpoint, TrainingError
from .record import say

LOCK = ".lock"
REPLACED = "replaced"  # the folder in the folder that keeps the run that was there
FILES = (WEIGHTS, "metrics.json", "curve.png", "graph.svg")


class Folder:
    """A folder that this run holds until `close`, or until its process ends, however it ends.

    Raises TrainingError where nothing can be written there, and where another run holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hold()

    def hold(self) -> None:
        """Make the folder, lock it, and remove what killed runs have left half written in it."""
        if (self.path / WEIGHTS).is_dir():
            raise TrainingError(
                f"{self.path / WEIGHTS}: is a folder, where the weights are to be saved; name another output folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path):
                pass
            self.lock = FileLock(self.path / LOCK, blocking=False)
            self.lock.acquire()
            self.place = (self.path / LOCK).stat()
        except Timeout:
            raise TrainingError(
                f"{self.path}: another training is saved there, and goes on; wait for it, or name another output folder"
            ) from None
        except OSError as error:
            raise TrainingError(
                f"{self.path}: cannot write there ({error.strerror}); name another output folder"
            ) from None
        for name in FILES:  # a live run would hold the lock
            for file in leftovers(self.path / name):
                file.unlink(missing_ok=True)
        for copy in leftovers(self.path / REPLACED):
            shutil.rmtree(copy, ignore_errors=True)

    def close(self) -> None:
        """Let other runs have the folder.  The lock file stays: to remove it would let two of them in."""
        self.lock.release()

    def is_held(self) -> bool:
        """Whether the folder is still the one that was locked: someone may have removed it."""
        try:
            return os.path.samestat((self.path / LOCK).stat(), self.place)
        except OSError:
            return False

    def saved_run(self) -> Checkpoint | None:
        """Read the run saved there; None where nothing is.  Raises TrainingError where it cannot go on."""
        path = self.path / WEIGHTS
        if not path.exists():
            return None
        saved = Checkpoint.load(path)
        facts = saved.facts
        if "diverged" in facts:
            raise TrainingError(
                f"{path}: this run diverged at step {facts['diverged']}; start again with a smaller lr, and "
                "overwrite=True (--overwrite)"
            )
        kinds = {"step": int, "total": int, "settings": dict, "curve": list}
        if not all(isinstance(facts.get(name), kind) for name, kind in kinds.items()):
            raise TrainingError(
                f"{path}: holds weights, but no run that could go on; start again without resume, in another folder"
            )
        return saved

    def refuse_another(self) -> None:
        """Raise TrainingError where a run, or what is left of one, would be replaced."""
        path = self.path / WEIGHTS
        if path.exists():
            raise TrainingError(
                f"{self.path}: holds {_what(path)}; resume=True (--resume) goes on with it, overwrite=True (--overwrite) "
                "replaces it, or name another output folder"
            )

    def keep(self) -> None:
        """Copy the run that is there to `replaced`, unless that keeps an earlier one already."""
        kept = self.path / REPLACED
        if kept.exists() or not (self.path / WEIGHTS).exists():
            return
        copy = self.path / f".{REPLACED}.{secrets.token_hex(4)}"
        copy.mkdir()
        for name in FILES:
            if (self.path / name).is_file():
                shutil.copy2(self.path / name, copy / name)
        copy.rename(kept)
        say(f"the run that was in {self.path} is kept in {kept} until this one has finished")

    def forget(self) -> None:
        """Remove the run that was kept."""
        shutil.rmtree(self.path / REPLACED, ignore_errors=True)


def _what(path: Path) -> str:
    """Say what a weights file is."""
    try:
        facts = Checkpoint.load(path).facts
    except TrainingError:
        return f"a {path.name} that is damaged"
    if "diverged" in facts:
        return f"a run that diverged at step {facts['diverged']}"
    if "step" not in facts or "total" not in facts:
        return "weights that are no run"
    step, total = facts["step"], facts["total"]
    return f"a finished run of {step} steps" if step == total else f"a run that has made {step} of {total} steps"
