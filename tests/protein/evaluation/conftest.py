"""Where the data is that may not be committed; tests of it are skipped without."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[4] / "shared/data/protein"


@pytest.fixture
def shared():
    if not SHARED.exists():
        pytest.skip("the shared protein data is not here")
    return SHARED
