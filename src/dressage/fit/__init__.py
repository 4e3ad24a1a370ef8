"""The training: state, step, loop."""

from dressage.fit.events import EndEvent as EndEvent
from dressage.fit.events import EpochEvent as EpochEvent
from dressage.fit.events import Event as Event
from dressage.fit.events import ExamineEvent as ExamineEvent
from dressage.fit.events import FindingEvent as FindingEvent
from dressage.fit.events import NoticeEvent as NoticeEvent
from dressage.fit.events import PlanEvent as PlanEvent
from dressage.fit.events import StepEvent as StepEvent
from dressage.fit.loop import fit as fit
from dressage.fit.plan import Plan as Plan
from dressage.fit.plan import make_plan as make_plan
from dressage.fit.state import State as State
from dressage.fit.state import new_state as new_state
from dressage.fit.step import take_step as take_step
