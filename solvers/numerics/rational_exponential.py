"""The exponential of a matrix as a sum over shifted inverses, for linear problems of any stiffness.

    exp(A) v = c_0 v + 2 Re sum_k c_k (A - theta_k)^-1 v
    int_0^1 exp(s A) v ds = -2 Re sum_k (c_k/theta_k) (theta_k - A)^-1 v

Chebyshev rational approximation of order 16 on (-inf, 0], error 2.1e-16 there (poles: M. Pusa, Nucl. Sci. Eng. 182,
297 (2016), in the incomplete partial fractions; the partial fractions below were made from them with 40 digits). Away
from the negative axis the error grows: 3e-13 on the disc that touches 0 and -2, 8e-11 for 0 and -6. A cascade of decays
is far from normal, so that one step over many lifetimes of it can lose every digit without leaving anything negative.
What grows in the same places is the Chebyshev rational function of these poles (1 on the axis, the most that simple
poles allow off it). Times 2e-16 its action is

    E = 2 Re sum_k e_k (A - theta_k)^-1 v

and costs no further inverse. Measured on death, equal-rate and superradiant cascades of 4 to 500 levels: where the sum of
abs(E) is below 4e-15 (for a v whose entries sum to 1), the sum of abs errors is below 1e-12.
"""

from __future__ import annotations

import numpy as np

CONSTANT = 2.124853710495224e-16
POLES = np.array(
    [
        3.509103608414918 + 8.436198985884374j,
        5.948152268951177 + 3.587457362018322j,
        -5.264971343442647 + 16.22022147316793j,
        1.419375897185666 + 10.92536348449672j,
        6.416177699099435 + 1.194122393370139j,
        4.993174737717997 + 5.996881713603942j,
        -1.413928462488886 + 13.49772569889275j,
        -10.84391707869699 + 19.27744616718165j,
    ]
)
"""theta_k, one of each conjugate pair."""
RESIDUES = np.array(
    [
        15.059585270023482 - 5.75140527764219435j,
        113.397751784839411 + 101.947217042158612j,
        0.000211517421824660551 + 0.00438929696473806836j,
        -1.47930071135580194 + 1.76865883237829603j,
        -64.5008780255397245 - 224.594407626521012j,
        -62.5183924632079594 - 11.1903910942832355j,
        0.0410231368354104799 - 0.157434661734554013j,
        -5.09015218652292367e-7 - 0.0000242200176528522863j,
    ]
)
"""c_k."""
INTEGRAL_RESIDUES = RESIDUES / POLES
"""c_k/theta_k: int_0^1 exp(s A) v ds = 2 Re sum_k (c_k/theta_k) (A - theta_k)^-1 v."""
ESTIMATE_RESIDUES = np.array(
    [
        2.3675270879855509e-8 + 1.2393720805234068e-9j,
        -6.0225414563320988e-8 - 3.1158858771535875e-8j,
        2.0843300015764354e-10 + 4.128903052676869e-10j,
        -1.4652797193127819e-9 - 9.3105809128709497e-9j,
        5.2146976372054333e-8 - 6.4023918269308707e-8j,
        -1.1878152775182636e-8 + 4.3536593133375347e-8j,
        -2.4947806498245429e-9 + 8.8593582692650359e-10j,
        3.328364442294358e-11 - 1.5654882386450019e-11j,
    ]
)
"""e_k, from B(w) = prod_k (w - w_k)/(1 - conj(w_k) w), w = (1 - sqrt z)/(1 + sqrt z): E(z) = 2.1e-16 (B + 1/B)/2."""
ESTIMATE_LIMIT = 4e-15
"""Sum of abs(E), per unit of the sum of v, up to which a step is good to 1e-12."""
