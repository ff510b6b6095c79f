#!/usr/bin/env node
// The size of libuv's thread pool is read when the first thread starts, and Node's loader of ES modules starts
// one: so this file is CommonJS, which is loaded without threads. Kafka's client and LevelDB each hold threads
// for as long as they wait, and the default of four would make them wait for each other.
const LEAST_THREADS = 8;
process.env.UV_THREADPOOL_SIZE = String(Math.max(LEAST_THREADS, Number(process.env.UV_THREADPOOL_SIZE) || 0));

void import('./main.js');
