import pytest

from ansatz.core import catalog
from ansatz.core.options import CheckOptions, PredictOptions, TrainOptions, choose
from ansatz.core.places import fingerprint


@pytest.fixture(scope="module")
def cars():
    return catalog.find("aero/cars")


def test_question_recipe_and_verb_are_told_apart(cars):
    words = {"speed": "30", "precision": "bf16", "fidelity": "coarse", "with": "openfoam"}
    asked = choose("check", cars, CheckOptions(), words)
    assert asked.question == {"speed": 30.0}
    assert asked.recipe.predict.precision == "bf16"
    assert asked.recipe.data.fidelity == "coarse"
    assert asked.own == CheckOptions(with_="openfoam")
    assert asked.given == words
    assert asked.recipe.train is cars.train


def test_mistakes_in_question_and_recipe_come_in_one_message(cars):
    with pytest.raises(ValueError) as error:
        choose("predict", cars, PredictOptions(), {"sped": "30", "precision": "fp9"})
    unknown, range_error = str(error.value).splitlines()
    assert "did you mean 'speed'" in unknown
    assert range_error.startswith("precision=fp9: must be 'fp64', 'fp32', 'tf32', 'bf16', 'fp16', ")


def test_training_refuses_what_is_out_of_range(cars):
    with pytest.raises(ValueError) as error:
        choose("train", cars, TrainOptions(), {"train.steps": -1, "learning_rate": 0})
    assert len(str(error.value).splitlines()) == 2


def test_a_verb_takes_no_options_of_another(cars):
    with pytest.raises(ValueError, match="unknown option"):
        choose("predict", cars, PredictOptions(), {"train.steps": "3"})


def test_the_input_is_no_option(cars):
    with pytest.raises(ValueError, match="unknown option 'geometry'"):
        choose("predict", cars, PredictOptions(), {"geometry": "car.stl"})


def test_samples_lie_elsewhere_for_other_data_and_not_for_other_draws(cars):
    draws = choose("train", cars, TrainOptions(), {"data.draws.surface": 64}).recipe
    coarse = choose("train", cars, TrainOptions(), {"fidelity": "coarse"}).recipe
    assert fingerprint(draws.data) == fingerprint(cars.data)
    assert fingerprint(coarse.data) != fingerprint(cars.data)
