"""What pyproject.toml has no words for: a wheel takes the ready scenarios into the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithScenarios(build_py):
    """Copies scenarios/ to loadtest/scenarios/; an editable install finds them where they are."""

    def run(self) -> None:
        """Build the package, then add them."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib) / "loadtest" / "scenarios"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in ("py", "toml"):
            for path in sorted(Path("scenarios").glob(f"*.{suffix}")):
                shutil.copy(path, folder)


setup(cmdclass={"build_py": WithScenarios})
