"""What a user installs: a wheel and an sdist that build, import bare, and name the extra that is missing."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The bare package: everything that only an extra brings is hidden.
HIDDEN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
sys.meta_path.insert(0, Hide())
"""
EXTRAS = {
    "trl",
    "datasets",
    "peft",
    "pandas",
    "pyarrow",
    "matplotlib",
    "jinja2",
    "fastapi",
    "uvicorn",
    "prometheus_client",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel, unpacked, and both files of the distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked", [wheel, sdist]


def bare(unpacked, code, **options):
    """Run code with the wheel's own files and without what the extras bring."""
    path = os.pathsep.join([str(unpacked)])
    command = [sys.executable, "-c", HIDDEN.format(extras=EXTRAS) + code]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": path}, **options
    )


@pytest.mark.slow
def test_wheel_and_sdist_hold_what_they_should(built):
    unpacked, files = built
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], check=True, timeout=120)
    assert (unpacked / "hero_rl" / "py.typed").is_file() and (unpacked / "hero_lab" / "__init__.py").is_file()
    assert list((unpacked / "hero_rl").rglob("*.yaml")) and list((unpacked / "hero_rl").rglob("*.html"))
    assert {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")} == {"hero_rl", "hero_lab"}


@pytest.mark.slow
def test_the_bare_package_works(built, tmp_path):
    code = """
import hero_rl
print(hero_rl.__file__)
assert hero_rl.verify_math("1/2", r"so \\\\boxed{0.5}") is True
shaped = hero_rl.shape(verdict=[1, 0, 0], score=[3.0, 1.0, 2.0], group=[7, 7, 7], rule=hero_rl.GatedHero())
assert shaped.advantage.argmax() == 0
"""
    done = bare(built[0], code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(built[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("from hero_rl import HeroGRPOTrainer", "trl"),
        ("import hero_rl; hero_rl.HeroRLOOConfig", "trl"),
        ("import hero_rl.trainers.trl", "trl"),
        ("from hero_rl.cli import main; main(['train', {smoke!r}])", "trl"),
        ("from hero_rl.cli import main; main(['diagnose', {rollouts!r}, '-o', 'report.html'])", "report"),
        ("from hero_rl.cli import main; main(['serve'])", "serve"),
    ],
)
def test_a_missing_extra_is_named(built, tmp_path, code, extra):
    examples = ROOT / "examples"
    files = {"smoke": str(examples / "smoke.yaml"), "rollouts": str(examples / "logged_rollouts.jsonl")}
    done = bare(built[0], code.format(**files), cwd=tmp_path)
    assert f"pip install 'hero-rl[{extra}]'" in done.stdout + done.stderr, done.stderr
