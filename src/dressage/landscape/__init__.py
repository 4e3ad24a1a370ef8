"""The surface on which finished runs lie: how sharp a minimum is, what a plane through it looks like, what lies between two."""

from __future__ import annotations

from dressage.landscape.look import Landscape, landscape
from dressage.landscape.page import page_beside, write_page

__all__ = ["Landscape", "landscape", "page_beside", "write_page"]
