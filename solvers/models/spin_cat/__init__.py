"""Spin-cat ensembles: Mok, Kwek and Touzard, "Stability of macroscopic spin ensembles against inhomogeneous dephasing".

Unit of all rates: Gamma2 = 1. Bare equation numbers in these files are the paper's.
"""
