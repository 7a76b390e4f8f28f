// A recurrent network in JavaScript, forward and backward through time, that answers the cases of rnncheck.
//
//     rnncheck check "exec:node rnn.js"
//     rnncheck check "exec:node rnn.js --fault"     with one mistake, for the judge to find
//
//     a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    logits_t = W_hy h_t + b_y
//
// One JSON object a line comes in, one goes out. Matrices are arrays of rows; h[t][b] is the state of sequence b.

"use strict";

const FAULT = process.argv.includes("--fault"); // dW_hh takes the state after the step, not the one before it

// --- vectors and matrices

const zeros = (n, ...rest) =>
  n === undefined ? 0 : Array.from({ length: n }, () => zeros(...rest));
const dot = (u, v) => u.reduce((sum, u_i, i) => sum + u_i * v[i], 0);
const times = (W, v) => W.map((row) => dot(row, v));
const timesTransposed = (W, v) => W[0].map((_, j) => W.reduce((sum, row, i) => sum + row[j] * v[i], 0));
const plus = (u, v) => u.map((u_i, i) => u_i + v[i]);
const addInPlace = (u, v) => v.forEach((v_i, i) => (u[i] += v_i));
const addOuter = (dW, u, v) => u.forEach((u_i, i) => v.forEach((v_j, j) => (dW[i][j] += u_i * v_j)));

// --- forward

// A token is a one-hot vector, and no token (-1) all zeros.
const asVector = (x, I) => (Array.isArray(x) ? x : Array.from({ length: I }, (_, i) => (i === x ? 1 : 0)));

function forward(c, x, h0) {
  const { W_xh, W_hh, W_hy } = c.params;
  const { b_h = zeros(c.sizes.H), b_y = zeros(c.sizes.V) } = c.params;
  const f = c.nonlinearity === "tanh" ? Math.tanh : (a) => Math.max(a, 0);
  const h = [];
  const logits = [];
  for (let t = 0; t < x.length; t++) {
    const before = t === 0 ? h0 : h[t - 1];
    h.push(before.map((h_b, b) => plus(plus(times(W_xh, x[t][b]), b_h), times(W_hh, h_b)).map(f)));
    logits.push(h[t].map((h_b) => plus(times(W_hy, h_b), b_y)));
  }
  return { h, logits };
}

// --- the loss: cross-entropy and, under it, its gradient p - onehot(y)

function crossEntropy(c, logits) {
  const kept = c.y.flat().filter((y) => y !== c.ignore_index).length;
  const share = c.reduction === "mean" ? 1 / kept : 1;
  const losses = zeros(c.sizes.T, c.sizes.B);
  const dlogits = zeros(c.sizes.T, c.sizes.B, c.sizes.V);
  c.y.forEach((row, t) =>
    row.forEach((y, b) => {
      if (y === c.ignore_index) return; // no loss, no gradient
      const z = logits[t][b];
      const largest = Math.max(...z);
      const e = z.map((z_v) => Math.exp(z_v - largest));
      const total = e.reduce((sum, e_v) => sum + e_v);
      const upstream = c.dloss === undefined ? 1 : c.reduction === "none" ? c.dloss[t][b] : c.dloss;
      losses[t][b] = share * (Math.log(total) + largest - z[y]);
      dlogits[t][b] = e.map((e_v, v) => share * upstream * (e_v / total - (v === y ? 1 : 0)));
    })
  );
  const loss = c.reduction === "none" ? losses : losses.flat().reduce((sum, l) => sum + l, 0);
  return { loss, dlogits };
}

// --- backward

function backward(c, x, h0, h, dlogits) {
  const { T, B, I, H, V } = c.sizes;
  const { W_xh, W_hh, W_hy } = c.params;
  const df = c.nonlinearity === "tanh" ? (h_i) => 1 - h_i * h_i : (h_i) => (h_i > 0 ? 1 : 0);
  const chunk = c.bptt === "chunked" ? c.k : T; // no gradient crosses the end of a chunk
  const d = {
    dh: zeros(T, B, H), da: zeros(T, B, H), dx: zeros(T, B, I), dh0: zeros(B, H),
    dW_xh: zeros(H, I), dW_hh: zeros(H, H), db_h: zeros(H), dW_hy: zeros(V, H), db_y: zeros(V),
  };
  for (let t = T - 1; t >= 0; t--) {
    for (let b = 0; b < B; b++) {
      addOuter(d.dW_hy, dlogits[t][b], h[t][b]);
      addInPlace(d.db_y, dlogits[t][b]);
      addInPlace(d.dh[t][b], timesTransposed(W_hy, dlogits[t][b])); // beside what came from step t + 1
      const da = d.dh[t][b].map((dh_i, i) => dh_i * df(h[t][b][i])); // through f
      d.da[t][b] = da;
      addOuter(d.dW_hh, da, FAULT ? h[t][b] : t === 0 ? h0[b] : h[t - 1][b]);
      addOuter(d.dW_xh, da, x[t][b]);
      addInPlace(d.db_h, da);
      d.dx[t][b] = timesTransposed(W_xh, da);
      if (t === 0) d.dh0[b] = timesTransposed(W_hh, da);
      else if (t % chunk !== 0) addInPlace(d.dh[t - 1][b], timesTransposed(W_hh, da));
    }
  }
  return d;
}

// --- the protocol

function answer(c) {
  if (c.kind !== "rnn" || c.bptt === "windowed" || !["tanh", "relu"].includes(c.nonlinearity)) {
    return { id: c.id, not_shown: "tanh and ReLU, forward and backward, full or in chunks, is all that is here" };
  }
  const x = c.x.map((row) => row.map((x_b) => asVector(x_b, c.sizes.I)));
  const h0 = c.h0 === undefined ? zeros(c.sizes.B, c.sizes.H) : c.h0;
  const { h, logits } = forward(c, x, h0);
  const { loss, dlogits } = crossEntropy(c, logits);
  const all = { h, logits, loss, dlogits, ...backward(c, x, h0, h, dlogits) };
  return { id: c.id, trace: Object.fromEntries(c.wanted.map((name) => [name, all[name]])) };
}

// JSON has no word for what is not finite: JSON.stringify would write null.
const finite = (_key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => process.stdout.write(JSON.stringify(answer(JSON.parse(line)), finite) + "\n"));
