"""What a training is watched for: telemetry goes in, findings come out."""

from dressage.watch.foreign import LoopWatch as LoopWatch
from dressage.watch.foreign import watch as watch
from dressage.watch.nonfinite import nonfinite as nonfinite
from dressage.watch.watcher import Watch as Watch
