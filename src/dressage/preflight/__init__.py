"""Before the first step: checks of a network, its loss, its optimiser and its data, judged."""

from dressage.preflight.result import Checked as Checked
from dressage.preflight.result import NotChecked as NotChecked
from dressage.preflight.result import Preflight as Preflight
from dressage.preflight.result import Seen as Seen
from dressage.preflight.result import finding_lines as finding_lines
from dressage.preflight.run import examine as examine
from dressage.preflight.run import preflight as preflight
from dressage.preflight.statistics import LayerStatistics as LayerStatistics
from dressage.preflight.statistics import statistics as statistics
