"""Trajectories of many collective spins on a periodic lattice, one trajectory at a time, its sites side by side.

    H = sum over bonds of sum_a (J_a/2S) S_n^a S_m^a,   (Gamma/2S) D[S_n^-] on every site (doubled D), Wigner distribution

A site's spin precesses about B_n = (1/2S) (J_x X_n, J_y Y_n, J_z Z_n) with X_n, Y_n, Z_n the sums of s^x, s^y, s^z over its
neighbours: Eqs. (34)-(37) with -i/4 in place of -i/2 and beta_n in the last term of (37). Lattices: a ring, and a square
torus, row by row; a ring of two has its bond twice. A step of length h is a Strang splitting, precession h/2, decay h,
precession h/2. A precession turns every spin about the field at the middle of the step (found by turning for half of
it first), so that it keeps every length. Decay and its noise are those of `solvers.engines.phase_space.single`, each site
with numbers of its own, address (key; trajectory, step, site). With `refined` = 1 the step is half the nominal one and its noise the
nominal step's cut in two, by a bridge with addresses of its own (key; trajectory, step, BRIDGE + site): the same paths.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solvers.engines.phase_space.sampling import draw_spin
from solvers.engines.phase_space.single import sine_cosine
from solvers.numerics.compile import FASTMATH, entry, kernel
from solvers.numerics.normal_lanes import box_muller
from solvers.numerics.random import words

MOST_SITES = 65_535
"""What the addresses of random numbers leave room for."""
BRIDGE = 1 << 17
"""Where the addresses of the bridges begin, beyond all sites."""
WHOLE, BRIDGES, CUT = range(3)
"""The normals of a nominal step, the bridges, and the normals of half a step."""
AVERAGES = 9
"""Site averages of |alpha|^2, |alpha|^4, s_x^2, s_y^2, s_x s_y, s_z, s_z^2, N - 2S, (N - 2S)^2."""
MOMENTS = 11
"""Site averages of s (3), the second moments xx xy xz yy yz zz, N - 2S, (N - 2S)^2."""

POSITIVE, CONSERVING, CLASSICAL = range(3)


class Lattice(NamedTuple):
    """One point, as numbers."""

    width: int
    height: int  # 1 for a ring
    S: float
    x: float  # J_x/2S
    y: float
    z: float
    decay: float  # Gamma/2S
    noise: int  # POSITIVE, CONSERVING or CLASSICAL (none, and no constants of the ordering)
    kind: int  # of the start
    theta: float
    phi: float
    correction: float  # of the diagonal second moments
    step: float  # the nominal one
    refined: int = 0


class Sites(NamedTuple):
    """alpha and beta of all sites, (sites,) each."""

    ar: np.ndarray
    ai: np.ndarray
    br: np.ndarray
    bi: np.ndarray


@kernel(fastmath=FASTMATH)
def make_sites(n):
    return Sites(np.empty(n), np.empty(n), np.empty(n), np.empty(n))


@kernel(fastmath=FASTMATH)
def add_neighbours(s, width, height, out):
    """out = sum of s over the neighbours of each site."""
    for row in range(height):
        first = row * width
        line, result = s[first : first + width], out[first : first + width]
        if width == 1:
            result[0] = 0.0
            continue
        result[0] = line[1] + line[width - 1]
        result[width - 1] = line[0] + line[width - 2]
        for i in range(width - 2):
            result[i + 1] = line[i] + line[i + 2]
        if height > 1:
            above, below = (row + height - 1) % height * width, (row + 1) % height * width
            up, down = s[above : above + width], s[below : below + width]
            for i in range(width):
                result[i] += up[i] + down[i]


@kernel(fastmath=FASTMATH)
def fields(p, sites, spins, B):
    """B (3, sites) at the spins of `sites`; `spins` (3, sites) is scratch."""
    x, y, z = spins[0], spins[1], spins[2]
    for n in range(sites.ar.size):
        ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
        x[n] = p.x * (ar * br + ai * bi)
        y[n] = p.y * (ar * bi - ai * br)
        z[n] = p.z * 0.5 * (ar * ar + ai * ai - br * br - bi * bi)
    for a in range(3):
        add_neighbours(spins[a], p.width, p.height, B[a])


@kernel(fastmath=FASTMATH)
def turn(source, B, h, target):
    """target = exp(-i h B.sigma/2) source, site by site."""
    x, y, z = B[0], B[1], B[2]
    for n in range(source.ar.size):
        size = math.sqrt(x[n] * x[n] + y[n] * y[n] + z[n] * z[n])
        s, c = sine_cosine(0.5 * h * size)
        s = s / max(size, 1e-300)
        bx, by, bz = s * x[n], s * y[n], s * z[n]
        ar, ai, br, bi = source.ar[n], source.ai[n], source.br[n], source.bi[n]
        target.ar[n] = c * ar + bz * ai + bx * bi - by * br
        target.ai[n] = c * ai - bz * ar - bx * br - by * bi
        target.br[n] = c * br - bz * bi + bx * ai + by * ar
        target.bi[n] = c * bi + bz * br - bx * ar + by * ai


@kernel(fastmath=FASTMATH)
def precess(p, sites, middle, spins, B, h):
    """All spins about the field at the middle of the step."""
    fields(p, sites, spins, B)
    turn(sites, B, 0.5 * h, middle)
    fields(p, middle, spins, B)
    turn(sites, B, h, sites)


@kernel(fastmath=FASTMATH)
def site_normals(key, trajectory, step, first, out):
    """Fill out (4, sites) with the four normals at (trajectory, step, first + site)."""
    for n in range(out.shape[1]):
        w0, w1, w2, w3 = words(key, trajectory, step, first + n)
        out[0, n], out[1, n] = box_muller(w0, w1)
        out[2, n], out[3, n] = box_muller(w2, w3)


@kernel(fastmath=FASTMATH)
def decay_positive(p, sites, h, z):
    """Eqs. (22)-(23) with k = 0 by a Heun step."""
    root = math.sqrt(h)
    G, half = p.decay, 0.5 * p.decay
    for n in range(sites.ar.size):
        ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
        wa, va, wb, vb = root * z[0, n], root * z[1, n], root * z[2, n], root * z[3, n]
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        fa, fb = -G * (nb + 0.5), G * (na - 0.5)
        sa, sb = math.sqrt(half * (nb + 0.5)), math.sqrt(max(half * (na - 0.5), 0.0))
        car, cai = ar + h * fa * ar + sa * wa, ai + h * fa * ai + sa * va
        cbr, cbi = br + h * fb * br + sb * wb, bi + h * fb * bi + sb * vb
        na, nb = car * car + cai * cai, cbr * cbr + cbi * cbi
        ga, gb = -G * (nb + 0.5), G * (na - 0.5)
        ta, tb = 0.5 * (sa + math.sqrt(half * (nb + 0.5))), 0.5 * (sb + math.sqrt(max(half * (na - 0.5), 0.0)))
        sites.ar[n] = ar + 0.5 * h * (fa * ar + ga * car) + ta * wa
        sites.ai[n] = ai + 0.5 * h * (fa * ai + ga * cai) + ta * va
        sites.br[n] = br + 0.5 * h * (fb * br + gb * cbr) + tb * wb
        sites.bi[n] = bi + 0.5 * h * (fb * bi + gb * cbi) + tb * vb


@kernel(fastmath=FASTMATH)
def shrink_factors(p, sites, h, out):
    """exp(-G N h) of every site."""
    for n in range(out.size):
        N = sites.ar[n] ** 2 + sites.ai[n] ** 2 + sites.br[n] ** 2 + sites.bi[n] ** 2
        out[n] = math.exp(-p.decay * N * h)


@kernel(fastmath=FASTMATH)
def decay_classical(sites, q):
    """Classical decay in closed form."""
    for n in range(q.size):
        ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        ratio = math.sqrt((na + nb) / max(na * q[n] * q[n] + nb, 1e-300))
        sites.ar[n] = ar * q[n] * ratio
        sites.ai[n] = ai * q[n] * ratio
        sites.br[n] = br * ratio
        sites.bi[n] = bi * ratio


@kernel(fastmath=FASTMATH)
def turn_at_random(p, sites, h, first, second):
    """exp [[0, z], [-z*, 0]], z = sqrt(G/2) (dW1 + i dW2), site by site."""
    scale = math.sqrt(0.5 * p.decay * h)
    for n in range(sites.ar.size):
        zr, zi = scale * first[n], scale * second[n]
        angle = math.sqrt(zr * zr + zi * zi)
        s, c = sine_cosine(angle)
        s = s / max(angle, 1e-300)
        zr, zi = s * zr, s * zi
        ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
        sites.ar[n] = c * ar + zr * br - zi * bi
        sites.ai[n] = c * ai + zr * bi + zi * br
        sites.br[n] = c * br - zr * ar - zi * ai
        sites.bi[n] = c * bi - zr * ai + zi * ar


@kernel(fastmath=FASTMATH)
def draw_noise(p, key, trajectory, step, noise, anew):
    """The normals that a step of the grid needs, into noise (3, 4, sites); a block of numbers is one nominal step of the
    positive noise and two of the conserving (`anew`: draw it in any case)."""
    if p.decay == 0.0 or p.noise == CLASSICAL:
        return
    shift = p.refined + (0 if p.noise == POSITIVE else 1)
    if anew or (step & ((1 << shift) - 1)) == 0:
        site_normals(key, trajectory, step >> shift, 0, noise[WHOLE])
        if p.refined:
            site_normals(key, trajectory, step >> shift, BRIDGE, noise[BRIDGES])
    if p.refined:
        half = 1.0 if (step & 1) == 0 else -1.0
        for i in range(4):
            for n in range(noise.shape[2]):
                noise[CUT, i, n] = (noise[WHOLE, i, n] + half * noise[BRIDGES, i, n]) * 0.7071067811865476


@kernel(fastmath=FASTMATH)
def advance(p, sites, middle, spins, B, noise, q, step, h):
    """One step of length h with the noise drawn for it; q from `shrink_factors` for h/2."""
    z = noise[CUT if p.refined else WHOLE]
    coupled = p.x != 0.0 or p.y != 0.0 or p.z != 0.0
    if coupled:
        precess(p, sites, middle, spins, B, 0.5 * h)
    if p.decay > 0.0:
        if p.noise == POSITIVE:
            decay_positive(p, sites, h, z)
        else:
            decay_classical(sites, q)
            if p.noise == CONSERVING:
                at = 2 * ((step >> p.refined) & 1)
                turn_at_random(p, sites, h, z[at], z[at + 1])
            decay_classical(sites, q)
    if coupled:
        precess(p, sites, middle, spins, B, 0.5 * h)


@kernel
def draw_starts(p, key, trajectory, sites):
    for n in range(sites.ar.size):
        alpha, beta = draw_spin(key, trajectory, n, p.kind, p.S, p.theta, p.phi)
        sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n] = alpha.real, alpha.imag, beta.real, beta.imag


@kernel(fastmath=FASTMATH)
def measure_moments(p, sites, out):
    """MOMENTS site averages of one trajectory."""
    out[:] = 0.0
    n_sites = sites.ar.size
    for n in range(n_sites):
        ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
        na, nb = ar * ar + ai * ai, br * br + bi * bi
        x, y, z = ar * br + ai * bi, ar * bi - ai * br, 0.5 * (na - nb)
        extra = na + nb - 2.0 * p.S
        out[0] += x
        out[1] += y
        out[2] += z
        out[3] += x * x
        out[4] += x * y
        out[5] += x * z
        out[6] += y * y
        out[7] += y * z
        out[8] += z * z
        out[9] += extra
        out[10] += extra * extra
    for i in range(MOMENTS):
        out[i] /= n_sites
    out[3] += p.correction
    out[6] += p.correction
    out[8] += p.correction


@entry(fastmath=FASTMATH)
def follow_lattice(p, key, trajectory, times, out):
    """One trajectory: MOMENTS at `times` into out (T, MOMENTS)."""
    size = p.width * p.height
    sites, other, middle = make_sites(size), make_sites(size), make_sites(size)
    spins, B, noise = np.empty((3, size)), np.empty((3, size)), np.zeros((3, 4, size))
    q, partial = np.empty(size), np.empty(size)
    draw_starts(p, key, trajectory, sites)
    h = p.step / (1 << p.refined)
    shrink_factors(p, sites, 0.5 * h, q)
    row, step = 0, 0
    while row < times.size:
        here = step * h
        fresh = False
        while row < times.size and times[row] <= here + 1e-9 * h:
            measure_moments(p, sites, out[row])
            row += 1
        while row < times.size and times[row] < here + (1.0 - 1e-9) * h:
            if not fresh:
                draw_noise(p, key, trajectory, step, noise, False)
                fresh = True
            for n in range(size):
                other.ar[n], other.ai[n], other.br[n], other.bi[n] = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
            shrink_factors(p, other, 0.5 * (times[row] - here), partial)
            advance(p, other, middle, spins, B, noise, partial, step, times[row] - here)
            measure_moments(p, other, out[row])
            row += 1
        if row == times.size:
            break
        if not fresh:
            draw_noise(p, key, trajectory, step, noise, False)
        advance(p, sites, middle, spins, B, noise, q, step, h)
        step += 1


@entry
def start_lattice(p, key, trajectory, sites):
    """The start of a trajectory, into `sites`."""
    draw_starts(p, key, trajectory, sites)


@entry(fastmath=FASTMATH)
def go_on(p, key, trajectory, sites, first_step, steps, every, totals, lowered):
    """`steps` steps of the grid more; after every `every` of them AVERAGES are added to totals (AVERAGES,) and alpha beta* of all sites put into a row of `lowered`.

    `every` = 0: nothing is measured. Returns the number of rows.
    """
    size = p.width * p.height
    middle = make_sites(size)
    spins, B, noise, q = np.empty((3, size)), np.empty((3, size)), np.zeros((3, 4, size)), np.empty(size)
    h = p.step / (1 << p.refined)
    shrink_factors(p, sites, 0.5 * h, q)
    rows = 0
    for step in range(first_step, first_step + steps):
        draw_noise(p, key, trajectory, step, noise, step == first_step)
        advance(p, sites, middle, spins, B, noise, q, step, h)
        if every > 0 and (step + 1 - first_step) % every == 0:
            for n in range(size):
                ar, ai, br, bi = sites.ar[n], sites.ai[n], sites.br[n], sites.bi[n]
                na, nb = ar * ar + ai * ai, br * br + bi * bi
                x, y, sz = ar * br + ai * bi, ar * bi - ai * br, 0.5 * (na - nb)
                extra = na + nb - 2.0 * p.S
                lowered[rows, n] = complex(x, -y)
                totals[0] += na
                totals[1] += na * na
                totals[2] += x * x
                totals[3] += y * y
                totals[4] += x * y
                totals[5] += sz
                totals[6] += sz * sz
                totals[7] += extra
                totals[8] += extra * extra
            rows += 1
    return rows
