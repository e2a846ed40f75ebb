"""A data set of runs that a stranger can recompute: one Parquet file a run, its raw readings beside it.

    DIR/schema=2/chip=Apple-M4-Pro-16/boundary=cpu-gpu-ane/RUN.parquet    a row per configuration
    DIR/schema=2/chip=Apple-M4-Pro-16/boundary=cpu-gpu-ane/RUN/           the run folder that it is made from

Folders keep apart what must never stand in one column of joules: versions of the table, chips, boundaries.
"""
