"""Basins: which starts, which rows of the data and which damaged rows end on which attractor.

traps = Trap(id, polished, certificate.attracting), the largest basin first; attribute(traps) tells
shares by proved balls; wide = widened(program, traps), once, for what is numerical or sampled
anyway: memory, restoration, boundary, slice_plane. A slice becomes a picture by view.picture.
"""
