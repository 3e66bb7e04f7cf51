// The other libraries as contenders: the same step written as each would have it. Bundled for the page by esbuild.
//
// A step is forward, backward and Adam on one adapted linear layer; MoLoRA has a soft gate per row. Both libraries get
// their best form: one jitted function for the whole step in jax-js, no readback between steps, experts as one matrix.
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { ADAM, layer, transposed, uniform } from "./data.mjs";
import { model } from "./jax_language.mjs";

// Adapters in the layout x·A·B, experts side by side: A [in, experts · rank], B [experts · rank, out], zero.
function adapters({ method, size, rank, experts }) {
  const columns = method === "lora" ? rank : experts * rank;
  return {
    columns,
    A: uniform(size * columns, 1 / Math.sqrt(size), 4),
    router: method === "lora" ? null : uniform(size * experts, 0.02, 5),
  };
}

// Frozen arrays, trained ones, and the loss of both.
function oneLayer({ method, size, rank, experts }) {
  const data = layer(size);
  const { columns, A, router } = adapters({ method, size, rank, experts });
  const square = [size, size];
  const fixed = {
    x: np.array(data.x).reshape(square),
    y: np.array(data.y).reshape(square),
    w: np.array(transposed(data.weight, size)).reshape(square),
  };
  const params = { A: np.array(A).reshape([size, columns]), B: np.zeros([columns, size]) };
  if (router) params.router = np.array(router).reshape([size, experts]);
  const loss = (p, { x, y, w }) => {
    let h = np.matmul(x.ref, p.A);
    if (router) {
      const gate = nn.softmax(np.matmul(x.ref, p.router)).reshape([size, experts, 1]);
      h = h.reshape([size, experts, rank]).mul(gate).reshape([size, columns]);
    }
    return np.mean(np.square(np.matmul(x, w).add(np.matmul(h, p.B)).sub(y)));
  };
  return { params, fixed, loss };
}

async function jax(device, config) {
  await init(device);
  defaultDevice(device);
  let { params, fixed, loss } = config.size === "language" ? await model(config) : oneLayer(config);
  const names = Object.keys(params);
  const zeros = () => Object.fromEntries(names.map((name) => [name, np.zeros(params[name].shape)]));
  let m = zeros();
  let v = zeros();
  const { lr, beta1, beta2, eps } = ADAM;
  const step = jit((p, m, v, fixed) => {
    const held = Object.fromEntries(names.map((name) => [name, p[name].ref]));
    const [value, grads] = valueAndGrad(loss)(held, fixed);
    const [p2, m2, v2] = [{}, {}, {}];
    for (const name of names) {
      const first = m[name].mul(beta1).add(grads[name].ref.mul(1 - beta1));
      const second = v[name].mul(beta2).add(np.square(grads[name]).mul(1 - beta2));
      p2[name] = p[name].sub(first.ref.mul(lr).div(np.sqrt(second.ref).add(eps)));
      m2[name] = first;
      v2[name] = second;
    }
    return [value, p2, m2, v2];
  });
  let last;
  let first;
  return {
    async train(steps) {
      defaultDevice(device);
      let value;
      for (let i = 0; i < steps; i++) {
        value?.dispose();
        [value, params, m, v] = step(params, m, v, tree.ref(fixed));
        if (first === undefined) {
          first = (await value.data())[0];
          value = undefined;
        }
      }
      if (value) last = (await value.data())[0];
      await blockUntilReady(params);
    },
    loss: async () => last,
    firstLoss: async () => first,
    stop() {},
  };
}

async function tensorflow(config) {
  const { method, size, rank, experts } = config;
  await tf.setBackend("webgpu");
  await tf.ready();
  const data = layer(size);
  const { columns, A, router } = adapters(config);
  const square = [size, size];
  const x = tf.tensor2d(data.x, square);
  const y = tf.tensor2d(data.y, square);
  const w = tf.tensor2d(transposed(data.weight, size), square);
  const a = tf.variable(tf.tensor2d(A, [size, columns]));
  const b = tf.variable(tf.zeros([columns, size]));
  const r = router && tf.variable(tf.tensor2d(router, [size, experts]));
  const loss = () =>
    tf.tidy(() => {
      let h = x.matMul(a);
      if (r) {
        const gate = tf.softmax(x.matMul(r)).reshape([size, experts, 1]);
        h = h.reshape([size, experts, rank]).mul(gate).reshape([size, columns]);
      }
      return x.matMul(w).add(h.matMul(b)).sub(y).square().mean();
    });
  const adam = tf.train.adam(ADAM.lr, ADAM.beta1, ADAM.beta2, ADAM.eps);
  const variables = r ? [a, b, r] : [a, b];
  let last;
  let first;
  return {
    async train(steps) {
      let value;
      for (let i = 0; i < steps; i++) {
        value?.dispose();
        value = adam.minimize(loss, true, variables);
        if (first === undefined) first = (await value.data())[0];
      }
      last = (await value.data())[0];
      value.dispose();
    },
    loss: async () => last,
    firstLoss: async () => first,
    stop() {
      tf.dispose([x, y, w, ...variables]);
      adam.dispose();
    },
  };
}

export const start = (peer, config) => {
  if (peer === "tfjs-webgpu") return tensorflow(config);
  return jax(peer.replace("jax-js-", ""), config);
};
