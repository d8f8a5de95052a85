"""Drawings of ideas, made by code as SVG: the same bytes each time, with a text for those who do not see them."""
