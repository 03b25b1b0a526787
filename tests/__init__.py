"""The tests. What several share, in support, explains its asserts as they themselves do."""

import pytest

pytest.register_assert_rewrite("tests.support")
