"""Under tox the tested copy is the installed one: a run of the checkout would not see that the wheel lacks a file."""

import os
import sys
from pathlib import Path

import pytest

import numpy_impl
import reference
import rnncheck
from rnncheck.shipped import data_folder


def inside(module, folder):
    return Path(module.__file__).resolve().is_relative_to(Path(folder).resolve())


@pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="not under tox: the checkout is what is tested")
@pytest.mark.parametrize("package", [numpy_impl, reference, rnncheck], ids=lambda p: p.__name__)
def test_the_installed_copy_is_tested(package):
    assert inside(package, sys.prefix)


def test_a_copy_elsewhere_is_seen(tmp_path):
    assert not inside(rnncheck, tmp_path)


@pytest.mark.parametrize("name", ["README.md", "names.txt", "tale.txt", "comments.csv", "vectors/v1/manifest.json"])
def test_the_data_is_shipped(name):
    assert (data_folder() / name).is_file()
