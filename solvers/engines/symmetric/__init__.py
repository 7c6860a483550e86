"""Spins that permutations leave alike: equal fields, couplings and rates between all pairs, and equal starts.

Mean field and second-order cumulants in a handful of moments, whatever N is, with the third order as their monitor; the
exact evolution in populations and coherences |S, M><S, M'|, summed over the multiplets of the same total spin S.
"""
