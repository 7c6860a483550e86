"""Spins that lose and gain excitations in pairs through their common field.

    d rho/dt = -i [H, rho] + D[C] rho,   C = S_-^2 / N,   S_- = sum_n sigma_-^(n)
    H = (1/2) sum_n delta_n sigma_z^(n) + eta (e^{i phi} C + h.c.)

All rates are in units of that of D[C]. The number of excitations changes by twos, so that its parity is conserved and
the states of one parity are a problem of their own. A turn about z by an angle chi takes C into e^{2 i chi} C and
leaves all else as it is; every file here uses the frame in which the phase of the drive is -pi/2:

    -i H = eta (C^+ - C) - (i/2) sum_n delta_n sigma_z^(n)

There C is real, and so is the state that the dynamics favours: its spins point to the azimuth -(phi/2 + pi/4) of the
original frame and to azimuth 0 here.
"""
