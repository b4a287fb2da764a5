"""What pyproject.toml cannot say: all packages below seglab, and checkpoints/ as one of them, with the shipped runs."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["seglab", "seglab.*"]), "seglab.checkpoints"])
