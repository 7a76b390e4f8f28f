from abc import ABC, abstractmethod
import numpy as np

class ActivationBase(ABC):
    def __init__(self, **kwargs):
        super().__init__()
    def __call__(self, z):
        if z.ndim == 1:
            z = z.reshape(1, -1)
        return self.fn(z)
    @abstractmethod
    def fn(self, z):
        raise NotImplementedError
    @abstractmethod
    def grad(self, x, **kwargs):
        raise NotImplementedError

class Tanh(ActivationBase):
    def __str__(self):
        return "Tanh"
    def fn(self, z):
        return np.tanh(z)
    def grad(self, x):
        return 1 - np.tanh(x) ** 2

class ReLU(ActivationBase):
    def fn(self, z):
        return np.clip(z, 0, np.inf)
    def grad(self, x):
        return (x > 0).astype(int)

class ActivationInitializer(object):
    def __init__(self, param=None):
        self.param = param
    def __call__(self):
        return Tanh() if self.param in (None, "Tanh") else ReLU()

class WeightInitializer(object):
    def __init__(self, act_fn_str, mode="glorot_uniform"):
        self.mode = mode
    def __call__(self, weight_shape):
        b = np.sqrt(6 / (weight_shape[0] + weight_shape[1]))
        return np.random.uniform(-b, b, size=weight_shape)

class LayerBase(ABC):
    def __init__(self, optimizer=None):
        self.X = []
        self.act_fn = None
        self.trainable = True
        self.optimizer = optimizer
        self.gradients = {}
        self.parameters = {}
        self.derived_variables = {}
        super().__init__()
    @abstractmethod
    def _init_params(self, **kwargs):
        raise NotImplementedError
    @abstractmethod
    def forward(self, z, **kwargs):
        raise NotImplementedError
    @abstractmethod
    def backward(self, out, **kwargs):
        raise NotImplementedError
    def freeze(self):
        self.trainable = False
    def unfreeze(self):
        self.trainable = True
    def flush_gradients(self):
        assert self.trainable, "Layer is frozen"
        self.X = []
        for k, v in self.derived_variables.items():
            self.derived_variables[k] = []
        for k, v in self.gradients.items():
            self.gradients[k] = np.zeros_like(v)

class RNNCell(LayerBase):
    def __init__(self, n_in, n_out, act_fn="Tanh", init="glorot_uniform", optimizer=None):
        super().__init__(optimizer)
        self.init = init
        self.n_in = n_in
        self.n_out = n_out
        self.n_timesteps = None
        self.act_fn = ActivationInitializer(act_fn)()
        self.parameters = {"Waa": None, "Wax": None, "ba": None, "bx": None}
        self._init_params()

    def _init_params(self):
        self.X = []
        init_weights = WeightInitializer(str(self.act_fn), mode=self.init)
        Wax = init_weights((self.n_in, self.n_out))
        Waa = init_weights((self.n_out, self.n_out))
        ba = np.zeros((self.n_out, 1))
        bx = np.zeros((self.n_out, 1))
        self.parameters = {"Waa": Waa, "Wax": Wax, "ba": ba, "bx": bx}
        self.gradients = {
            "Waa": np.zeros_like(Waa),
            "Wax": np.zeros_like(Wax),
            "ba": np.zeros_like(ba),
            "bx": np.zeros_like(bx),
        }
        self.derived_variables = {
            "A": [],
            "Z": [],
            "n_timesteps": 0,
            "current_step": 0,
            "dLdA_accumulator": None,
        }

    @property
    def hyperparameters(self):
        return {"layer": "RNNCell", "init": self.init, "n_in": self.n_in, "n_out": self.n_out}

    def forward(self, Xt):
        self.derived_variables["n_timesteps"] += 1
        self.derived_variables["current_step"] += 1
        ba = self.parameters["ba"]
        bx = self.parameters["bx"]
        Wax = self.parameters["Wax"]
        Waa = self.parameters["Waa"]
        As = self.derived_variables["A"]
        if len(As) == 0:
            n_ex, n_in = Xt.shape
            A0 = np.zeros((n_ex, self.n_out))
            As.append(A0)
        Zt = As[-1] @ Waa + ba.T + Xt @ Wax + bx.T
        At = self.act_fn(Zt)
        self.derived_variables["Z"].append(Zt)
        self.derived_variables["A"].append(At)
        self.X.append(Xt)
        return At

    def backward(self, dLdAt):
        assert self.trainable, "Layer is frozen"
        self.derived_variables["current_step"] -= 1
        Zs = self.derived_variables["Z"]
        As = self.derived_variables["A"]
        t = self.derived_variables["current_step"]
        dA_acc = self.derived_variables["dLdA_accumulator"]
        if dA_acc is None:
            dA_acc = np.zeros_like(As[0])
        Wax = self.parameters["Wax"]
        Waa = self.parameters["Waa"]
        dA = dLdAt + dA_acc
        dZ = self.act_fn.grad(Zs[t]) * dA
        dXt = dZ @ Wax.T
        self.gradients["Waa"] += As[t].T @ dZ
        self.gradients["Wax"] += self.X[t].T @ dZ
        self.gradients["ba"] += dZ.sum(axis=0, keepdims=True).T
        self.gradients["bx"] += dZ.sum(axis=0, keepdims=True).T
        self.derived_variables["dLdA_accumulator"] = dZ @ Waa.T
        return dXt

    def flush_gradients(self):
        assert self.trainable, "Layer is frozen"
        self.X = []
        for k, v in self.derived_variables.items():
            self.derived_variables[k] = []
        self.derived_variables["n_timesteps"] = 0
        self.derived_variables["current_step"] = 0
        self.derived_variables["dLdA_accumulator"] = None
        for k, v in self.gradients.items():
            self.gradients[k] = np.zeros_like(v)

class RNN(LayerBase):
    def __init__(self, n_out, act_fn="Tanh", init="glorot_uniform", optimizer=None):
        super().__init__(optimizer)
        self.init = init
        self.n_in = None
        self.n_out = n_out
        self.n_timesteps = None
        self.act_fn = ActivationInitializer(act_fn)()
        self.is_initialized = False

    def _init_params(self):
        self.cell = RNNCell(self.n_in, self.n_out, init=self.init, optimizer=self.optimizer)
        self.is_initialized = True

    def forward(self, X):
        """X : ndarray of shape (n_ex, n_in, n_t)"""
        if not self.is_initialized:
            self.n_in = X.shape[1]
            self._init_params()
        Y = []
        n_ex, n_in, n_t = X.shape
        for t in range(n_t):
            yt = self.cell.forward(X[:, :, t])
            Y.append(yt)
        return np.dstack(Y)

    def backward(self, dLdA):
        assert self.cell.trainable, "Layer is frozen"
        dLdX = []
        n_ex, n_out, n_t = dLdA.shape
        for t in reversed(range(n_t)):
            dLdXt = self.cell.backward(dLdA[:, :, t])
            dLdX.insert(0, dLdXt)
        dLdX = np.dstack(dLdX)
        return dLdX

    @property
    def derived_variables(self):
        return self.cell.derived_variables
    @derived_variables.setter
    def derived_variables(self, v):
        pass
    @property
    def gradients(self):
        return self.cell.gradients
    @gradients.setter
    def gradients(self, v):
        pass
    @property
    def parameters(self):
        return self.cell.parameters
    @parameters.setter
    def parameters(self, v):
        pass
    def flush_gradients(self):
        self.cell.flush_gradients()
