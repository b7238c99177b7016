"""What holds for the tree as a whole, and the tests that read it keep."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (
    "console",
    "dashboards",
    "audit",
    "alerts",
    "collectors",
    "pipeline",
    "journal",
    "historian",
    "kpis",
    "plant",
)


def test_nothing_but_the_demo_reads_the_truth() -> None:
    """The simulator's truth is opened by the simulator, the demo's page and tests, and by nothing that judges."""
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"truth\.sqlite|simulators", path.read_text()), path


def test_meters_and_profiles_share_no_file() -> None:
    """Both ends of a register are written apart: simulators read no profile, collectors no register map."""
    for path in (ROOT / "simulators").rglob("*.py"):
        assert not re.search(r"profiles/|(import|from) collectors", path.read_text()), path
    shared = {path.name for path in (ROOT / "simulators").rglob("*.yaml")}
    assert not shared & {path.name for path in (ROOT / "collectors").rglob("*.yaml")}


def test_every_promise_has_a_test_that_names_it() -> None:
    """ARCHITECTURE.md numbers the promises; each is named by a test's docstring."""
    promised = re.findall(r"^(\d)\. \*\*", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert promised == [str(number) for number in range(1, 10)]
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for number in promised:
        assert f"Promise {number}:" in tests, number


def test_readme_names_only_what_make_and_the_command_line_have() -> None:
    """README's commands exist."""
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", readme)) - {"alone"} <= targets
    cli = "".join(path.read_text() for path in sorted((ROOT / "monitor").glob("cli*.py")))
    for command in set(re.findall(r"keepclean ([a-z]+) ", readme)) - {"watches", "never"}:
        assert f"def {command}" in cli or f'name="{command}"' in cli, command


def test_links_of_the_documents_lead_somewhere() -> None:
    """Every relative link in README, ARCHITECTURE and the examples' READMEs is a file."""
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "examples" / "steel" / "README.md"):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / link).exists(), (path.name, link)
