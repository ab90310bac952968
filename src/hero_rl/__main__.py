"""`python -m hero_rl` is the command `hero`."""

import sys

from hero_rl.cli import main

sys.exit(main())
