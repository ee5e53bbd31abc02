"""Ways of choosing a bridge: what may be known of a pair before its words are asked, and what to make of it.

``evidence`` measures, ``ways`` scores the candidates in many ways behind one interface, ``combined`` learns from pairs
whose best bridge is known.
"""
