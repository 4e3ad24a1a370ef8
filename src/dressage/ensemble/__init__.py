"""Several networks that answer as one: how members come about, how their answers are combined, what that gains."""

from __future__ import annotations

from dressage.ensemble.folder import Ensemble, load
from dressage.ensemble.make import ensemble, resume

__all__ = ["Ensemble", "ensemble", "load", "resume"]
