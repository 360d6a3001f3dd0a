// SPDX-License-Identifier: MIT
// The peer of net.c: ONNX Runtime's CPU build on the same network, with one thread.
//
//   node ort.js DIRECTORY-OF-onnxruntime-node MODEL.onnx INPUT=TYPE:DIM,DIM,...
//
// Speaks the protocol of net.c: a line "FILE..." runs, ">FILE" writes the outputs.
'use strict';
const fs = require('fs');
const readline = require('readline');

const ort = require(process.argv[2]);
const ARRAY = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array };

async function main() {
    const inputs = process.argv.slice(4).map((text) => {
        const [, name, type, dims] = text.match(/^(.*)=(\w+):([\d,]+)$/);
        return { name, type, dims: dims.split(',').map(Number) };
    });
    const session = await ort.InferenceSession.create(process.argv[3], {
        intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential',
        graphOptimizationLevel: 'all',
    });
    console.log(JSON.stringify({ peer: 'onnxruntime', version: ort.env.versions.node }));
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const words = line.split(' ');
        const feeds = {};
        inputs.forEach((t, i) => {
            const b = fs.readFileSync(words[i]);
            const array = new ARRAY[t.type](b.buffer.slice(b.byteOffset, b.byteOffset + b.length));
            feeds[t.name] = new ort.Tensor(t.type, array, t.dims);
        });
        const cpu = process.cpuUsage();
        const wall = process.hrtime.bigint();
        const results = await session.run(feeds);
        const took = Number(process.hrtime.bigint() - wall);
        const used = process.cpuUsage(cpu);
        const out = words[inputs.length];
        if (out && out[0] === '>') {
            const parts = session.outputNames.map((n) => Buffer.from(results[n].data.buffer,
                results[n].data.byteOffset, results[n].data.byteLength));
            fs.writeFileSync(out.slice(1), Buffer.concat(parts));
        }
        console.log(JSON.stringify({ wall_ns: took, cpu_ns: (used.user + used.system) * 1000 }));
    }
}

main().catch((e) => { console.error(`ort: ${e.message}`); process.exit(1); });
