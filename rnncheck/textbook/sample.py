"""Sampling, one token at a time: state -> logits -> temperature -> top-k -> top-p -> token -> next input.

Top-k: A. Fan, M. Lewis, Y. Dauphin, 2018; top-p: A. Holtzman et al., 2020. Arrays of one step: token (B,), p (B, V).
"""

import numpy as np

from rnncheck.case import SampleCase
from rnncheck.textbook.loss import Array
from rnncheck.textbook.rnn import NO_TOKEN, RNNSteps

__all__ = ["SampleSteps"]


class SampleSteps(RNNSteps):
    """Draw the tokens of a SampleCase, `self.draws`, with the forward steps of the RNN."""

    draws: SampleCase

    def run_sample(self, case: SampleCase) -> dict[str, Array]:
        """Return the tokens and the probabilities that they were drawn from."""
        self.draws = case
        self.use(case.params, case.nonlinearity)
        h, token = self.first_state(case.h0, len(case.first)), case.first
        running = np.ones(len(token), bool)
        p_all, tokens = [], []
        for t in range(len(case.uniforms)):
            h = np.where(running[:, None], self.next_state(h, token), h)
            logits = self.readout(h)
            p = self.distribution(logits)
            token = np.where(running, self.choose(logits, p, t), NO_TOKEN)
            p_all.append(np.where(running[:, None], p, 0))
            tokens.append(token)
            running = self.still_running(running, token)
            h, token = self.feed_back(h, token)
        return {"p": np.stack(p_all), "tokens": np.stack(tokens).astype(np.int64)}

    def next_state(self, h: Array, token: Array) -> Array:
        """Return the state after reading `token`."""
        return self.activate(self.input_term(token) + self.recurrent_term(h) + self.hidden_bias())

    def feed_back(self, h: Array, token: Array) -> tuple[Array, Array]:
        """Return state and input of the next step: the state reached and the token drawn."""
        return h, token

    def still_running(self, running: Array, token: Array) -> Array:
        """End a stream after its stop token."""
        return running if self.draws.stop is None else running & (token != self.draws.stop)

    def distribution(self, logits: Array) -> Array:
        """Return the probabilities to draw from: top-p counts the mass that top-k has left."""
        p = self.softmax(self.tempered(logits))
        for kept_by in (self.kept_by_top_k, self.kept_by_top_p):
            kept = kept_by(p)
            if not kept.all():
                p = self.renormalised(np.where(kept, p, 0))
        return p

    def tempered(self, logits: Array) -> Array:
        """Sharpen (below 1) or flatten (above 1) the distribution."""
        return logits / self.draws.temperature

    def kept_by_top_k(self, p: Array) -> Array:
        """Mark the k most probable tokens; of equal ones the lower id."""
        kept = np.ones(p.shape, bool)
        if self.draws.top_k is not None:
            for b, order in enumerate(self.most_probable_first(p)):
                kept[b, order[self.draws.top_k :]] = False
        return kept

    def kept_by_top_p(self, p: Array) -> Array:
        """Mark the smallest set of most probable tokens that holds at least the mass `top_p`."""
        kept = np.ones(p.shape, bool)
        if self.draws.top_p is not None and self.draws.top_p < 1:
            for b, order in enumerate(self.most_probable_first(p)):
                n = self.tokens_for_mass(np.cumsum(p[b, order]), self.draws.top_p)
                kept[b, order[n:]] = False
        return kept

    def most_probable_first(self, p: Array) -> Array:
        """Sort the token ids of each stream by falling probability."""
        return np.argsort(-p, axis=-1, kind="stable")

    def tokens_for_mass(self, cumulative: Array, mass: float) -> int:
        """Count the tokens needed: those before the mass is reached, and the one that reaches it."""
        return int(np.count_nonzero(cumulative < mass)) + 1

    def renormalised(self, p: Array) -> Array:
        """Make the probabilities that were kept sum to one."""
        return p / p.sum(axis=-1, keepdims=True)

    def choose(self, logits: Array, p: Array, t: int) -> Array:
        """Return the most probable token, or invert the cumulative distribution at the uniform number."""
        if self.draws.method == "greedy":
            return logits.argmax(axis=-1)
        cdf = p.cumsum(axis=-1)
        cdf /= cdf[:, -1:]
        return (cdf <= self.uniform(t)[:, None]).sum(axis=-1)

    def uniform(self, t: int) -> Array:
        """Return the random numbers of step t, one for each stream."""
        return self.draws.uniforms[t]
