"""rnncheck judges recurrent networks: every output, loss and gradient against an autograd oracle."""

__version__ = "0.1.0"
