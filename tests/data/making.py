"""What the tests of the three kinds of data share."""

import json
import sys

HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]
IN_SMALL_STEPS = [*HERO[:2], "import hero_rl.data.verifying as verifying; verifying.AT_A_TIME = 16; " + HERO[2]]
ONE = {"workers": 1}


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def hashed(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "card" not in file.name and file.name != "config.yaml"
    }
