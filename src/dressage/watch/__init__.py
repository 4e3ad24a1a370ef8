"""What a training is watched for: telemetry goes in, findings come out."""

from dressage.findings import Finding as Finding
from dressage.watch.nonfinite import nonfinite as nonfinite
