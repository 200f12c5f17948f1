import math
from dataclasses import replace

import pytest

from ansatz import verbs
from ansatz.core import catalog
from ansatz.core.options import BenchOptions, CheckOptions, choose
from ansatz.engine.cases import first_question, reference, require_inputs, stored_cases

NAME = "trigonometry/sine"


@pytest.fixture
def sines(sine):
    return catalog.find(NAME)


def test_stored_cases_bring_truth_and_baselines(sine, sines):
    model = verbs.load(NAME, {"checkpoint": sine})
    store = verbs.ready_store(sines, None)
    cases = list(stored_cases(sines, store, "test", model))
    assert len(cases) == 12
    for case in cases:
        assert case.truth == pytest.approx(math.sin(case.request.angle), abs=1e-12)
        assert case.others["straight line"].value == case.request.angle
        assert case.answer.value == model(case.request).value
    assert first_question(sines, store) == cases[0].request


def test_stored_questions_are_asked_in_the_manner_that_is_wanted(sine, sines):
    free = replace(sines, manner=("amplitude",))
    store = verbs.ready_store(sines, None)
    asked = choose("check", free, CheckOptions(), {"amplitude": "2"})
    require_inputs(asked)
    model = verbs.load(NAME, {"checkpoint": sine})
    cases = list(stored_cases(free, store, "test", model, asked.question))
    assert {case.request.amplitude for case in cases} == {2.0}
    assert first_question(free, store, asked.question) == cases[0].request


def test_a_split_without_cases_is_refused(sine, sines):
    def no_cases(store, split):
        return iter(())

    data = replace(sines.data)
    object.__setattr__(data, "cases", no_cases)
    empty = replace(sines, data=data)
    with pytest.raises(LookupError, match="no validation cases"):
        list(stored_cases(empty, sine, "validation", None))
    with pytest.raises(LookupError, match="give an input"):
        first_question(empty, sine)


def test_a_solver_has_a_nearest_name(sines):
    assert reference(sines, None)("anything") == ("anything", None)
    with pytest.raises(LookupError, match="did you mean 'exact'"):
        reference(sines, "exakt")


@pytest.mark.parametrize(
    ("verb", "own", "words"),
    [
        ("check", CheckOptions(), {"amplitude": "2"}),
        ("check", CheckOptions(), {"with": "exact"}),
        ("bench", BenchOptions(), {"amplitude": "2"}),
    ],
)
def test_options_about_an_input_need_one(sines, verb, own, words):
    with pytest.raises(ValueError, match="about an input, and none is given"):
        require_inputs(choose(verb, sines, own, words))
