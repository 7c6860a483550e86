"""Equations of motion for one- and two-spin moments: mean field and second-order cumulants, for any spin system.

Arrays are stored axis by axis: index a N + i for axis a of site i, so that loops over sites are contiguous. The
coefficients are those of the exact, open hierarchy; see `equations`.
"""
