"""Truncated-Wigner and related trajectories of collective spins (TWOQS): Schwinger modes alpha, beta, as classical noise.

J. Huber, P. Kirton and P. Rabl, SciPost Phys. 10, 045 (2021), with the corrections stated where they matter. A spin S is
two modes, S^+ = a^+ b, S_z = (a^+ a - b^+ b)/2, a^+ a + b^+ b = 2S; k = 1, 0, -1 is the P, Wigner, Q distribution. A
sample (alpha, beta) stands for the classical spin s_x - i s_y = alpha beta*, s_z = (|alpha|^2 - |beta|^2)/2.

Files: `sampling` (starts), `single` (steps of one spin, many trajectories side by side), `estimates` (means, errors,
squeezing), `lattice` (many spins, one trajectory at a time).
"""
