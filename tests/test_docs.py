"""What the documents say is true: commands run, code runs, links lead somewhere, generated pages are fresh."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
HERO = [sys.executable, "-c", "import sys; from hero_lab.cli import main; sys.exit(main())"]


ROOM = re.compile(r"^\| `(\w+)` \| \d", re.M)


def blocks(language):
    """(page, code) of every fenced block of a language."""
    fence = re.compile(rf"^( *)```{language}(?: title=[^\n]*)?\n(.*?)^ *```", re.M | re.S)
    return [(page.relative_to(ROOT), dedent(code)) for page in PAGES for _, code in fence.findall(page.read_text())]


# Those of docs/guides/path.md and mixed_data.md build on each other: tests/examples runs them in their order.
WALKED = {"path.md", "mixed_data.md"}
COMMANDS = sorted(
    {line for page, code in blocks("sh") if page.name not in WALKED for line in code.splitlines() if line}
)


def shell(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def made_by(target):
    """What make would run for a target whose environment stands."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    return shell(["make", "-n", "-o", ".venv/.installed", target], cwd=ROOT, env=outside)


def run_smoke(tmp_path, *more):
    from tiny_models import write

    policy, reward_model = write(tmp_path)
    places = [
        "--model.path",
        str(policy),
        "--reward_model.path",
        str(reward_model),
        "--output_dir",
        str(tmp_path / "run"),
    ]
    return shell([*HERO, "train", "examples/smoke.yaml", *places, *more], cwd=ROOT)


def smoke(tmp_path):
    run_smoke(tmp_path)
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def train_rm(tmp_path):
    from tiny_models import write

    places = ["--model.path", str(write(tmp_path)[0]), "--output_dir", str(tmp_path / "run")]
    shell([*HERO, "train-rm", "examples/reward_model.yaml", *places], cwd=ROOT)


