// Answers rows with a model of TensorFlow.js: node answer.js FOLDER, the folder with model.json.
//
// a line of JSON in:  {NAME: {"shape": [n, ...], "dtype": "float32" or "int32", "values": little-endian, base64}}
// a line of JSON out: {"shape": [n, ...], "values": float32, base64}, or {"error": "..."}
"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");
const tf = require("@tensorflow/tfjs-core");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");
require("@tensorflow/tfjs-backend-cpu");
const wasm = require("@tensorflow/tfjs-backend-wasm");

const ARRAYS = { float32: Float32Array, int32: Int32Array };
// The first one that answers is kept. WebAssembly is about ten times as fast as plain JavaScript, but has not every operation; loops
// need the asynchronous call, which is slower.
const WAYS = [
  ["wasm", "predict"],
  ["wasm", "predictAsync"],
  ["cpu", "predict"],
  ["cpu", "predictAsync"],
];

console.warn = () => {}; // it recommends native code
wasm.setWasmPaths(path.join(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist", path.sep));

function arrayBuffer(bytes) {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
}

async function load(folder, backend) {
  if (!(await tf.setBackend(backend))) throw new Error(`The backend '${backend}' does not start.`);
  const { weightsManifest, ...model } = JSON.parse(fs.readFileSync(path.join(folder, "model.json"), "utf8"));
  const files = weightsManifest.flatMap((group) => group.paths).map((file) => fs.readFileSync(path.join(folder, file)));
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  return loadGraphModel({ load: async () => ({ ...model, weightSpecs, weightData: arrayBuffer(Buffer.concat(files)) }) });
}

async function answered(model, call, inputs) {
  const tensors = {};
  for (const [name, { shape, dtype, values }] of Object.entries(inputs)) {
    tensors[name] = tf.tensor(new ARRAYS[dtype](arrayBuffer(Buffer.from(values, "base64"))), shape, dtype);
  }
  try {
    const output = await model[call](tensors);
    const values = await output.data();
    output.dispose();
    return { shape: output.shape, values: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") };
  } finally {
    tf.dispose(tensors);
  }
}

async function main(folder) {
  const ways = [...WAYS];
  let model;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const inputs = JSON.parse(line);
    let answer;
    while (answer === undefined) {
      const [backend, call] = ways[0];
      try {
        model = model || (await load(folder, backend));
        answer = await answered(model, call, inputs);
      } catch (error) {
        if (ways.length === 1) answer = { error: error.message };
        else if (ways.shift()[0] !== ways[0][0]) model = undefined;
      }
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main(process.argv[2]);
