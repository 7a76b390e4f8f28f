"""Bring your own RNN: load a file without running it, find the network in it, and call it the way it wants.

    source       text of a script or notebook, as syntax tree                   (python2)
    load         run imports, definitions, plain constants                      (plain, standins, usual, rewrite)
    survey       which classes and functions there are, and what they take      (words, roles, syntax)
    candidates   which of them to call, with which arguments                    (arguments, constants)
    ways         which arrays are which parameters                              (places, flat)
    search       try the conventions on a small problem, keep what fits         (conventions, trial, asked, refusal)
    trial        one way on that problem: what comes back, how much is right    (observe, recognise, inputs, outputs)
    adapter      the outcome, a few lines that a person can read and edit       (layout, describe)
    perform      call the file as the adapter says                              (shelf, read, upstream, named)

What `perform` needs knows no right answer, so that it can run apart from the judge; `entry` is the way in from there.
"""

from rnncheck.targets.adapter import Adapter

__all__ = ["Adapter"]
