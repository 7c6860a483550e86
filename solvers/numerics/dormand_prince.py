"""The explicit Runge-Kutta pair of Dormand and Prince, order 5 with an embedded order 4, seven stages, first same as last.

J. R. Dormand and P. J. Prince, "A family of embedded Runge-Kutta formulae", J. Comp. Appl. Math. 6, 19 (1980).
Dense output of order 4 and stiffness test: E. Hairer, S. P. Norsett and G. Wanner, "Solving Ordinary Differential
Equations I", 2nd ed. (1993), sections II.6 and IV.2 (volume II), as in their code DOPRI5.
"""

from __future__ import annotations

ORDER = 5

C = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
A = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""The last row holds the weights of order 5."""
E = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
"""Weights of order 5 minus those of order 4."""
D = (
    -12715105075 / 11282082432,
    0.0,
    87487479700 / 32700410799,
    -10690763975 / 1880347072,
    701980252875 / 199316789632,
    -1453857185 / 822651844,
    69997945 / 29380423,
)
"""The highest coefficient of the dense output."""
