"""Run the commands of docs/guides/path.md in their order, in one process, in the folder it is called in.

    python walk_path.py path.md

Every command goes through the same `main` as in a shell; one process spares each of them the import of torch.
"""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path


def walk(page):
    """The commands of the page's sh blocks; a last `&` has one run on in the background."""
    from hero_lab.cli import main

    behind = []
    try:
        for line in [
            line for block in re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M) for line in block.splitlines()
        ]:
            program, *arguments = shlex.split(line)
            if arguments[-1] == "&":
                behind.append(subprocess.Popen([sys.executable, *arguments[:-1]], stdout=subprocess.PIPE))
                behind[-1].stdout.readline()  # it says its address when it can be asked
            elif program.endswith("python"):
                sys.argv = arguments
                runpy.run_path(arguments[0], run_name="__main__")
            elif code := main(arguments):
                sys.exit(f"{line}: exit code {code}")
    finally:
        for process in behind:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    walk(Path(sys.argv[1]).read_text())
