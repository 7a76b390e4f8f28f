"""Mistakes of the sampling loop: what is fed back, and what the random numbers decide."""

from functools import partial

import numpy as np

from rnncheck.case import SampleCase
from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array
from rnncheck.textbook.rnn import NO_TOKEN

fault = partial(register, family="sampling", kinds=("sample",))


@fault(
    title="The state is not fed back",
    wrong="h_new = step(token, h0)",
    right="h = step(token, h)",
    symptom="The probabilities of a step depend on its input alone.",
    effect="Text like that of a bigram table, whatever was trained.",
    cure="Carry the state from token to token.",
    corrupts=("p",),
    shows_from=2,
    seen=3,
    equivalent_when="one token is drawn",
)
class StateNotFedBack(Faulty):
    def feed_back(self, h: Array, token: Array) -> tuple[Array, Array]:
        _, token = super().feed_back(h, token)
        return self.first_state(self.draws.h0, len(token)), token


@fault(
    title="The token drawn is not fed back",
    wrong="h = step(first, h)",
    right="h = step(token, h)",
    symptom="The probabilities do not depend on what was drawn.",
    effect="Letters that do not follow from each other.",
    cure="The token drawn is the next input.",
    corrupts=("p",),
    shows_from=2,
    seen=3,
    equivalent_when="one token is drawn",
)
class TokenNotFedBack(Faulty):
    def feed_back(self, h: Array, token: Array) -> tuple[Array, Array]:
        h, _ = super().feed_back(h, token)
        return h, self.draws.first


@fault(
    title="The temperature is ignored",
    wrong="p = softmax(logits)",
    right="p = softmax(logits / temperature)",
    symptom="The same text at every temperature.",
    effect="No control over how bold the samples are.",
    cure="Divide the logits.",
    corrupts=("p",),
    seen=3,
    equivalent_when="the temperature is 1",
)
class TemperatureIgnored(Faulty):
    def tempered(self, logits: Array) -> Array:
        return logits


@fault(
    title="The logits are multiplied by the temperature",
    wrong="p = softmax(logits * temperature)",
    right="p = softmax(logits / temperature)",
    symptom="Hot samples are timid, cold ones wild.",
    effect="The knob turns the wrong way.",
    cure="Divide: a low temperature sharpens.",
    corrupts=("p",),
    equivalent_when="the temperature is 1",
)
class TemperatureMultiplied(Faulty):
    def tempered(self, logits: Array) -> Array:
        return logits * self.draws.temperature


@fault(
    title="The seed is set inside the loop",
    wrong="for t in range(n): rng = np.random.default_rng(seed); u = rng.random()",
    right="rng = np.random.default_rng(seed)\nfor t in range(n): u = rng.random()",
    symptom="The same random number decides every step.",
    effect="Samples get stuck in a loop.",
    cure="Seed once, before the loop.",
    corrupts=("tokens",),
    shows_from=2,
    seen=3,
    equivalent_when="one token is drawn, or sampling is greedy",
)
class SeedInsideTheLoop(Faulty):
    def uniform(self, t: int) -> Array:
        return super().uniform(0)


@fault(
    title="All streams share one random number",
    wrong="token = (cdf <= rng.random()).sum(axis=-1)",
    right="token = (cdf <= rng.random(B)[:, None]).sum(axis=-1)",
    symptom="Streams that start alike stay alike.",
    effect="B samples are one sample.",
    cure="Draw one number for each stream.",
    corrupts=("tokens",),
    equivalent_when="B = 1, or sampling is greedy",
)
class OneRandomNumberForAllStreams(Faulty):
    def uniform(self, t: int) -> Array:
        u = super().uniform(t)
        return np.full_like(u, u[0])


@fault(
    title="The most probable token is taken instead of a drawn one",
    wrong="token = p.argmax(axis=-1)",
    right="token = rng.choice(V, p=p)",
    symptom="The same text whatever the random numbers.",
    effect="Repetition: the the the the.",
    cure="Draw from p unless greedy sampling is asked for.",
    corrupts=("tokens",),
    equivalent_when="sampling is greedy",
)
class GreedyInsteadOfDrawing(Faulty):
    def choose(self, logits: Array, p: Array, t: int) -> Array:
        return logits.argmax(axis=-1)


@fault(
    title="A token is drawn where the most probable one is asked for",
    wrong="token = rng.choice(V, p=p)    # whatever the method",
    right="token = p.argmax(axis=-1)",
    symptom="Greedy samples depend on the random numbers.",
    effect="Predictions that cannot be repeated.",
    cure="Greedy sampling needs no random number.",
    corrupts=("tokens",),
    equivalent_when="sampling is not greedy",
)
class DrawingInsteadOfGreedy(Faulty):
    def choose(self, logits: Array, p: Array, t: int) -> Array:
        return (np.cumsum(p, axis=-1) <= self.uniform(t)[:, None]).sum(axis=-1).clip(0, p.shape[-1] - 1)


@fault(
    title="The stop token does not stop",
    wrong="for t in range(max_length): ...",
    right="for t in range(max_length): ...; if token == stop: break",
    symptom="Text goes on after the stop token.",
    effect="One name runs into the next.",
    cure="End a stream once it has drawn the stop token.",
    corrupts=("tokens",),
    shows_from=2,
    equivalent_when="no stream draws the stop token before its last step",
)
class StopIgnored(Faulty):
    def still_running(self, running: Array, token: Array) -> Array:
        return running


@fault(
    title="The first stream that stops ends all",
    wrong="if (token == stop).any(): break",
    right="running &= token != stop",
    symptom="Other streams are cut off.",
    effect="Samples are too short, the more so the larger the batch.",
    cure="Keep a flag for each stream.",
    corrupts=("tokens",),
    shows_from=2,
    equivalent_when="B = 1, or no stream draws the stop token before its last step",
)
class StopEndsAllStreams(Faulty):
    def still_running(self, running: Array, token: Array) -> Array:
        after = super().still_running(running, token)
        return after & (after.all() or self.draws.stop is None)


@fault(
    title="The stop token itself is swallowed",
    wrong="if token == stop: break\ntokens.append(token)",
    right="tokens.append(token)\nif token == stop: break",
    symptom="The last token of a stream that stopped is missing.",
    effect="One cannot tell a finished sample from one that was cut at its maximum length.",
    cure="Record the token, then stop.",
    corrupts=("tokens",),
    equivalent_when="no stream draws the stop token",
)
class StopTokenSwallowed(Faulty):
    def run_sample(self, case: SampleCase) -> dict[str, Array]:
        found = super().run_sample(case)
        swallowed = found["tokens"] == (NO_TOKEN if case.stop is None else case.stop)
        return found | {"tokens": np.where(swallowed, NO_TOKEN, found["tokens"])}
