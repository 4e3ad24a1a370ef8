"""The named sets as a family for `dressage list data`: what each is, its size, and where it comes from."""

from __future__ import annotations

from dressage.catalogue import Catalogue, Entry
from dressage.data.named import FETCHED, NAMES
from dressage.data.open import open_data
from dressage.data.source import Source
from dressage.recipe import Data

ABOUT = {
    "breast_cancer": "569 tumours by 30 measures of their cell nuclei; 2 classes",
    "cifar10": "50,000 + 10,000 colour photographs, 32×32; 10 classes",
    "diabetes": "442 patients by 10 measures; how the disease went on a year later, a regression",
    "digits": "1,797 handwritten digits, 8×8; 10 classes",
    "fashion_mnist": "60,000 + 10,000 pictures of clothes, 28×28 grey; 10 classes",
    "iris": "150 flowers by 4 lengths; 3 species",
    "mnist": "60,000 + 10,000 handwritten digits, 28×28 grey; 10 classes",
    "wine": "178 wines by 13 chemical measures; 3 growers",
}


def _open(name: str, section: Data) -> Source:
    return open_data(name, section)


def _source(name: str) -> str:
    if name not in FETCHED:
        return "scikit-learn, nothing to download"
    megabytes = sum(remote.size for remote in FETCHED[name]) / 1e6
    return f"downloaded once ({megabytes:.0f} MB, checksum verified), or from $DRESSAGE_DATA/{name}"


catalogue: Catalogue[Source] = Catalogue(
    "data", *(Entry(name, _open, ABOUT.get(name, ""), "", _source(name)) for name in NAMES)
)
