"""What pyproject.toml has no words for: a wheel takes scenarios and examples into the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("scenarios", "examples")
SUFFIXES = (".py", ".toml", ".md")


class WithScenarios(build_py):
    """Copies these folders into the package; an editable install finds them where they are."""

    def run(self) -> None:
        """Build the package, then add them."""
        super().run()
        if self.editable_mode:
            return
        for path in sorted(path for folder in FOLDERS for path in Path(folder).rglob("*")):
            if path.suffix in SUFFIXES:
                copy = Path(self.build_lib) / "loadtest" / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)


setup(cmdclass={"build_py": WithScenarios})
