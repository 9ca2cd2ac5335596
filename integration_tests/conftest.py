"""The unit tests' tiny models serve here as well."""

from tests.conftest import *  # noqa: F403
