"""What a training is watched for: telemetry goes in, findings come out."""

from dressage.watch.nonfinite import nonfinite as nonfinite
from dressage.watch.watcher import Watch as Watch
from dressage.watch.watcher import watch as watch
