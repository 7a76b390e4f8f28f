"""The oracle: the network of `numpy_impl` once more, in PyTorch, where autograd finds every gradient.

`loop` is the network one step at a time, `bptt` says where its graph is cut, `modules` is a second one made of torch's
own layers. `many` evaluates many problems at once. `clip`, `optim`, `sample` and `train` mirror the files of that name
in `numpy_impl`; `params` turns our names into torch's, `edge` turns arrays into tensors, `validate` refuses what does
not fit.
"""
