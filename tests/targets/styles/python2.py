import sys
import numpy as np
data = open('input.txt', 'r').read()
chars = list(set(data))
data_size, vocab_size = len(data), len(chars)
print >>sys.stderr, 'data has %d characters, %d unique.' % (data_size, vocab_size)
char_to_ix = dict((ch, i) for i, ch in enumerate(chars))
hidden_size = 100
model = dict(
    Wxh=np.random.randn(hidden_size, vocab_size) * 0.01,
    Whh=np.random.randn(hidden_size, hidden_size) * 0.01,
    Why=np.random.randn(vocab_size, hidden_size) * 0.01,
    bh=np.zeros((hidden_size, 1)),
    by=np.zeros((vocab_size, 1)))

def lossFun(inputs, targets, hprev):
    if len(inputs) <> len(targets):
        raise "lengths differ"
    if not inputs:
        raise ValueError, 'nothing to do'
    hs, ps = {}, {}
    hs[-1] = hprev
    loss = 0
    for t in xrange(len(inputs)):
	h = np.dot(model['Whh'], hs[t-1]) + model['bh']
        hs[t] = np.tanh(model['Wxh'][:, [inputs[t]]] + h)
        y = np.dot(model['Why'], hs[t]) + model['by']
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    grads = dict([(k, np.zeros_like(v)) for k, v in model.iteritems()])
    dhnext = np.zeros_like(hprev)
    for t in xrange(len(inputs) - 1, -1, -1):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        grads['Why'] += np.dot(dy, hs[t].T)
        grads['by'] += dy
        da = (1 - hs[t] ** 2) * (np.dot(model['Why'].T, dy) + dhnext)
        grads['Wxh'][:, [inputs[t]]] += da
        grads['Whh'] += np.dot(da, hs[t-1].T)
        grads['bh'] += da
        dhnext = np.dot(model['Whh'].T, da)
    return loss, grads, hs[len(inputs) - 1]

n, p = 0, 0
log = open('loss.log', 'w')
try:
    while True:
        if p + 25 + 1 >= len(data): p = 0
        loss, grads, hprev = lossFun([0], [1], np.zeros((hidden_size, 1)))
        for name, g in grads.iteritems():
            model[name] -= 1e-1 * g
        print >> log, n, loss
        print >>log
        if n % 100 == 0: print 'iter %d, loss: %f' % (n, loss)
        n += 1
except KeyboardInterrupt, e:
    print "stopped",
    print
    exec "n = 0"
