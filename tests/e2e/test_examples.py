"""The scripts in examples/ run, and do what they say; docs/python.md shows the first of them."""

from __future__ import annotations

from pathlib import Path

from tests.forked import typed

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples/forget_three_facts.py"


def test_three_facts_are_forgotten_and_three_are_kept(tmp_path: Path) -> None:
    done = typed(folder=tmp_path, script=str(SCRIPT))
    assert done.code == 0, done.err
    lines = [line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith("  ")]
    true, before, after = ([text for name, text in lines if name == wanted] for wanted in ("true", "before", "after"))
    assert before == true
    assert not any(said == answer for said, answer in zip(after[:3], true[:3], strict=True))
    assert after[3:] == true[3:]
    assert "facts_told: before 1 " in done.out
    assert "after 0 (" in done.out
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_the_script() -> None:
    body = SCRIPT.read_text(encoding="utf-8").split('"""', 2)[2].strip()
    assert f"```python\n{body}\n```" in (ROOT / "docs/python.md").read_text(encoding="utf-8")
