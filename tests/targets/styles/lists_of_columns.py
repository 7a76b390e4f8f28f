import random
from math import exp, log, tanh

def make_matrix(rows, cols, scale=0.1):
    return [[random.gauss(0, scale) for _ in range(cols)] for _ in range(rows)]

def zeros_matrix(rows, cols):
    return [[0.0 for _ in range(cols)] for _ in range(rows)]

def matmul(A, B):
    return [[sum(A[i][k] * B[k][j] for k in range(len(B))) for j in range(len(B[0]))] for i in range(len(A))]

def add(A, B):
    return [[a + b for a, b in zip(r, s)] for r, s in zip(A, B)]

def transpose(A):
    return [list(row) for row in zip(*A)]

def column(v):
    return [[a] for a in v]

class ElmanNetwork:
    """No libraries at all: a matrix is a list of rows, a vector a matrix of one column."""
    def __init__(self, num_inputs, num_hidden, num_outputs):
        self.W = make_matrix(num_hidden, num_inputs)
        self.U = make_matrix(num_hidden, num_hidden)
        self.V = make_matrix(num_outputs, num_hidden)
        self.b = zeros_matrix(num_hidden, 1)
        self.c = zeros_matrix(num_outputs, 1)

    def forward(self, inputs):
        self.inputs = inputs
        self.hidden = [zeros_matrix(len(self.U), 1)]
        self.outputs = []
        for x in inputs:
            a = add(add(matmul(self.W, x), matmul(self.U, self.hidden[-1])), self.b)
            self.hidden.append([[tanh(r[0])] for r in a])
            z = add(matmul(self.V, self.hidden[-1]), self.c)
            e = [exp(r[0]) for r in z]
            self.outputs.append([[v / sum(e)] for v in e])
        return self.outputs

    def backward(self, targets):
        self.dW = zeros_matrix(len(self.W), len(self.W[0]))
        self.dU = zeros_matrix(len(self.U), len(self.U))
        self.dV = zeros_matrix(len(self.V), len(self.V[0]))
        self.db = zeros_matrix(len(self.b), 1)
        self.dc = zeros_matrix(len(self.c), 1)
        later = zeros_matrix(len(self.U), 1)
        for t in range(len(targets) - 1, -1, -1):
            d = [[p[0] - (1 if k == targets[t] else 0)] for k, p in enumerate(self.outputs[t])]
            h = self.hidden[t + 1]
            self.dV = add(self.dV, matmul(d, transpose(h)))
            self.dc = add(self.dc, d)
            g = add(matmul(transpose(self.V), d), later)
            g = [[v[0] * (1 - s[0] ** 2)] for v, s in zip(g, h)]
            self.dW = add(self.dW, matmul(g, transpose(self.inputs[t])))
            self.dU = add(self.dU, matmul(g, transpose(self.hidden[t])))
            self.db = add(self.db, g)
            later = matmul(transpose(self.U), g)
