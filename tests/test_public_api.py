"""The public names: each there, each documented, and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tfeval as tf


@pytest.mark.parametrize("name", tf.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(tf, name)
    if name != "__version__":
        assert thing.__doc__
        assert name in dir(tf)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'chapter'"):
        _ = tf.chapter


def test_importing_tfeval_loads_nothing_heavy():
    code = "import sys, tfeval; print({'pandas', 'matplotlib', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_names_that_are_packages_too_can_be_called_once_these_are_loaded():
    asked = "import tfeval as tf; tf.comparison_groups(); assert callable(tf.cohort); tf.cohort()"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert "missing a required argument: 'records'" in ran.stderr
