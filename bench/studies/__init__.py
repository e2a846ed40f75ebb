"""Questions that take many windows: isolation, spectra, sweeps, cuts and claims."""
