"""`python -m rnncheck`: the command line where its script is not on the path."""

import sys

from rnncheck.cli import main

sys.exit(main())