# Every command of the documents, and the test of it. Long ones run small; `make` ones are checked to run those.
RUNS = {
    "make demo": lambda _: made_by("demo").strip().endswith(".venv/bin/hero demo") or pytest.fail("make demo"),
    "make test": lambda _: "pytest" in made_by("test") or pytest.fail("make test"),
    "make lint": lambda _: "pyright" in made_by("lint") or pytest.fail("make lint"),
    "make docs": lambda _: "mkdocs build --strict" in made_by("docs") or pytest.fail("make docs"),
    "make install": lambda _: made_by("install"),
    ".venv/bin/python examples/tiny_models.py runs/tiny": lambda tmp: shell(
        [sys.executable, "examples/tiny_models.py", tmp], cwd=ROOT
    ),
    ".venv/bin/hero train examples/smoke.yaml": smoke,
    "hero train-rm examples/reward_model.yaml": train_rm,
    "hero train examples/smoke.yaml --check": lambda tmp: run_smoke(tmp, "--check"),
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run_demo(command, tmp_path, cache):
    """A demo of the pages with models and arms of three steps, one seed, and folders of its own."""
    said = shlex.split(command)[2:]
    for option, instead in (("--seeds", ["--seeds", "1"]), ("--out", [])):
        if option in said:
            at = said.index(option)
            said[at : at + 2] = instead
    said = [argument for argument in said if argument != "--tiny"]
    places = ["--tiny", "--json", "--out", str(tmp_path / "out"), "--cache", str(cache)]
    result = json.loads(shell([*HERO, "demo", *said, *places]))
    assert Path(result["page"]).is_file()
    assert [arm["name"] for arm in result["arms"]] == result["settings"]["arms"]


def run_study(command, tmp_path, cache):
    """A study of the pages with its smallest part, or a page of such a study; a real model's from its own table."""
    if command.startswith("hero study words"):
        shell([*HERO, *shlex.split(command)[1:], "--out", str(tmp_path)], cwd=ROOT)
        assert (tmp_path / "words.md").is_file()
        return
    places = ["--tiny", "--parts", "two-faced", "--seeds", "1", "--out", str(cache / "study"), "--cache", str(cache)]
    shell([*HERO, "study", "run", *places])
    if command.startswith("hero study report"):
        shell([*HERO, "study", "report", str(cache / "study" / "study.parquet"), "--out", str(tmp_path)])
        assert (tmp_path / "study.md").is_file()


def ask_the_service():
    """`hero serve` on a free port, and every question that the pages ask it."""
    from serving import HERO as SERVE
    from serving import running

    with running([*SERVE, "--port", "0", "--json"]) as service:
        for command in [command for command in COMMANDS if command.startswith("curl")]:
            said = shell(shlex.split(command.replace("http://127.0.0.1:8000", service.url)))
            assert said and "detail" not in said, said


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("curl")])
@pytest.mark.xdist_group("demos")  # so that they share the models that the first of them makes
def test_commands_run(command, tmp_path, cache):
    command = command.removeprefix(".venv/bin/") if command not in RUNS else command
    if command.startswith("hero demo"):
        run_demo(command, tmp_path, cache)
    elif command.startswith("hero study"):
        run_study(command, tmp_path, cache)
    elif command == "hero serve":
        ask_the_service()
    elif command.startswith(("hero serve", "hero verify")):
        shell([*HERO, *shlex.split(command)[1:]], cwd=ROOT)
    elif command.startswith(("hero recipe list", "hero recipe show")):
        assert shell([*HERO, *shlex.split(command)[1:]])
    elif command.startswith("hero score"):
        verb, read, written, *settings = shlex.split(command)[1:]
        written = tmp_path / Path(written).name
        shell([*HERO, verb, read, str(written), *settings], cwd=ROOT)
        assert written.is_file()
    elif command.startswith("hero eval"):
        from tiny_models import write

        places = {"runs/tiny/policy": str(write(tmp_path)[0]), "runs/eval": f"{tmp_path}/eval"}
        shell([*HERO, *(places.get(word, word) for word in shlex.split(command)[1:])], cwd=ROOT)
        assert (tmp_path / "eval" / "result.json").is_file()
    elif command.startswith("hero data"):
        said = shlex.split(command)[1:]
        said[said.index("--output_dir") + 1] = str(tmp_path / "out")
        shell([*HERO, *said], cwd=ROOT)
        assert (tmp_path / "out" / "card.md").is_file()
    elif command.startswith("hero preflight"):
        from tiny_models import write

        policy, reward_model = write(tmp_path)
        places = [f"--model.path={policy}", f"--reward_model.path={reward_model}"]
        shell([*HERO, *shlex.split(command)[1:], *places], cwd=ROOT)
    elif command.startswith("hero diagnose"):
        shell([*HERO, *(str(tmp_path / w) if w == "report.html" else w for w in shlex.split(command)[1:])], cwd=ROOT)
        assert (tmp_path / "report.html").is_file() == ("report.html" in command)
    else:
        RUNS[command](tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_runs(page, code, tmp_path, capsys):
    """The code of the pages as it stands, with tiny models and rows in the place of what the Hub has."""
    from tiny_models import write

    policy, reward_model = write(tmp_path)
    rows = '__import__("datasets").Dataset.from_list([{"prompt": "1 + 1 =", "answer": "2", "solution": "$2$"}] * 8)'
    small = (
        f'output_dir="{tmp_path}/out", max_steps=1, num_generations=2, max_completion_length=4, bf16=False, '
        'use_cpu=True, report_to="none", gradient_checkpointing=False'
    )
    for said, instead in {
        '"Qwen/Qwen3-4B-Base"': f'"{policy}"',
        '"Qwen/Qwen2.5-1.5B-Instruct"': f'"{policy}"',
        '"nvidia/AceMath-7B-RM"': f'"{reward_model}"',
        '"Skywork/Skywork-Reward-V2-Qwen3-0.6B"': f'"{reward_model}"',
        'load_dataset("my/problems", split="train")': rows,
        'load_dataset("trl-lib/DeepMath-103K", split="train")': rows,
        "max_completion_length=1024,": "",
        "gradient_accumulation_steps=16,": "",
        'output_dir="out"': small,
        '"examples/rollouts.jsonl"': f'"{ROOT}/examples/rollouts.jsonl"',
        '"examples/labelled_rollouts.jsonl"': f'"{ROOT}/examples/labelled_rollouts.jsonl"',
        '"liked.parquet"': f'"{tmp_path}/liked.parquet"',
    }.items():
        code = code.replace(said, instead)
    exec(compile(code, str(page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def test_the_configuration_page_is_fresh():
    page = shell([sys.executable, "docs/make_configuration.py"], cwd=ROOT)
    assert page == (ROOT / "docs" / "reference" / "configuration.md").read_text(), "run: make docs"


def test_the_page_of_the_house_has_every_room():
    counted = shell([sys.executable, "docs/make_house.py", "src"], cwd=ROOT)
    page = (ROOT / "docs" / "reference" / "house.md").read_text().partition("## Before")[0]
    assert len(ROOM.findall(counted)) > 25
    assert sorted(ROOM.findall(page)) == sorted(ROOM.findall(counted)), "run: make docs"


def test_the_picture_is_fresh(tmp_path):
    for name in ("docs/make_picture.py", "examples/smollm2_rollouts.jsonl"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    shell([sys.executable, tmp_path / "docs/make_picture.py"])
    drawn, kept = ((f / "docs/hero.svg").read_text() for f in (tmp_path, ROOT))
    numbers = [re.findall(r"-?\d+\.\d+", text) for text in (drawn, kept)]
    assert len(numbers[0]) == len(numbers[1])
    assert [float(n) for n in numbers[0]] == pytest.approx([float(n) for n in numbers[1]], abs=0.01)


def test_the_core_benchmark_runs():
    shell([sys.executable, "benchmarks/core.py", "--quick"], cwd=ROOT)


DOCS = ROOT / "docs"
SCIENCE = DOCS / "science"


def test_the_study_is_that_of_its_table(tmp_path):
    from hero_lab.study.page import write_page
    from hero_lab.study.table import read_table

    notes = (SCIENCE / "study_notes.md").read_text()
    page, *figures = write_page(read_table(SCIENCE / "study.parquet"), tmp_path, notes)
    assert page.read_text() == (SCIENCE / "study.md").read_text()
    assert figures
    assert {path.name for path in figures} == {path.name for path in SCIENCE.glob("study-*.svg")}


def test_the_page_of_a_real_model_is_what_its_table_and_notes_make(tmp_path):
    from hero_lab.words.report import write_words
    from hero_lab.words.table import read_words_table

    notes = (SCIENCE / "words_notes.md").read_text()
    page, figure = write_words(read_words_table(SCIENCE / "words.parquet"), tmp_path, notes)
    assert page.read_text() == (SCIENCE / "words.md").read_text()
    assert figure.name == "words.svg"
    assert (SCIENCE / figure.name).is_file()


def test_figures_of_the_study_are_those_of_its_page(tmp_path):
    """Every figure with an interval that a page or notes say is one of the study's, the bench's, headroom's or words'.

    Those of the study and of words are read without their notes, which would vouch for themselves.
    """
    from hero_lab.study.bench import difference
    from hero_lab.study.estimates import Selection
    from hero_lab.study.page import results_table, write_page
    from hero_lab.study.table import read_table
    from hero_lab.words.report import words_page
    from hero_lab.words.table import read_words_table

    figure = re.compile(r"[+-]?\d+\.\d ± \d+\.\d(?: \(\d/\d\))?")
    study = read_table(SCIENCE / "study.parquet")
    alone, *_ = write_page(study, tmp_path)
    texts = [alone.read_text(), words_page(read_words_table(SCIENCE / "words.parquet"))]
    texts += [(SCIENCE / f"{name}.md").read_text() for name in ("bench", "headroom")]
    known = {said for text in texts for said in figure.findall(text)}
    weight = Selection("HERO", "hard"), Selection("HERO, no weight", "hard")  # the page has it the other way round
    known |= {difference(study, *weight, kind) for kind in ("hard", "easy")}
    assert results_table(study) in (ROOT / "README.md").read_text()
    notes = (SCIENCE / f"{name}_notes.md" for name in ("study", "words"))
    pages = (ROOT / "README.md", DOCS / "guides" / "choosing.md", *notes)
    found = {said for page in pages for said in figure.findall(" ".join(page.read_text().split()))}
    assert len(found) > 20
    assert found <= known
