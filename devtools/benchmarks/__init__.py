"""Benchmarks of the job engine and comparable systems: ``make bench``.

``competitors`` has one folder per system: its set-up and the code of its workers. ``measures`` runs
the same measurements on all of them, in turn; ``targets`` runs those of the engine alone.
``reporting`` makes a table, a page and plots of the raw figures. Nothing imports this package.
"""
