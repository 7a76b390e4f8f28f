"""Mistakes of top-k and top-p."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="sampling", kinds=("sample",), corrupts=("p",))


@fault(
    title="Top-k is ignored",
    wrong="p = softmax(logits)    # top_k is accepted and never read",
    right="p[order[k:]] = 0",
    symptom="Improbable tokens appear.",
    effect="An option that does nothing.",
    cure="Zero all but the k most probable tokens.",
    equivalent_when="top_k is not given",
)
class TopKIgnored(Faulty):
    def kept_by_top_k(self, p: Array) -> Array:
        return np.ones(p.shape, bool)


@fault(
    title="Top-k keeps one token too many",
    wrong="p[p < np.sort(p)[-k - 1]] = 0",
    right="p[order[k:]] = 0",
    symptom="k + 1 tokens have a probability.",
    effect="With k = 1 the samples are not greedy.",
    cure="The k-th largest is np.sort(p)[-k].",
    equivalent_when="top_k is not given, or k = V",
)
class TopKOneTooMany(Faulty):
    def kept_by_top_k(self, p: Array) -> Array:
        kept = super().kept_by_top_k(p)
        if self.draws.top_k is not None and self.draws.top_k < p.shape[-1]:
            next_one = self.most_probable_first(p)[:, self.draws.top_k]
            kept[np.arange(len(p)), next_one] = True
        return kept


@fault(
    title="Top-k keeps the least probable tokens",
    wrong="order = np.argsort(p); p[order[k:]] = 0",
    right="order = np.argsort(-p); p[order[k:]] = 0",
    symptom="The k tokens that are left are those that fit worst.",
    effect="Nonsense, however well the model was trained.",
    cure="argsort sorts upwards: negate, or take from the end.",
    equivalent_when="top_k is not given, or k = V",
)
class TopKKeepsTheLeast(Faulty):
    def kept_by_top_k(self, p: Array) -> Array:
        return super().kept_by_top_k(-p)


@fault(
    title="Top-p is ignored",
    wrong="p = softmax(logits)    # top_p is accepted and never read",
    right="p[order[n:]] = 0    # n tokens hold the mass top_p",
    symptom="Improbable tokens appear.",
    effect="An option that does nothing.",
    cure="Zero all tokens beyond the mass.",
    equivalent_when="top_p is not given, or 1",
)
class TopPIgnored(Faulty):
    def kept_by_top_p(self, p: Array) -> Array:
        return np.ones(p.shape, bool)


@fault(
    title="Top-p drops the token that reaches the mass",
    wrong="kept = cumulative <= top_p",
    right="kept = cumulative - p_sorted < top_p",
    symptom="The tokens kept hold less than the mass; none at all where the first exceeds it.",
    effect="Samples are more timid than asked for.",
    cure="Keep the smallest set that holds *at least* the mass; at least one token, always.",
    equivalent_when="top_p is not given, or 1",
)
class TopPWithoutTheLastToken(Faulty):
    def tokens_for_mass(self, cumulative: Array, mass: float) -> int:
        return max(1, super().tokens_for_mass(cumulative, mass) - 1)


@fault(
    title="Top-p looks at the probabilities before the temperature",
    wrong="kept = top_p_mask(softmax(logits)); p = softmax(logits / temperature) * kept",
    right="p = softmax(logits / temperature); p *= top_p_mask(p)",
    symptom="Hot samples have too few tokens to choose from, cold ones too many.",
    effect="The temperature changes less than it should.",
    cure="Temperature first, then the filters.",
    equivalent_when="top_p is not given, or the temperature is 1",
)
class TopPBeforeTemperature(Faulty):
    def distribution(self, logits: Array) -> Array:
        self.untempered = self.softmax(logits)
        return super().distribution(logits)

    def kept_by_top_p(self, p: Array) -> Array:
        return super().kept_by_top_p(self.untempered)


@fault(
    title="Top-p counts the mass that top-k has dropped",
    wrong="kept = top_k_mask(p) & top_p_mask(p)",
    right="p = renormalise(p * top_k_mask(p)); kept = top_p_mask(p)",
    symptom="With both filters, more tokens are kept than the mass asks for.",
    effect="Samples are bolder than asked for.",
    cure="Temperature, then top-k, then top-p over what is left.",
    equivalent_when="top_k or top_p is not given",
)
class TopPCountsDroppedMass(Faulty):
    def distribution(self, logits: Array) -> Array:
        p = self.softmax(self.tempered(logits))
        kept = self.kept_by_top_k(p) & self.kept_by_top_p(p)
        return p if kept.all() else self.renormalised(np.where(kept, p, 0))


@fault(
    title="The probabilities kept do not sum to one",
    wrong="p[order[k:]] = 0",
    right="p[order[k:]] = 0; p /= p.sum()",
    symptom="p sums to less than one after top-k or top-p.",
    effect="np.random.choice refuses it; an inverse CDF gives the rest to the last token.",
    cure="Renormalise after filtering.",
    equivalent_when="nothing is filtered",
)
class FilteredNotRenormalised(Faulty):
    def renormalised(self, p: Array) -> Array:
        return p
