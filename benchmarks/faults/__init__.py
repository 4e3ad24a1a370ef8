"""The benchmark of faults: programs with a planted fault and their repaired twins, and healthy programs."""
