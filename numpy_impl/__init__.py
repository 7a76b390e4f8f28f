"""A recurrent network by hand, in NumPy: forward, back through time, and trained on text.

Read in this order; each file is one idea, and backward stands right under forward.

1. `rnn` the recurrence, `loss` softmax cross-entropy, `inputs` what is read, `model` all of it together
2. `gates` and `unrolled`: the same network once more, as a graph of small functions
3. `clip`, `optim`, `init`: from gradients to better weights, and the first weights
4. `text`, `vocabulary`, `datasets`: from a file to numbers
5. `recipes`, `run`, `train`, `checkpoint`, `published`: the three systems and their training
6. `draw`, `sample`, `generate`: the network writes; `interactive`: one object for all of it
7. how it is kept fast, the same mathematics with more care for memory and calls: `lean`, `workspace`, `short`,
   `quick`, `chunks`, `products`, `packed`, `touched`

The rest is read where it is called: `shapes` in annotations, `nonlinearity`, `scalar`, `sums`, `spread`, `flat`,
`aligned`, `packing`, `atomic`, and what is refused in `validate` and `validate_sampling`.
"""
