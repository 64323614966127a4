// ONNX Runtime's latency at batch 1, as the plans are measured: 224 x 224 or the size that ends the file's name, denormals as zero.
// usage: NODE_PATH=DIR/node_modules node ort_bench.js THREADS MODEL.onnx     prints its version, then for each line the milliseconds of one run
const readline = require('readline');
const ort = require('onnxruntime-node');

async function main() {
  const [threads, file] = process.argv.slice(2);
  // Fovea has denormals as zero on every thread that computes; ONNX Runtime takes this from the first session of a process. Its threads
  // wait actively during a run, not behind one, where they would take the processors from Fovea's.
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all',
    extra: { session: { set_denormal_as_zero: '1', force_spinning_stop: '1' } } });
  const size = Number((/_(\d{3})\.onnx$/.exec(file) || [0, 224])[1]);
  const data = Float32Array.from({ length: 3 * size * size }, () => Math.random());
  const feed = { [session.inputNames[0]]: new ort.Tensor('float32', data, [1, 3, size, size]) };
  console.log(ort.env.versions.node);
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const start = process.hrtime.bigint();
    await session.run(feed);
    console.log(Number(process.hrtime.bigint() - start) / 1e6);
  }
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
