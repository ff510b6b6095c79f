/** The program of the HTTP server's thread: it listens as its settings say, until it is told to close. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { HttpFront } from './http-front.js';
import type { FrontSettings } from './http-wire.js';

HttpFront.open(workerData as FrontSettings, parentPort as MessagePort);
