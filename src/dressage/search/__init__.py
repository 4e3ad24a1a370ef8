"""Search for settings: many short runs, fewer long ones, and an honest word about the winner."""

from dressage.search.found import Search as Search
from dressage.search.judge import Verdict as Verdict
from dressage.search.judge import judge as judge
from dressage.search.procedure import go_on as go_on
from dressage.search.procedure import load_search as load_search
from dressage.search.procedure import search as search
from dressage.search.ranges import Range as Range
from dressage.search.ranges import choice as choice
from dressage.search.ranges import integer as integer
from dressage.search.ranges import log as log
from dressage.search.ranges import uniform as uniform
from dressage.search.samplers import sample as sample
from dressage.search.space import Space as Space
from dressage.search.space import as_space as as_space
from dressage.search.space import default_space as default_space
from dressage.search.stages import narrow as narrow
from dressage.search.trial import Moment as Moment
from dressage.search.trial import Result as Result
from dressage.search.trial import Trial as Trial
