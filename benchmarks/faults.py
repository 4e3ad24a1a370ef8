"""Faults planted in small programs: what dressage.watch names, misses and says wrongly. See faults/runner.py for the options.

python benchmarks/faults.py [--half tune|report|fresh|blind|all] [--only WORD ...] [--jobs N] [--json FILE] [--gaps]
"""

from faults.runner import main

if __name__ == "__main__":
    main()
