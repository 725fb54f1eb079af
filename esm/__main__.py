"""`python -m esm` is the command `esm`."""

import sys

from esm.cli.main import main

sys.exit(main())
