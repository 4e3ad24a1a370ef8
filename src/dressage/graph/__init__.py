"""The computational graph of one small batch, forward and in reverse: the notes' way of teaching backpropagation."""

from __future__ import annotations

from dressage.graph.expression import trace_expression
from dressage.graph.trace import Edge, Node, Numbers, Trace, trace

__all__ = ["Edge", "Node", "Numbers", "Trace", "trace", "trace_expression"]
