"""Populations: trainings of one kind that differ in rate, decay, momentum, dropout, smoothing or seed, as one computation.

member: who fits with whom. chain, products: losses and gradients of K chains at once, written out; network, mapped: of other
networks, by torch.func.vmap. inputs, loss: what both are given. stack, update: their
numbers as rows of one tensor, moved together. epoch, together: events, and members that leave. pace: how many at once.
"""

from dressage.fit.population.epoch import MemberEvent as MemberEvent
from dressage.fit.population.epoch import StepsEvent as StepsEvent
from dressage.fit.population.member import Member as Member
from dressage.fit.population.member import kin as kin
from dressage.fit.population.member import misfit as misfit
from dressage.fit.population.member import sketch as sketch
from dressage.fit.population.pace import Pace as Pace
from dressage.fit.population.pace import measure as measure
from dressage.fit.population.together import fit_together as fit_together
