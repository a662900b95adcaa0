from pathlib import Path

import setuptools

Path("built.txt").write_text(setuptools.__version__)
