"""`python -m hero_lab` is the command `hero` with the verbs of the lab."""

import sys

from hero_lab.cli import main

sys.exit(main())
