"""Tuning in seven steps."""

from dressage.search.tune.course import StepEvent as StepEvent
from dressage.search.tune.procedure import Tuned as Tuned
from dressage.search.tune.procedure import go_on as go_on
from dressage.search.tune.procedure import load_tuned as load_tuned
from dressage.search.tune.procedure import tune as tune
from dressage.search.tune.steps import Step as Step
