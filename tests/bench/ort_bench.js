// ONNX Runtime's latency at batch 1, as the plans are measured: 224 x 224 or the size that ends the file's name, denormals as zero.
// usage: NODE_PATH=DIR/node_modules node ort_bench.js THREADS MODEL.onnx     prints: name threads median_ms version
const path = require('path');
const ort = require('onnxruntime-node');

async function main() {
  const [threads, file] = process.argv.slice(2);
  // Fovea sets both on every thread that computes. ONNX Runtime takes this from the first session of a process.
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all',
    extra: { session: { set_denormal_as_zero: '1' } } });
  const size = Number((/_(\d{3})\.onnx$/.exec(file) || [0, 224])[1]);
  const runs = size > 224 ? 7 : 21;
  const data = Float32Array.from({ length: 3 * size * size }, () => Math.random());
  const feed = { [session.inputNames[0]]: new ort.Tensor('float32', data, [1, 3, size, size]) };
  for (let i = 0; i < runs / 4; i++) await session.run(feed);
  const ms = [];
  for (let i = 0; i < runs; i++) {
    const start = process.hrtime.bigint();
    await session.run(feed);
    ms.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  ms.sort((a, b) => a - b);
  console.log(path.basename(file, '.onnx'), threads, ms[runs >> 1].toFixed(3), ort.env.versions.node);
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
