"""Work asks whether anybody waits for it, and ends if nobody does."""

import threading

import pytest

from ansatz.engine.interruption import UnwantedError, require_wanted, while_wanted


def test_work_that_nobody_can_give_up_goes_on():
    require_wanted()


def test_work_ends_when_it_is_no_longer_wanted_and_only_inside_of_its_block():
    answers = iter([True, True, False])
    with while_wanted(lambda: next(answers)):
        require_wanted()
        require_wanted()
        with pytest.raises(UnwantedError, match="nobody waits"):
            require_wanted()
    require_wanted()


def test_work_in_another_thread_is_not_meant():
    errors = []

    def work():
        try:
            require_wanted()
        except UnwantedError as error:
            errors.append(error)

    with while_wanted(lambda: False):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert not errors
