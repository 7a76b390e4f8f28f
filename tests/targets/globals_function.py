# A character-level model in the manner of min-char-rnn, for Python 2: sizes from a file, parameters as globals, one
# function for loss and gradients, clipping inside it, and a training loop that never ends.
import numpy as np

data = open('input.txt', 'r').read()
letters = list(set(data))
data_size, vocab_size = len(data), len(letters)
print 'the text has %d letters, %d of them different' % (data_size, vocab_size)
letter_to_ix = dict((c, i) for i, c in enumerate(letters))
ix_to_letter = dict((i, c) for i, c in enumerate(letters))

hidden_size = 100
seq_length = 25
learning_rate = 1e-1

Wxh = np.random.randn(hidden_size, vocab_size) * 0.01
Whh = np.random.randn(hidden_size, hidden_size) * 0.01
Why = np.random.randn(vocab_size, hidden_size) * 0.01
bh = np.zeros((hidden_size, 1))
by = np.zeros((vocab_size, 1))

def lossAndGradients(inputs, targets, hprev):
  x, h, p = {}, {}, {}
  h[-1] = np.copy(hprev)
  loss = 0
  for t in xrange(len(inputs)):
    x[t] = np.zeros((vocab_size, 1))
    x[t][inputs[t]] = 1
    h[t] = np.tanh(np.dot(Wxh, x[t]) + np.dot(Whh, h[t-1]) + bh)
    y = np.dot(Why, h[t]) + by
    p[t] = np.exp(y) / np.sum(np.exp(y))
    loss += -np.log(p[t][targets[t], 0])
  dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
  dbh, dby = np.zeros_like(bh), np.zeros_like(by)
  dhnext = np.zeros_like(h[0])
  for t in reversed(xrange(len(inputs))):
    dy = np.copy(p[t])
    dy[targets[t]] -= 1
    dWhy += np.dot(dy, h[t].T)
    dby += dy
    dh = np.dot(Why.T, dy) + dhnext
    draw = (1 - h[t] * h[t]) * dh
    dbh += draw
    dWxh += np.dot(draw, x[t].T)
    dWhh += np.dot(draw, h[t-1].T)
    dhnext = np.dot(Whh.T, draw)
  for d in [dWxh, dWhh, dWhy, dbh, dby]:
    np.clip(d, -5, 5, out=d)
  return loss, dWxh, dWhh, dWhy, dbh, dby, h[len(inputs)-1]

step, start = 0, 0
mWxh, mWhh, mWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
mbh, mby = np.zeros_like(bh), np.zeros_like(by)
smooth = -np.log(1.0 / vocab_size) * seq_length
while True:
  if start + seq_length + 1 >= len(data) or step == 0:
    hprev = np.zeros((hidden_size, 1))
    start = 0
  inputs = [letter_to_ix[c] for c in data[start:start+seq_length]]
  targets = [letter_to_ix[c] for c in data[start+1:start+seq_length+1]]
  loss, dWxh, dWhh, dWhy, dbh, dby, hprev = lossAndGradients(inputs, targets, hprev)
  smooth = smooth * 0.999 + loss * 0.001
  if step % 100 == 0: print 'step %d, loss: %f' % (step, smooth)
  for w, d, m in zip([Wxh, Whh, Why, bh, by], [dWxh, dWhh, dWhy, dbh, dby], [mWxh, mWhh, mWhy, mbh, mby]):
    m += d * d
    w += -learning_rate * d / np.sqrt(m + 1e-8)
  start += seq_length
  step += 1
