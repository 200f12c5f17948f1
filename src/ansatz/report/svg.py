"""Vector graphics made safe to stand inside a page.

A picture that is inlined shares the page's identifiers and could run its scripts. Only elements
that draw are let through, without namespaces (HTML needs none), every identifier gets a prefix of
its own, and references may point inside the picture, or be the bytes of an image.
"""

import re
from xml.etree import ElementTree

_DRAWING = frozenset(
    {"svg", "g", "defs", "symbol", "use", "path", "rect", "circle", "ellipse", "line", "polyline"}
    | {"polygon", "text", "tspan", "image", "title", "desc", "clipPath", "mask", "marker"}
    | {"pattern", "linearGradient", "radialGradient", "stop"}
)
_INSIDE = re.compile(r"url\(\s*['\"]?#([^)'\"\s]+)['\"]?\s*\)")
_OUTSIDE = re.compile(r"url\(\s*['\"]?(?!#)|expression\(|@import|javascript:|\\", re.IGNORECASE)
_PIXELS = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")


def inline(svg: str, prefix: str, label: str) -> tuple[str, float]:
    """Clean a picture for inlining.

    Args:
        svg: SVG text.
        prefix: Of all identifiers, unique on the page.
        label: What the picture shows, for readers who do not see it.

    Returns:
        The `<svg>` element as HTML, at most as wide as its `viewBox` says in pixels, and that
        width.

    Raises:
        ValueError: If the text is no SVG, declares entities or has no `viewBox`.
    """
    if "<!ENTITY" in svg:
        raise ValueError("the SVG declares entities; a figure has no need of them, remove them")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"the figure is no well-formed SVG: {error}") from error
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    if _name(root.tag) != "svg" or len(box) != 4:
        raise ValueError(f"the figure is a <{_name(root.tag)}>; expected an <svg> with a viewBox")
    clean = _cleaned(root, prefix)
    clean.attrib.pop("height", None)  # the page scales the width and keeps the aspect
    clean.attrib |= {"width": box[2], "role": "img", "aria-label": label}
    html = ElementTree.tostring(clean, encoding="unicode", short_empty_elements=False)
    return html, float(box[2])


def _cleaned(element: ElementTree.Element, prefix: str) -> ElementTree.Element:
    """A copy of an element that draws, with the children that draw."""
    copy = ElementTree.Element(_name(element.tag), _attributes(element, prefix))
    copy.text, copy.tail = element.text, element.tail
    for child in element:
        if isinstance(child.tag, str) and _name(child.tag) in _DRAWING:
            copy.append(_cleaned(child, prefix))
    return copy


def _attributes(element: ElementTree.Element, prefix: str) -> dict[str, str]:
    """The attributes that neither act nor load, with their identifiers prefixed."""
    kept = {}
    for key, value in element.attrib.items():
        name = _name(key)
        if name.lower().startswith("on") or _OUTSIDE.search(value):
            continue
        if name == "id":
            kept[name] = prefix + value
        elif name == "href":
            if value.startswith("#"):
                kept[name] = f"#{prefix}{value[1:]}"
            elif _PIXELS.fullmatch(value):
                kept[name] = value
        elif name not in ("space", "base"):
            kept[name] = _INSIDE.sub(rf"url(#{prefix}\1)", value)
    return kept


def _name(tag: str) -> str:
    """A tag or attribute without its namespace."""
    return tag.rpartition("}")[2]
