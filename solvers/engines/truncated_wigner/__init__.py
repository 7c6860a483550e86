"""Discrete truncated Wigner trajectories of spins 1/2 with dissipation, local and collective.

The idea is that of J. Huber, A. M. Rey and P. Rabl, Phys. Rev. A 105, 013716 (2022): mean-field trajectories from random
starts, with a stochastic process for decay that has the right first moments and keeps the length of every spin. The
process of that paper is not copied; this one is derived here. Pauli matrices, textbook rates, hbar = 1.

Starts. A spin along n is s = n +- e_1 +- e_2, both signs at random, e_1 and e_2 perpendicular: E[s_a] = <sigma_a> and
E[s_a s_b] = <{sigma_a, sigma_b}>/2 = delta_ab, exactly. |s|^2 = 3. Between jumps s turns about its mean field,
ds_i/dt = 2 (h_i + sum_j J_ij s_j) x s_i, which is exact for what is linear: fields; and couplings of one axis alone, for
first moments.

Local channels, rates gamma_-, gamma_+, gamma_z of D[sigma_-], D[sigma_+], D[sigma_z]:

    at rate gamma_-: s -> (x', y', -1);  at gamma_+: s -> (x', y', +1);  x', y' = +-1 at random with E[x'] = s_x/2, E[y'] = s_y/2
    at rate gamma_z: s -> (-s_x, -s_y, s_z)

* First moments: E ds_z = -gamma_- (1 + s_z) dt, E ds_x = gamma_- (s_x/2 - s_x) dt = -(gamma_-/2) s_x dt, and -2 gamma_z s_x dt:
  the equations of <sigma>, linear, so exact at any state. They are so for each spin independently, hence for products too.
* Length: |s'|^2 = 3 after every jump, and turns keep it: |s_i| = sqrt 3 on every trajectory, to rounding.
* On-site second moments: E d(s_z^2) = gamma_- (1 - s_z^2) dt, E d(s_x^2) = gamma_- (1 - s_x^2) dt, E d(s_x s_y) = -(3/4) gamma_- s_x s_y dt:
  they stay at delta_ab. Only E d(s_x s_z) = -gamma_- (s_x/2 + s_x s_z) dt does not: where <sigma_x> is not 0, half of the noise
  D_xz = gamma_- <sigma_x> is missing. No process on the sphere has all of it: E[s_x s_z] = 0 = E[s_x; s_z = 1] - E[s_x; s_z = -1] would
  ask for E[s_x; s_z = 1] = <sigma_x>/2 ~ exp(-gamma_- t/2), of a part that has only the weight exp(-gamma_- t), so for |s_x| without
  bound; and the noise that is linear in s and right in all second moments, (s_x, s_y, 1 + s_z) sqrt(gamma_-) dW, is indeed geometric
  Brownian motion with E[s_x^4] ~ exp(4 gamma_- t), of no use. Half is the most that a process on the points (+-1, +-1, +-1) can have
  with first moments exact in every state: from s_z = 1 the rate to -1 must be gamma_-, and E[dx'] lies between 0 and -gamma_-/2 s_x
  in these jumps, since elsewhere s_x = +-1 can only shrink. Gaussian noise on the sphere with E[s_z^2] right misses four times as much.
* s_z of a spin without fields is the telegraph process of its populations. So first moments under Ising couplings with all
  local channels are exact: the coherence of a spin is the mean over the others' telegraphs in the exact solution too (M. Foss-Feig,
  K. R. A. Hazzard, J. J. Bollinger and A. M. Rey, Phys. Rev. A 87, 042101 (2013)).

Over a time h without turns any number of jumps is one: with probability 1 - exp(-(gamma_- + gamma_+) h) the spin ends at
s_z = -+1, by the last jump's channel, with E[x'] = s_x exp(-(gamma_- + gamma_+) h/2)/(1 + exp(-(gamma_- + gamma_+) h/2)); exact for any h.

Correlated decay, sum_ij G_ij (sigma_-^i rho sigma_+^j - {sigma_+^j sigma_-^i, rho}/2) with a positive R = G - lambda 1, lambda its
smallest eigenvalue, which is left to local jumps. A bath in vacuum, symmetrically ordered, is the field of its noise and of
what the spins emit: turns about (-v_y, v_x, 0), v_i = (1/2) sum_j R_ij (s_x, s_y)_j, with noise v dt -> d eta_i, real,
E[d eta_i^a d eta_j^b] = R_ij delta_ab dt (Stratonovich). Between different spins both are exact to the order of the
approximation: E d(s_z^i) = -(1/2) sum_j R_ij (s_x^i s_x^j + s_y^i s_y^j), D_zz^ij = R_ij (s_x^i s_x^j + s_y^i s_y^j) and so on. On site they
are right where E[s_a s_b] = delta_ab holds, that is, up to a part 1/N of the collective effects. Turns keep all lengths.
For all spins alike, R_ij = Gamma, this is the `conserving` variant of `solvers.engines.phase_space` with random lengths.

Files: `channels` (starts and local jumps), `spins` (steps of a lattice), `sample` (averages), `emitters` (one collective
channel and local jumps, without couplings: only the total spin is followed between jumps).
"""
