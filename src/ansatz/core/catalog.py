"""The recipes that are installed, found by entry points of the group `ansatz.recipes`.

The name of an entry point is the recipe's, its object a function without arguments that returns it:

    [project.entry-points."ansatz.recipes"]
    "aero/cars" = "ansatz.aero.recipes:cars"

Listing names imports nothing, and another distribution adds a subject without a change here.
"""

from importlib.metadata import entry_points

from ansatz.core.errors import unknown
from ansatz.core.recipe import Recipe

GROUP = "ansatz.recipes"


def names() -> list[str]:
    """Names of all installed recipes."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def find(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        LookupError: If there is none; the message offers the nearest name.
        TypeError: If the entry point does not lead to a recipe.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        raise LookupError(f"{unknown('recipe', name, names())} See: ansatz list")
    recipe = points[0].load()()
    if not isinstance(recipe, Recipe):
        raise TypeError(f"{points[0].value} returned {type(recipe).__name__}, not a Recipe")
    return recipe
