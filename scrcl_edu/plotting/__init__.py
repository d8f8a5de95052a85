"""The course's figures: readable without color vision, and with a text for those who do not see them.

Groups differ by color and by marker, and carry their names where there is room.
"""

from scrcl_edu.plotting.drawing import confusion, embedding, losses, show, spatial, umap
from scrcl_edu.plotting.styles import MARKERS, PALETTE, cluster_styles, group_style, type_colors, type_styles

__all__ = [
    "MARKERS",
    "PALETTE",
    "cluster_styles",
    "confusion",
    "embedding",
    "group_style",
    "losses",
    "show",
    "spatial",
    "type_colors",
    "type_styles",
    "umap",
]
