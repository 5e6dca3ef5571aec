// Loads BullMQ as tests/benchmarks/timers_load.py loads ours, and says as a line of JSON how it went.
//
//     node bullmq.mjs speed|late REDIS_PORT COUNT RATE SECONDS

import { Queue, Worker } from "bullmq";
import { performance } from "node:perf_hooks";

const [role, port, countGiven, rate, seconds] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port) };
const BATCH = 500;
const HOUR = 3_600_000;
const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: true } });

const id = (n) => `default-bull-${String(n).padStart(8, "0")}`;

function* parts(count) {
  for (let at = 0; at < count; at += BATCH) {
    yield Array.from({ length: Math.min(BATCH, count - at) }, (_, n) => at + n);
  }
}

// A delay counts from when its job is made, so it is made just before it is put in.
async function scheduleAll(count, due) {
  for (const part of parts(count)) {
    await queue.addBulk(
      part.map((n) => {
        const at = due(n);
        const delay = Math.max(1, at - Date.now());
        return { name: "ring", data: { at }, opts: { jobId: id(n), delay } };
      }),
    );
  }
}

async function timed(count, work) {
  const began = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const took = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { rate: count / took, client: (user + system) / count };
}

// As many at once as ours has in a batch.
function ring(count, late) {
  return new Promise((resolve) => {
    const worker = new Worker(
      "bench",
      async (job) => {
        late.push(performance.timeOrigin + performance.now() - job.data.at);
      },
      { connection, concurrency: BATCH },
    );
    let done = 0;
    worker.on("completed", async () => {
      done += 1;
      if (done === count) {
        await worker.close();
        resolve();
      }
    });
  });
}

async function speed(count) {
  const far = Date.now() + HOUR;
  const schedule = await timed(count, () => scheduleAll(count, (n) => far + n));
  const cancel = await timed(count, async () => {
    for (const part of parts(count)) await Promise.all(part.map((n) => queue.remove(id(n))));
  });
  await scheduleAll(count, () => Date.now());
  return { schedule, cancel, claim: await timed(count, () => ring(count, [])) };
}

async function late(count) {
  const first = Date.now() + 1000 + count / 5;
  await scheduleAll(count, (n) => first + (n * 1000) / Number(rate));
  const found = [];
  const watch = await timed(count, () => ring(count, found));
  found.sort((a, b) => a - b);
  const of = (share) => found[Math.floor(count * share)];
  return { p50: of(0.5), p99: of(0.99), most: found[count - 1], ...watch };
}

await queue.waitUntilReady();
const answer =
  role === "speed" ? await speed(Number(countGiven)) : await late(Number(rate) * Number(seconds));
console.log(JSON.stringify(answer));
await queue.close();
process.exit(0);
