"""Where the project keeps its figures and notebooks."""

from __future__ import annotations

from pathlib import Path

from tfeval.errors import TfevalError

#: Set in the kernel of a report's run: what a page writes beside it stays with the page.
KEEPS_FILES = "TFEVAL_KEEPS_FILES"
_PACKAGE = Path(__file__).resolve().parent


def project_folder(name: str) -> Path:
    """Return the project's folder `name` ("data" or "notebooks").

    In a checkout it lies beside the package; in an installed wheel, inside it.

    Raises
    ------
    TfevalError
        If neither place has it: the installation is incomplete.

    Examples
    --------
    >>> project_folder("data").name
    'data'
    """
    for folder in (_PACKAGE / "_project" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise TfevalError(
        f"The project's folder {name}/ is missing: reinstall tfeval, or run from a full checkout."
    )
