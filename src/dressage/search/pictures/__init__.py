"""The pictures of a search, as SVG of our own: they need no script and follow the page's colours by their classes."""

from dressage.search.pictures.bars import bars_svg as bars_svg
from dressage.search.pictures.curves import curves_svg as curves_svg
from dressage.search.pictures.grid_random import grid_random_svg as grid_random_svg
from dressage.search.pictures.parallel import parallel_svg as parallel_svg
from dressage.search.pictures.plane import plane_svg as plane_svg
from dressage.search.pictures.standings import standings_svg as standings_svg
