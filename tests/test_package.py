"""What a user installs: a wheel and an sdist that build, import bare, and name the extra that is missing."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HIDE = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
"""
OF_EXTRAS = {"trl", "datasets", "peft", "pandas", "pyarrow", "matplotlib", "fastapi", "uvicorn", "prometheus_client"}


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


def without(packages, unpacked, code, **options):
    """Run code with the wheel's own files, as where these packages are not installed."""
    return subprocess.run(
        [sys.executable, "-c", HIDE.format(packages=packages) + code],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
        **options,
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
assert hero_rl.verify_math("1/2", r"so \\boxed{0.5}") is True
shaped = hero_rl.shape(verdict=[1, 0, 0], score=[3.0, 1.0, 2.0], group=[7, 7, 7], rule=hero_rl.GatedHero())
assert shaped.advantage.argmax() == 0
"""
    done = without(OF_EXTRAS, built[0], code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(built[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "code", "extra"),
    [
        ("trl", "from hero_rl import HeroGRPOTrainer", "trl"),
        ("trl", "import hero_rl.trainers.trl", "trl"),
        ("trl", "import hero_rl; hero_rl.HeroRLOOConfig", "trl"),
        ("trl", "from hero_rl.cli import main; main(['train', {smoke!r}])", "trl"),
        ("accelerate", "from hero_rl import HeroGRPOTrainer", "trl"),  # the first that a bare environment lacks
        ("trl", "from hero_lab.cli import main; main(['demo', '--tiny'])", "trl"),
        ("matplotlib", "from hero_lab.cli import main; main(['demo', '--tiny'])", "report"),
        ("matplotlib", "from hero_rl.cli import main; main(['diagnose', {rollouts!r}, '-o', 'report.html'])", "report"),
        ("fastapi", "from hero_rl.cli import main; main(['serve'])", "serve"),
    ],
)
def test_a_missing_extra_is_named(built, tmp_path, package, code, extra):
    examples = ROOT / "examples"
    files = {"smoke": str(examples / "smoke.yaml"), "rollouts": str(examples / "logged_rollouts.jsonl")}
    done = without({package}, built[0], code.format(**files), cwd=tmp_path)
    assert f"pip install 'hero-rl[{extra}]'" in done.stdout + done.stderr, done.stderr
