"""Drawings made by code: the map of the method, and the ideas of single lessons, as SVG."""
