"""Adding bits: sigmoid states, sigmoid outputs, squared error; functions over weights of the module."""

import numpy as np

alpha = 0.1
input_dim, hidden_dim, output_dim = 2, 16, 1
synapse_0 = 2 * np.random.random((input_dim, hidden_dim)) - 1
synapse_1 = 2 * np.random.random((hidden_dim, output_dim)) - 1
synapse_h = 2 * np.random.random((hidden_dim, hidden_dim)) - 1


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slope(output):
    return output * (1 - output)


def forward(bits):
    layer_1, layer_2 = [np.zeros((1, hidden_dim))], []
    for x in bits:
        layer_1.append(sigmoid(x.reshape(1, -1).dot(synapse_0) + layer_1[-1].dot(synapse_h)))
        layer_2.append(sigmoid(layer_1[-1].dot(synapse_1)))
    return layer_1, layer_2


def backward(bits, y, layer_1, layer_2):
    update_0, update_1, update_h = np.zeros_like(synapse_0), np.zeros_like(synapse_1), np.zeros_like(synapse_h)
    future = np.zeros((1, hidden_dim))
    for t in reversed(range(len(bits))):
        delta_2 = (y[t].reshape(1, -1) - layer_2[t]) * slope(layer_2[t])
        delta_1 = (future.dot(synapse_h.T) + delta_2.dot(synapse_1.T)) * slope(layer_1[t + 1])
        update_1 += layer_1[t + 1].T.dot(delta_2)
        update_h += layer_1[t].T.dot(delta_1)
        update_0 += bits[t].reshape(-1, 1).dot(delta_1)
        future = delta_1
    return update_0, update_1, update_h


if __name__ == "__main__":
    for _ in range(10000):
        a, b = np.random.randint(0, 128, 2)
        x = np.array([[a >> i & 1, b >> i & 1] for i in range(8)])
        y = np.array([[(a + b) >> i & 1] for i in range(8)])
        changes = backward(x, y, *forward(x))
        synapse_0 += alpha * changes[0]
        synapse_1 += alpha * changes[1]
        synapse_h += alpha * changes[2]
