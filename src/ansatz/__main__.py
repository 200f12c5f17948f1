"""`python -m ansatz` is the command `ansatz`."""

import sys

from ansatz.cli import main

sys.exit(main())
