"""Bring your own RNN: load a file without running it, find the network in it, and call it the way it wants.

    source      text of a script or notebook, as syntax tree       (python2: old syntax)
    load        run imports, definitions, plain constants          (plain, standins, rewrite)
    survey      which classes and functions there are, what their arguments and results are called  (roles)
    places      which arrays are which parameters
    search      try the conventions on a small problem, keep the one that fits  (conventions, trial, recognise)
    adapter     the outcome: a few lines that a person can read, edit and write   (layout, perform, saved)

Of these `layout`, `adapter`, `perform` and what `load` needs know no right answer, so they can run apart from the judge.
"""

from rnncheck.targets.adapter import Adapter

__all__ = ["Adapter"]
