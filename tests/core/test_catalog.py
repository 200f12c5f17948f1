import pytest

from ansatz.core import catalog
from ansatz.core.errors import require, unknown
from ansatz.core.recipe import Recipe


def test_the_cars_are_installed():
    assert "aero/cars" in catalog.names()
    assert isinstance(catalog.find("aero/cars"), Recipe)


def test_a_recipe_that_does_not_exist_has_a_nearest_name():
    with pytest.raises(LookupError, match="did you mean 'aero/cars'"):
        catalog.find("aero/car")


def test_an_entry_point_that_is_no_recipe_is_named(tmp_path, monkeypatch):
    about = tmp_path / "odd-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[ansatz.recipes]\nodd/one = builtins:dict\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TypeError, match="builtins:dict returned dict, not a Recipe"):
        catalog.find("odd/one")


def test_a_name_unlike_all_others_comes_with_the_list():
    assert unknown("verb", "xyzzy", ["b", "a"]) == "unknown verb 'xyzzy'; there are: a, b"
    assert unknown("solver", "x", []) == "unknown solver 'x'; there are: none"


def test_a_missing_package_says_how_to_install_it():
    with pytest.raises(ValueError, match=r"a server needs no_such_package.*ansatz-ai\[serve\]"):
        require("no_such_package.inner", "serve", "a server")


def test_a_package_that_fails_inside_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("half_installed", "serve", "a server")
