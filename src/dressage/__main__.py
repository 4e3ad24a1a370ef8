"""`python -m dressage`: the command, where its script is not on the path."""

import sys

from dressage.cli.main import main

sys.exit(main())
