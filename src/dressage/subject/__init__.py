"""A training that is examined: what is given of it, copies that may be run, and short continuations with one thing changed."""

from dressage.subject.continuation import Comparison as Comparison
from dressage.subject.continuation import Lab as Lab
from dressage.subject.continuation import Outcome as Outcome
from dressage.subject.continuation import advance as advance
from dressage.subject.continuation import compare as compare
from dressage.subject.continuation import judged as judged
from dressage.subject.continuation import lab_of as lab_of
from dressage.subject.continuation import metric_of as metric_of
from dressage.subject.rows import Rows as Rows
from dressage.subject.rows import rows_of as rows_of
from dressage.subject.subject import Subject as Subject
from dressage.subject.subject import first_output as first_output
from dressage.subject.subject import outputs_of as outputs_of
from dressage.subject.subject import subject_of as subject_of
from dressage.subject.task import Metric as Metric
from dressage.subject.task import Task as Task
from dressage.subject.task import decided as decided
from dressage.subject.task import labels_of as labels_of
from dressage.subject.untouched import copy_of as copy_of
from dressage.subject.untouched import copy_with as copy_with
from dressage.subject.untouched import evaluated as evaluated
from dressage.subject.untouched import generators_kept as generators_kept
