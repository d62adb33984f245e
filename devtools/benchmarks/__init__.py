"""The job engine beside its peers, measured: ``make bench``.

``contenders`` holds one folder per system: how it is set up, and what its workers run. ``measures``
puts the same questions to all of them, in turn; ``targets`` puts the engine's own. ``reporting``
turns the raw figures into a table, a page and plots. Nothing imports this package.
"""
